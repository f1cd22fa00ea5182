"""Slices, crops and windows that a model receives, and the images prepared from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from napari_medvlm.data.conversation import SentImage
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import Part, SliceImage, part_around, picture_of
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import default_window
from napari_medvlm.sessions.ask.other_images import NamedVolume, counterparts
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting, drawn, name_of

PLANES = ("axial", "coronal", "sagittal")
CURRENT, PRIOR = "current study, ", "prior study"
"""How captions begin where a prior is sent."""
ImageRow = tuple[SliceImage, str, str]
"""A picture, its caption, and the name of the other image that it shows."""
MARGIN = 0.25
"""How much of an object's size is shown around it in a picture of its own."""


@dataclass(frozen=True, eq=False)
class ImageSelection:
    """What a model is to see.

    Parameters
    ----------
    scope
        The slices.
    region
        The box to cut them to; `None`: whole slices.
    montage
        How many slices stand in one picture; 0 or 1: each has its own.
    windows
        The intensities shown as black and white: none, the image's own; one; or one each for red,
        green and blue, see `windows.CT_COLORS`.
    others
        Other images, shown at the same places; priors before the image's own slices, each place
        for itself, others after all of them.
    draw
        Objects, boxes and points that the question is about.
    pointing
        How the model is shown them, see `visual_prompts`.
    """

    scope: Scope = field(default_factory=Scope)
    region: Box | None = None
    montage: int = 0
    windows: tuple[Window, ...] = ()
    others: tuple[NamedVolume, ...] = ()
    draw: tuple[Region, ...] = ()
    pointing: VisualPrompting = VisualPrompting.DRAWN

    def check(self, volume: Volume) -> None:
        """Raise `InvalidPrompt` unless it shows something of a volume."""
        self.scope.bounds(volume.grid)
        if len(self.windows) not in (0, 1, 3) or any(w.width <= 0 for w in self.windows):
            raise InvalidPrompt(
                f"{len(self.windows)} windows, of widths {[w.width for w in self.windows]}, cannot "
                "be shown.",
                "Choose one window, or one each for red, green and blue.",
            )
        if self.region is not None:
            _part(self.region, volume, self.scope.axis)


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What a model sees.

    Parameters
    ----------
    pictures
        In order.
    captions
        What to say of each.
    of
        The other image that each shows; empty: the image itself.
    covered
        The share of the image's slices along the axis that are shown, 0 to 1.
    notes
        What could not be shown, a sentence each.
    """

    pictures: tuple[SliceImage, ...] = ()
    captions: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    covered: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def sent(self) -> tuple[SentImage, ...]:
        """The pictures as a conversation stores them."""
        rows = zip(self.pictures, self.captions, self.of, strict=True)
        return tuple(SentImage(p.pixels, p.slice, caption, of, p) for p, caption, of in rows)


def pictures(volume: Volume, selection: ImageSelection) -> ModelInput:
    """The pictures of a view.

    Raises
    ------
    InvalidPrompt
        If the view shows nothing of the volume.
    """
    selection.check(volume)
    refs = selection.scope.slices(volume.grid)
    part = (
        None if selection.region is None else _part(selection.region, volume, selection.scope.axis)
    )
    windows = selection.windows or (default_window(volume),)
    own = [picture_of(volume, ref, windows, part) for ref in refs]
    if selection.pointing is VisualPrompting.DRAWN and selection.draw:
        own = [drawn(image, selection.draw) for image in own]
    size = max(selection.montage, 1)
    groups = [own[at : at + size] for at in range(0, len(own), size)]
    role = CURRENT if any(other.is_prior for other in selection.others) else ""
    rows: list[ImageRow] = [
        (group[0] if len(group) == 1 else Montage.of(group), role + _caption(group, volume), "")
        for group in groups
    ]
    notes: list[str] = []
    for other in selection.others:
        matches, missing = _others(other, volume, refs, selection)
        notes += missing
        rows = _merged(rows, matches) if other.is_prior else rows + list(matches.values())
    if selection.pointing is VisualPrompting.CROP:
        rows += _crops(volume, selection, notes)
    covered = len(refs) / volume.shape[selection.scope.axis]
    images, captions, of = zip(*rows, strict=True)
    return ModelInput(images, captions, of, covered, tuple(notes))


def caption_of(volume: Volume, ref: SliceRef, windows: Sequence[Window] = ()) -> str:
    """What to say of a picture of a slice."""
    shown = " and ".join(f"{w.center:g}/{w.width:g}" for w in windows)
    window = f", window {shown}" if shown and volume.modality is not Modality.PHOTO else ""
    if not volume.has_planes and volume.shape[ref.axis] == 1:
        return f"the image{window}"
    return f"{_slice_words(volume, ref.axis)} {ref.index} of {volume.shape[ref.axis]}{window}"


def plane_of(volume: Volume, axis: int) -> str:
    """The anatomical plane of slices across an axis; empty for pictures and projections."""
    if not volume.has_planes:
        return ""
    return {array: PLANES[i] for i, array in enumerate(patient_axes(volume.affine))}[axis]


def _slice_words(volume: Volume, axis: int) -> str:
    """What slices across an axis are called, such as ``"axial slice"``."""
    if volume.has_planes:
        return f"{plane_of(volume, axis)} slice"
    return "frame" if axis == 0 else f"section across axis {axis}, number"


def _caption(group: Sequence[SliceImage], volume: Volume) -> str:
    first = group[0]
    cropped = ", cropped" if first.part else ""
    if len(group) == 1:
        return caption_of(volume, first.slice, first.windows) + cropped
    numbers = ", ".join(str(image.slice.index) for image in group)
    words = _slice_words(volume, first.slice.axis).removesuffix(", number")
    return (
        f"{words}s {numbers} of {volume.shape[first.slice.axis]}, from left to right and "
        f"from top to bottom{cropped}"
    )


def _others(
    other: NamedVolume, volume: Volume, refs: Sequence[SliceRef], selection: ImageSelection
) -> tuple[dict[SliceRef, ImageRow], tuple[str, ...]]:
    """The pictures of another image by the slice of the image at their place, and notes."""
    same_units = other.is_prior and volume.unit == other.volume.unit != ""
    window = (same_units and selection.windows) or (default_window(other.volume),)
    name = other.name if not other.is_prior else PRIOR
    matches, notes = counterparts(volume, refs, other, selection.region)
    rows: dict[SliceRef, ImageRow] = {}
    for ref, (at, part) in matches.items():
        image = replace(picture_of(other.volume, at, window, part), image_name=other.name)
        caption = caption_of(other.volume, at, image.windows) + (", cropped" if part else "")
        rows[ref] = (image, f"{name}, {caption}", other.name)
    return rows, notes


def _merged(own: Sequence[ImageRow], prior: Mapping[SliceRef, ImageRow]) -> list[ImageRow]:
    """The images of both studies, the prior's before the own one of the same place.

    Prior images of places without an image of their own, as of montages, come first.
    """
    left, rows = dict(prior), []
    for row in own:
        at = None if isinstance(row[0], Montage) or row[2] else left.pop(row[0].slice, None)
        rows += [row] if at is None else [at, row]
    return [*left.values(), *rows]


def _crops(volume: Volume, selection: ImageSelection, notes: list[str]) -> list[ImageRow]:
    """Each object in a picture of its own, on the slice through its middle."""
    rows: list[ImageRow] = []
    for region in selection.draw:
        image = crop_of(volume, region, selection.scope.axis, selection.windows)
        if image is None:
            notes.append(f"{name_of(region)} lies outside the image.")
            continue
        caption = caption_of(volume, image.slice, image.windows)
        rows.append((image, f"{name_of(region)}, cropped from {caption}", ""))
    return rows


def crop_of(
    volume: Volume, region: Region, axis: int, windows: tuple[Window, ...] = ()
) -> SliceImage | None:
    """A picture of a region with a margin, on the slice through its middle; `None` if outside."""
    start, stop = (np.array(edge, float) for edge in region.box.bounds(volume.grid))
    if (stop <= start).any():
        return None
    middle = int((start[axis] + stop[axis] - 1) // 2)
    if region.slice is not None and region.slice.axis == axis:
        middle = region.slice.index
    around = np.maximum(np.ceil((stop - start) * MARGIN), 1)
    low = np.maximum(start - around, 0)
    high = np.minimum(stop + around, volume.shape)
    part = part_around(Box.at_index(volume, low, high), volume.grid, axis)
    return picture_of(volume, SliceRef(axis, middle), windows or None, part)


def _part(region: Box, volume: Volume, axis: int) -> Part:
    part = part_around(region, volume.grid, axis)
    if part is None:
        raise InvalidPrompt("The region lies outside the image.", "Draw it over the image.")
    return part
