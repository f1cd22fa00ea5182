"""DICOM segmentations (SEG), also those of others, as labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.frames import lps_rows
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.label_image import NamedLabels, flattened, overlap_notes
from napari_medvlm.data.mask import Mask
from napari_medvlm.io.dicom.folder import is_dicom
from napari_medvlm.io.dicom.frames import Plane, planes_of
from napari_medvlm.io.dicom.header import guarded, read_header, sop_class
from napari_medvlm.io.dicom_objects.assumptions import (
    OFF_GRID,
    frame_notes,
    gap_notes,
    slices_lacking,
)

if TYPE_CHECKING:
    from pydicom import Dataset

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage, which pydicom's list of kinds does not have yet."""
NEAR = 0.01
"""Voxels; a frame so near to a slice of the image lies on it."""
HALF = "{} holds fractions; voxels of 0.5 and above belong to the object."


def is_seg(path: Path) -> bool:
    """Whether a file is a DICOM segmentation."""
    if not is_dicom(path):
        return False
    header = read_header(path, ["SOPClassUID"])
    return "Segmentation" in sop_class(header) or header.get("SOPClassUID") == LABEL_MAP


def read_seg(path: Path, grid: Grid | None = None) -> NamedLabels:
    """The segments of a DICOM segmentation as labels.

    Frames may stand in any order, and slices may be missing, which are empty then. Segments may
    overlap, see `NamedLabels`; a note names those that do.

    Parameters
    ----------
    grid
        The image's voxels. Frames that lie on its slices are put there, however few they are and
        also where slices are sheared. Others, and all without it, lie on a grid of their own.

    Raises
    ------
    InvalidImage
        If it is no segmentation, or its frames make no regular volume.
    """
    return guarded(
        path,
        lambda: _read(path, grid),
        "cannot be read as a DICOM segmentation",
        "Open the series that it was made on first, or save it as NIfTI in the program that wrote "
        "it.",
    )


def _read(path: Path, grid: Grid | None) -> NamedLabels:
    import highdicom as hd

    seg = hd.seg.segread(path)
    on_image = None if grid is None else _on_image(seg, path, grid)
    labels, covered, own = on_image or _alone(seg)
    described = {v: seg.get_segment_description(n) for n, v in _label_values(seg).items()}
    names = {n: str(segment.segment_label) for n, segment in described.items()}
    colors = {n: color for n, segment in described.items() if (color := _shown(segment))}
    uids = {n: uid for n, segment in described.items() if (uid := _tracking_uid(segment))}
    notes: list[str] = [HALF.format(path.name)] if _is_fractional(seg) else []
    if (zero := _label_values(seg).get(0)) is not None:
        notes.append(f"Segment 0 of {path.name}, {names[zero]}, has the label {zero}.")
    named = NamedLabels(labels, own, names, path.name, colors, (), uids, covered)
    notes += frame_notes(path, seg)
    if grid is not None and on_image is None:
        notes.append(OFF_GRID.format(path.name))
    notes += gap_notes(path, "frame", _slices_lacking(seg, path, named))
    return replace(named, notes=(*notes, *overlap_notes(named)))


def _slices_lacking(seg: Any, path: Path, named: NamedLabels) -> dict[str, int]:
    """How many slices each segment lacks a frame in; the frames of a label map hold all."""
    values, is_map = _label_values(seg), str(seg.SegmentationType) == "LABELMAP"
    held: dict[int, set[int]] = {}
    for index, plane in enumerate(planes_of(path, seg)):
        z = int(named.grid.to_index(plane.position[::-1])[0].round())
        for number in values.values() if is_map else [values[_segment_of(seg, index)]]:
            held.setdefault(number, set()).add(z)
    gaps = {n: own for n, own in held.items() if max(own) - min(own) >= len(own)}
    masks = {n: named.mask_of(n) for n in gaps if n in named.present}
    return {named.names[n]: slices_lacking(mask, gaps[n]) for n, mask in masks.items()}


def read_seg_on_series(path: Path, grids: Mapping[str, Grid]) -> NamedLabels:
    """A segmentation on the series that it was made on if that is open, see `read_seg`.

    Parameters
    ----------
    grids
        Of the series that are open, by their UIDs.
    """
    header = read_header(path, ["ReferencedSeriesSequence"])
    series = (str(s.get("SeriesInstanceUID")) for s in header.get("ReferencedSeriesSequence") or ())
    return read_seg(path, next((grids[uid] for uid in series if uid in grids), None))


def _label_values(seg: Any) -> dict[int, int]:
    """The label of each segment by its number, which it is, but for segment 0.

    The background of a label map is its Pixel Padding Value, 0 if it has none; with another one,
    segment 0 is an object, and gets the number after the last.
    """
    numbers = [int(number) for number in seg.segment_numbers]
    background = _background(seg)
    values = {n: n for n in numbers if n not in (0, background)}
    if background and 0 in numbers:
        values[0] = 1 + max(*numbers, background)
    return values


