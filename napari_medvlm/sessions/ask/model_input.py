"""What a model sees of an image: chosen by a person, made into pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from napari_medvlm.data.conversation import SentImage
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.slice_image import Part, SliceImage, part_around, picture_of
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import default_window
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting, drawn, name_of

PLANES = ("axial", "coronal", "sagittal")
MARGIN = 0.25
"""How much of an object's size is shown around it in a picture of its own."""


@dataclass(frozen=True, eq=False)
class NamedVolume:
    """Another image of the same patient: a second sequence, a prior study."""

    name: str
    volume: Volume


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
        Other images, shown at the same places, each slice after the image's own.
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
        """The pictures as a conversation keeps them."""
        rows = zip(self.pictures, self.captions, self.of, strict=True)
        return tuple(SentImage(p.pixels, p.slice, caption, of) for p, caption, of in rows)


def slices_of(mask: Mask, axis: int, slice_step_mm: float = 0.0) -> Scope:
    """The slices of an object: those across an axis that it lies on."""
    if not mask.voxels:
        raise InvalidPrompt("The object is empty: it lies on no slice.", "Segment it first.")
    return Scope(axis, mask.start[axis], mask.stop[axis], slice_step_mm)


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
    rows: list[tuple[SliceImage, str, str]] = [
        (group[0] if len(group) == 1 else Montage.of(group), _caption(group, volume), "")
        for group in groups
    ]
    notes: list[str] = []
    for other in selection.others:
        rows += _others(other, volume, refs, selection, notes)
    if selection.pointing is VisualPrompting.CROP:
        rows += _crops(volume, selection, notes)
    covered = len(refs) / volume.shape[selection.scope.axis]
    images, captions, of = zip(*rows, strict=True)
    return ModelInput(images, captions, of, covered, tuple(notes))


def counterpart(
    volume: Volume, ref: SliceRef, other: Volume, region: Box | None = None
) -> tuple[SliceRef, Part | None] | None:
    """The slice of another image at the place of a slice, and its part; `None`: there is none."""
    position = (np.array(volume.shape) - 1) / 2
    if region is not None:
        position = volume.grid.to_index(region.corners().mean(axis=0))
    position[ref.axis] = ref.index
    axis = _parallel(volume.affine[:3, ref.axis], other.affine)
    index = int(np.floor(other.grid.to_index(volume.grid.to_world(position))[axis] + 0.5))
    if not 0 <= index < other.shape[axis]:
        return None
    part = None if region is None else part_around(region, other.grid, axis)
    return None if region is not None and part is None else (SliceRef(axis, index), part)


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
    other: NamedVolume,
    volume: Volume,
    refs: Sequence[SliceRef],
    selection: ImageSelection,
    notes: list[str],
) -> list[tuple[SliceImage, str, str]]:
    rows: list[tuple[SliceImage, str, str]] = []
    window = default_window(other.volume)
    for ref in refs:
        match = counterpart(volume, ref, other.volume, selection.region)
        if match is None:
            continue
        image = picture_of(other.volume, match[0], window, match[1])
        caption = f"{other.name}, {caption_of(other.volume, match[0], image.windows)}"
        rows.append((image, caption, other.name))
    if len(rows) < len(refs):
        notes.append(
            f"{other.name} has no slice at {len(refs) - len(rows)} of the {len(refs)} places."
        )
    return list({row[0].slice: row for row in rows}.values())


def _crops(
    volume: Volume, selection: ImageSelection, notes: list[str]
) -> list[tuple[SliceImage, str, str]]:
    """Each object in a picture of its own, on the slice through its middle."""
    rows: list[tuple[SliceImage, str, str]] = []
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


def _parallel(normal: FloatArray, affine: FloatArray) -> int:
    """The axis of another image that runs closest along a direction."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    return int(np.argmax(np.abs(normal @ affine[:3, :3]) / lengths))
