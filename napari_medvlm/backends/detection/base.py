"""Models of images at work in volumes: slice by slice, and what they find joined in depth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_medvlm.backends.base import Backend, Progress
from napari_medvlm.backends.detection.joined_regions import joined
from napari_medvlm.data.field_checks import (
    TOLERANCE,
    description,
    require_array,
    require_items,
    require_kinds,
    require_no_probabilities,
    require_share,
    require_texts,
)
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import PixelBounds, SliceImage, picture_of
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.data.window_presets import default_window


@dataclass(frozen=True, eq=False)
class Seen:
    """A detection of a phrase in one image, in pixels of the image.

    Parameters
    ----------
    phrase
        As given in the query.
    bounds
        Left, upper, right and lower edge; `None` where only a heatmap or mask is known.
    heatmap, mask
        ``(height, width)`` over the whole image, at any resolution.
    points
        ``(x, y)`` of single places.
    """

    phrase: str
    score: float | None = None
    bounds: PixelBounds | None = None
    name: str = ""
    heatmap: np.ndarray | None = None
    mask: np.ndarray | None = None
    points: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse fields of another type or shape, which would lead to a wrong region.

        Raises
        ------
        TypeError
            With the form that the field has, and what came.
        ValueError
            If a score or heatmap lies outside of 0 to 1, a mask has fractions, or a bound is not
            finite.
        """
        require_texts(self, "phrase", "name")
        require_share(self, "score")
        if self.mask is not None:
            require_array(self, "mask", 2, "biuf", "an array (height, width) of bool, or None")
            require_no_probabilities(self.mask, "Seen: mask")
        if self.heatmap is not None:
            require_array(self, "heatmap", 2, "biuf", "an array (height, width) of 0 to 1, or None")
            _require_from_0_to_1(self.heatmap)
        _require_finite("bounds", self.bounds, (4,), "(left, upper, right, lower)")
        _require_finite("points", self.points or None, (len(self.points), 2), "pairs (x, y)")