def _background(seg: Dataset) -> int:
    padding = seg.get("PixelPaddingValue")
    is_map = str(seg.get("SegmentationType")) == "LABELMAP"
    return int(padding) if is_map and padding is not None else 0


def _is_fractional(seg: Dataset) -> bool:
    return str(seg.get("SegmentationType")) == "FRACTIONAL"


Regions = tuple[NDArray[np.uint16], dict[int, Mask], Grid]
"""Values and covered voxels as of `NamedLabels`, and the grid that they lie on."""


def _alone(seg: Any) -> Regions:
    """The segments on the grid that the frames themselves make."""
    volume = seg.get_volume(combine_segments=False, allow_missing_positions=True)
    array: NDArray[Any] = np.asarray(volume.array)
    z, y, x = array.shape[:3]
    values = _label_values(seg)
    numbers = enumerate(map(int, seg.segment_numbers))
    channels = {values[n]: channel for channel, n in numbers if n in values}
    sizes = {n: int(np.count_nonzero(array[..., c] >= 0.5)) for n, c in channels.items()}
    labels, covered = flattened(sizes, lambda n: Mask.of(array[..., channels[n]] >= 0.5), (z, y, x))
    return labels, covered, Grid((z, y, x), lps_rows(volume.affine))


def _on_image(seg: Any, path: Path, grid: Grid) -> Regions | None:
    """The segments on the image's grid; `None` if a frame does not lie on one of its slices."""
    planes = planes_of(path, seg)
    slices = [z for plane in planes if (z := _slice_of(plane, grid)) is not None]
    if len(slices) < len(planes):
        return None
    frames = seg.pixel_array.reshape(len(planes), *grid.shape[1:])
    kind = str(seg.SegmentationType)
    if kind == "LABELMAP":
        background, zero = _background(seg), _label_values(seg).get(0, 0)
        labels = np.zeros(grid.shape, np.uint16)
        for z, frame in zip(slices, frames, strict=True):
            inside = frame != background
            labels[z][inside] = np.where(frame[inside] == 0, zero, frame[inside])
        return labels, {}, grid
    least = 0.5 * float(seg.MaximumFractionalValue) if kind == "FRACTIONAL" else 1
    of_segment: dict[int, list[int]] = {}
    for index in range(len(planes)):
        of_segment.setdefault(_segment_of(seg, index), []).append(index)

    def mask_of(number: int) -> Mask:
        on = [slices[index] for index in of_segment[number]]
        voxels = np.zeros((max(on) + 1 - min(on), *grid.shape[1:]), bool)
        for index in of_segment[number]:
            voxels[slices[index] - min(on)] |= frames[index] >= least
        return Mask.in_box(voxels, (min(on), 0, 0), grid.shape)

    sizes = {number: mask_of(number).voxels for number in of_segment}
    return (*flattened(sizes, mask_of, grid.shape), grid)


def _slice_of(plane: Plane, grid: Grid) -> int | None:
    """The index of the image's slice that a frame lies on, voxel on voxel; `None`: on none."""
    down, across = (plane.orientation[3:] * plane.pixel_mm[0], plane.orientation[:3])
    ends: FloatArray = np.array([(0, 0), (plane.size[0] - 1, 0), (0, plane.size[1] - 1)])
    lps = plane.position + ends @ np.array([down, across * plane.pixel_mm[1]])
    index = grid.to_index(lps[:, ::-1])
    z = int(index[0, 0].round())
    wanted = np.column_stack([np.full(3, z), ends])
    fits = plane.placed and plane.size[:2] == grid.shape[1:] and 0 <= z < grid.shape[0]
    return z if fits and np.abs(index - wanted).max() < NEAR else None


def _segment_of(seg: Dataset, frame: int) -> int:
    for groups in (
        seg.PerFrameFunctionalGroupsSequence[frame],
        seg.SharedFunctionalGroupsSequence[0],
    ):
        if "SegmentIdentificationSequence" in groups:
            return int(groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
    raise ValueError(f"frame {frame + 1} has no segment number")


def _tracking_uid(described: Dataset) -> str:
    """The UID of what a segment shows; empty if the file has none that can be written again."""
    uid = described.get("TrackingUID")
    return str(uid) if uid and uid.is_valid else ""


def _shown(described: Dataset) -> str:
    """The colour of a segment as ``#rrggbb``; empty if the file has none that can be shown."""
    from highdicom.color import CIELabColor

    value = described.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return ""
    red, green, blue = CIELabColor.from_dicom_value(value).to_rgb(clip=True)
    return f"#{red:02x}{green:02x}{blue:02x}"
