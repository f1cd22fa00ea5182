"""The slices that a DICOM file holds, one or many, each with its place in the patient.

Whether a slice is a file of its own or a frame of one file makes no difference above this module.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.array_checks import require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.volume import ASSUMED, Window
from napari_medvlm.io.dicom.frame_order import frame_order
from napari_medvlm.io.dicom.header import COPY_AGAIN, integer, item, number, numbers, text
from napari_medvlm.io.dicom.header_values import find, pixel_mm, rescale, thickness, unit, window
from napari_medvlm.io.dicom.mosaic import Mosaic, mosaic_of
from napari_medvlm.io.dicom.multi_volume import Label, labels_of
from napari_medvlm.io.dicom.units import rescale_type

if TYPE_CHECKING:
    from pydicom import Dataset

SMALL = 2**24
"""Bytes of a file's pixels from which on the free memory is looked at before they are read."""
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
IN_TRANSDUCER = (
    "The positions of the frames are relative to the transducer, not to the patient: sides are "
    "unknown."
)
UNPLACED = "The file has no image position; it is shown as an axial slice."


@dataclass(frozen=True, eq=False)
class Plane:
    """One slice.

    Parameters
    ----------
    path, frame
        The file, and which of its frames it is, from 0.
    header
        What was read of the file.
    size
        Rows, columns and samples of a pixel.
    placed
        Whether the file has the position of the slice; if not, the position counts frames.
    position
        ``(3,)`` centre of the first pixel, LPS millimetres.
    orientation
        ``(6,)`` unit vectors, LPS: along a row of pixels, then down a column.
    pixel_mm
        ``(2,)`` distance of rows, then of columns.
    thickness_mm
        Distance to the next slice as far as one slice gives it.
    rescale
        Slope and intercept from stored values to intensities; 1 and 0 where a table maps them.
    rescale_type
        What the intensities are, in DICOM's terms; empty if the header does not state it.
    labels
        What may distinguish volumes at the same position, by DICOM keyword.
    notes
        What was assumed.
    tile
        First row and column of the slice in a picture that holds many, a mosaic; None of others.
    """

    path: Path
    frame: int
    header: Dataset
    size: tuple[int, int, int]
    placed: bool
    position: FloatArray
    orientation: FloatArray
    pixel_mm: FloatArray
    thickness_mm: float
    rescale: tuple[float, float]
    rescale_type: str
    window: Window | None
    labels: dict[str, Label]
    notes: tuple[str, ...]
    tile: tuple[int, int] | None = None

    @property
    def has_table(self) -> bool:
        """Whether a table of the header, a modality LUT, maps stored values to intensities."""
        return bool(self.header.get("ModalityLUTSequence"))

    @property
    def normal(self) -> FloatArray:
        """``(3,)`` unit vector across the slice, LPS."""
        return normal_of(self.orientation)


def planes_of(path: Path, header: Dataset) -> list[Plane]:
    """The slices of a file in its own order.

    Raises
    ------
    InvalidImage
        If a value is missing, damaged or impossible, or if so many do not fit into memory.
    """
    count = _frame_count(path, header)
    per_frame = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if not per_frame:
        return _plain_planes(path, header, count)
    if len(per_frame) != count:
        raise InvalidImage(
            f"{path.name} promises {count} frames and describes {len(per_frame)}.", COPY_AGAIN
        )
    shared = item(header, "SharedFunctionalGroupsSequence")
    return [
        _plane(path, header, i, [own, shared] if shared is not None else [own])
        for i, own in enumerate(per_frame)
    ]


def normal_of(orientation: FloatArray) -> FloatArray:
    """``(3,)`` the cross product of the two directions of a slice."""
    normal: FloatArray = np.cross(orientation[:3], orientation[3:])
    return normal