@dataclass(frozen=True, eq=False)
class Look:
    """All detections of a model in one image.

    Parameters
    ----------
    seen
        What it sees.
    best
        For phrases that it does not see, the score of what came nearest.
    texts, notes
        As in `Grounding`.
    """

    seen: tuple[Seen, ...] = ()
    best: dict[str, float] | None = None
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse fields of another type: `TypeError` with what came."""
        require_items(self, Seen, "seen")
        require_kinds(self, dict, "best")
        require_items(self, str, "texts", "notes")


class SlicewiseBackend(Backend, ABC):
    """A backend whose model processes 2D images; subclasses implement `look`."""

    batch = 4
    """How many images are shown at once."""

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        self._volume = volume

    @abstractmethod
    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """Detections in each image, in their order."""

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Search the slices of the scope in batches, and merge regions of neighbouring slices."""
        window = query.window or (None if self._volume.is_color else default_window(self._volume))
        slices = query.scope.slices(self._volume.grid)
        looks = self._look_at(slices, query, window, progress)
        if query.scope.coarse_to_fine:
            seen = [slice_image.slice for slice_image, look in looks if look.seen]
            closer = sorted(
                set(query.scope.around(seen, self._volume.grid)) - set(slices), key=_slice_index
            )
            looks += self._look_at(closer, query, window, progress)
            looks.sort(key=lambda pair: _slice_index(pair[0].slice))
            slices = tuple(slice_image.slice for slice_image, _ in looks)
        progress(1.0, "merging regions")
        detected_regions = [
            region for slice_image, look in looks for region in regions_of(slice_image, look)
        ]
        regions = tuple(
            region
            for phrase in query.phrases
            for region in joined(
                [r for r in detected_regions if r.phrase == phrase], slices, self._volume
            )
        )
        return Grounding(
            regions=regions,
            not_found=_missing(query.phrases, regions, [look for _, look in looks], len(slices)),
            slices=slices,
            window=window,
            prompts={phrase: query.prompt_of(phrase) for phrase in query.phrases},
            texts=tuple(text for _, look in looks for text in look.texts),
            notes=tuple(dict.fromkeys(note for _, look in looks for note in look.notes)),
        )

    def _look_at(
        self,
        slices: Sequence[SliceRef],
        query: GroundQuery,
        window: Window | None,
        progress: Progress,
    ) -> list[tuple[SliceImage, Look]]:
        """Detections on slices, in batches."""
        looks: list[tuple[SliceImage, Look]] = []
        for start in range(0, len(slices), self.batch):
            batch = slices[start : start + self.batch]
            progress(start / len(slices), f"slice {start + 1} of {len(slices)}")
            slice_images = [picture_of(self._volume, ref, window) for ref in batch]
            looks += zip(slice_images, self._checked(slice_images, query), strict=True)
        return looks

    def _checked(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """What is seen in images, one `Look` for each and of the phrases that were asked for."""
        looks = self.look(slice_images, query)
        if not isinstance(looks, list | tuple) or not all(isinstance(k, Look) for k in looks):
            raise TypeError(f"look must return a list of Look, not {description(looks)}.")
        if len(looks) != len(slice_images):
            raise ValueError(
                f"look must return a Look for each of {len(slice_images)} pictures, and returned "
                f"{len(looks)}."
            )
        foreign = {seen.phrase for look in looks for seen in look.seen} - set(query.phrases)
        if foreign:
            raise ValueError(
                f"look returned {sorted(foreign)[0]!r}, which was not asked for: Seen.phrase is "
                f"one of query.phrases, here {', '.join(map(repr, query.phrases))}."
            )
        return list(looks)


def _require_from_0_to_1(values: np.ndarray) -> None:
    low, high = (float(v) for v in (values.min(initial=0), values.max(initial=0)))
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise ValueError(f"Seen: heatmap must lie from 0 to 1, and lies from {low:g} to {high:g}.")


def _require_finite(name: str, values: object, shape: tuple[int, ...], form: str) -> None:
    """Raise an error unless a field has the shape, and finite numbers."""
    if values is None:
        return
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != shape:
        raise TypeError(f"Seen: {name} must be {form} in pixels, or none, not {values!r}.")
    if not np.isfinite(array).all():
        raise ValueError(f"Seen: {name} must be finite, and is {values!r}.")


def regions_of(slice_image: SliceImage, look: Look) -> list[Region]:
    """Convert the detections in an image to regions on its slice."""
    regions = []
    for seen in look.seen:
        heatmap = None if seen.heatmap is None else slice_image.heatmap(seen.heatmap)
        mask = None if seen.mask is None else slice_image.mask(seen.mask)
        mask = mask if mask is not None and mask.voxels else None
        points = tuple(slice_image.point(x, y) for x, y in seen.points)
        box = slice_image.box(seen.bounds or _bounds(slice_image, seen, mask))
        if box is not None:
            slice_ref = _slice_of(slice_image, box)
            regions.append(
                Region(
                    seen.phrase,
                    box,
                    seen.score,
                    seen.name,
                    mask,
                    heatmap,
                    points,
                    slice_ref,
                    image_name=slice_image.image_name,
                )
            )
    return regions


def _slice_of(slice_image: SliceImage, box: Box) -> SliceRef:
    """The slice that a box lies on: an image may show several."""
    axis = slice_image.slice.axis
    middle = slice_image.grid.to_index(box.corners().mean(axis=0))
    return SliceRef(axis, round(float(middle[axis])))


def _bounds(slice_image: SliceImage, seen: Seen, mask: Mask | None) -> PixelBounds:
    """Edges around a mask or points; the whole image for a heatmap alone."""
    height, width = slice_image.size
    if mask is not None and seen.mask is not None:
        inside = np.asarray(seen.mask, bool)
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        if not rows.size:
            return (0.0, 0.0, 0.0, 0.0)
        down, right = height / inside.shape[0], width / inside.shape[1]
        return (
            columns[0] * right, rows[0] * down, (columns[-1] + 1) * right, (rows[-1] + 1) * down,
        )  # fmt: skip
    if seen.points:
        x, y = np.array(seen.points).T
        return (x.min() - 0.5, y.min() - 0.5, x.max() + 0.5, y.max() + 0.5)
    return (0.0, 0.0, float(width), float(height))


def _slice_index(ref: SliceRef) -> int:
    return ref.index


def _missing(
    phrases: Sequence[str], regions: Sequence[Region], looks: Sequence[Look], slices: int
) -> tuple[NotFound, ...]:
    detected_phrases = {region.phrase for region in regions}
    missing = []
    for phrase in phrases:
        if phrase in detected_phrases:
            continue
        best = [look.best[phrase] for look in looks if look.best and phrase in look.best]
        searched = "the slice" if slices == 1 else f"any of {slices} slices"
        reason = f"The model did not find it on {searched}."
        missing.append(NotFound(phrase, reason, max(best) if best else None))
    return tuple(missing)