def _frame_count(path: Path, header: Dataset) -> int:
    """Checked before anything of that many is made."""
    rows, columns = integer(path, header, "Rows", 0), integer(path, header, "Columns", 0)
    count = integer(path, header, "NumberOfFrames", 1) or 1
    if count > 1 and text(header, "DimensionOrganizationType").startswith("TILED"):
        raise InvalidImage(
            f"{path.name} is one large picture, cut into {count} tiles, as slides of a microscope "
            "are; tiles are not slices.",
            "Export a region of it as a picture, for instance with QuPath or OpenSlide.",
        )
    if not rows or not columns:
        raise InvalidImage(f"{path.name} holds no image: {rows} x {columns} pixels.", COPY_AGAIN)
    needed = 4.0 * rows * columns * count * integer(path, header, "SamplesPerPixel", 1)
    if needed > SMALL:  # asking for each of a thousand slices takes long
        require_memory(path, needed)
    if count > max(1, path.stat().st_size):
        raise InvalidImage(
            f"{path.name} promises {count} frames in {path.stat().st_size} bytes.", COPY_AGAIN
        )
    return count


def _plain_planes(path: Path, header: Dataset, count: int) -> list[Plane]:
    """Frames of a file that describes only its first one: they follow on its normal."""
    first = _plane(path, header, 0, [])
    if count == 1:
        mosaic = mosaic_of(path, header)
        return [first] if mosaic is None else _tiles(first, mosaic)
    order = frame_order(path, header, count)
    step, notes = _frame_step(path, header)
    notes = order.notes or notes
    offsets = numbers(path, header, "GridFrameOffsetVector", count)
    if offsets is None:
        offsets = order.slices * step
    else:
        offsets, notes = offsets - offsets[0], ()
    first = replace(first, notes=first.notes + notes)
    return [
        replace(
            first,
            frame=i,
            position=first.position + offset * first.normal,
            labels={**first.labels, **order.labels[i]},
        )
        for i, offset in enumerate(offsets)
    ]


def _tiles(picture: Plane, mosaic: Mosaic) -> list[Plane]:
    """The slices that are tiles of one picture, in their order."""
    rows, columns = mosaic.offset * picture.pixel_mm
    column, row = picture.orientation[3:], picture.orientation[:3]
    origin = picture.position + rows * column + columns * row
    normal = picture.normal
    if mosaic.normal is not None and mosaic.normal @ normal < 0:
        normal = -normal
    return [
        replace(
            picture,
            tile=tile,
            size=(*mosaic.size, picture.size[2]),
            position=origin + z * picture.thickness_mm * normal,
            notes=picture.notes + mosaic.notes,
        )
        for z, tile in enumerate(mosaic.tiles)
    ]


def _frame_step(path: Path, header: Dataset) -> tuple[float, tuple[str, ...]]:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        step = number(path, header, keyword)
        if step:
            return step, ()
    return 1.0, (f"The spacing of the frames is unknown; {ASSUMED}",)


def _plane(path: Path, header: Dataset, frame: int, groups: list[Dataset]) -> Plane:
    detector = item(header, "DetectorInformationSequence")
    places = [header] if detector is None else [header, detector]
    position = find(path, groups, "PlanePositionSequence", "ImagePositionPatient", 3, places)
    orientation = find(
        path, groups, "PlaneOrientationSequence", "ImageOrientationPatient", 6, places
    )
    placed = position is not None and orientation is not None
    unplaced = UNPLACED
    if position is None and groups:
        position = find(path, groups, "PlanePositionVolumeSequence", "ImagePositionVolume", 3, [])
        orientation = find(
            path, groups, "PlaneOrientationVolumeSequence", "ImageOrientationVolume", 6, []
        )
        unplaced = UNPLACED if position is None else IN_TRANSDUCER
    spacing, notes = pixel_mm(path, header, groups)
    samples = integer(path, header, "SamplesPerPixel", 1)
    return Plane(
        path=path,
        frame=frame,
        header=header,
        size=(integer(path, header, "Rows", 0), integer(path, header, "Columns", 0), samples),
        placed=placed,
        position=np.zeros(3) if position is None else position,
        orientation=unit(path, UPRIGHT if orientation is None else orientation),
        pixel_mm=spacing,
        thickness_mm=thickness(path, header, groups),
        rescale=rescale(path, header, groups),
        rescale_type=rescale_type(header, groups),
        window=window(header, groups),
        labels=labels_of(header, groups),
        notes=notes if placed else (*notes, unplaced),
    )
