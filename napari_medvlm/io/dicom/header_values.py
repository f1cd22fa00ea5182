"""What the header of a DICOM file, or of one of its frames, says of a slice.

``groups`` are a frame's functional groups: its own, then those that all frames share. They are
empty where a file has one slice.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.volume import ASSUMED, Window
from napari_medvlm.io.dicom.header import COPY_AGAIN, first_number, item, number, numbers, text

if TYPE_CHECKING:
    from pydicom import Dataset

LARGEST = 1e30
"""What intensities may be multiplied by, or shifted by, and still be distinguished in 32 bits."""
PROJECTIONS = ("CR", "DX", "IO", "MG", "PX", "RF", "RG", "XA")
"""Modalities of projections: an object is magnified by its distance from the detector."""
AT_DETECTOR = "The pixel spacing is the pixel spacing at the detector; the patient is magnified."
CENTIMETRES = 3
"""The code for that unit in the regions of an ultrasound picture."""


def find(
    path: Path,
    groups: list[Dataset],
    sequence: str,
    keyword: str,
    count: int,
    header: list[Dataset],
) -> FloatArray | None:
    """A value of the frame, else one that all frames share, else one of the file."""
    items = [item(group, sequence) for group in groups]
    for values in [*(f for f in items if f is not None), *header]:
        result = numbers(path, values, keyword, count)
        if result is not None:
            return result
    return None


def unit(path: Path, orientation: FloatArray) -> FloatArray:
    """The directions of rows and columns, ``(6,)``, of length 1 to the last digit.

    Raises
    ------
    InvalidImage
        If they are not two directions at a right angle.
    """
    row, column = orientation[:3], orientation[3:]
    lengths = float(np.linalg.norm(row)), float(np.linalg.norm(column))
    if max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(float(row @ column))) > 0.01:
        raise InvalidImage(
            f"ImageOrientationPatient of {path.name} is {orientation.tolist()}: not two unit "
            "vectors at a right angle.",
            COPY_AGAIN,
        )
    return np.concatenate([row / lengths[0], column / lengths[1]])


def pixel_mm(
    path: Path, header: Dataset, groups: list[Dataset]
) -> tuple[FloatArray, tuple[str, ...]]:
    """``(2,)`` distance of rows, then of columns, in millimetres; and what was assumed.

    Raises
    ------
    InvalidImage
        If one of them is not above 0; both are 0 where the spacing is unknown.
    """
    known: dict[str, tuple[str, ...]] = {
        "PixelSpacing": (),
        "ImagerPixelSpacing": (AT_DETECTOR,),
        "NominalScannedPixelSpacing": ("The pixel spacing is that of the scanned film.",),
        "ImagePlanePixelSpacing": (
            "The pixel spacing is that of the image plane; the patient is magnified.",
        ),
    }
    for keyword, notes in known.items():
        spacing = find(path, groups, "PixelMeasuresSequence", keyword, 2, [header])
        if spacing is None or not spacing.any():  # writers put 0 where they do not know it
            continue
        if not (spacing > 0).all():
            raise InvalidImage(
                f"{keyword} of {path.name} is {spacing.tolist()}; it must be above 0 mm.",
                "Repair the header, or choose another series.",
            )
        repeated = keyword == "PixelSpacing" and _is_at_detector(path, header, spacing)
        return spacing, (AT_DETECTOR,) if repeated else notes
    return _ultrasound_mm(path, header)


def _is_at_detector(path: Path, header: Dataset, spacing: FloatArray) -> bool:
    """Whether a projection's pixel spacing is that of the detector, repeated (PS3.3, 10.7.1.3)."""
    if text(header, "Modality") not in PROJECTIONS or text(header, "PixelSpacingCalibrationType"):
        return False
    detector = numbers(path, header, "ImagerPixelSpacing", 2)
    return detector is not None and bool(np.allclose(detector, spacing, rtol=1e-4))


def thickness(path: Path, header: Dataset, groups: list[Dataset]) -> float:
    """Distance to the next slice in millimetres, as far as one slice gives it."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        value = find(path, groups, "PixelMeasuresSequence", keyword, 1, [header])
        if value is not None and value[0]:
            return abs(float(value[0]))
    return 1.0


def rescale(path: Path, header: Dataset, groups: list[Dataset]) -> tuple[float, float]:
    """Slope and intercept from stored values to intensities; 1 and 0 where a table maps them."""
    if header.get("ModalityLUTSequence"):
        return 1.0, 0.0
    dose = number(path, header, "DoseGridScaling")
    if dose is not None:
        return dose, 0.0
    slope, intercept = (
        find(path, groups, "PixelValueTransformationSequence", keyword, 1, [header])
        for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    if slope is not None and not slope[0]:
        raise InvalidImage(
            f"RescaleSlope of {path.name} is 0: its intensities cannot be recovered.", COPY_AGAIN
        )
    items = (
        1.0 if slope is None else float(slope[0]),
        0.0 if intercept is None else float(intercept[0]),
    )
    if max(map(abs, items)) > LARGEST:
        raise InvalidImage(
            f"RescaleSlope and RescaleIntercept of {path.name} are {items[0]:g} and {items[1]:g}: "
            "its intensities cannot be recovered.",
            COPY_AGAIN,
        )
    return items


def window(header: Dataset, groups: list[Dataset]) -> Window | None:
    """The first window that the header asks for."""
    items = [item(group, "FrameVOILUTSequence") for group in groups]
    for values in [*(f for f in items if f is not None), header]:
        center, width = first_number(values, "WindowCenter"), first_number(values, "WindowWidth")
        if center is not None and width is not None and width > 0:
            return Window(center, width)
    return None


def _ultrasound_mm(path: Path, header: Dataset) -> tuple[FloatArray, tuple[str, ...]]:
    """From the regions of an ultrasound picture if they agree; else 1 mm, in a pixel's shape."""
    items = set()
    for region in header.get("SequenceOfUltrasoundRegions") or []:
        units = [region.get(f"PhysicalUnits{axis}Direction") for axis in "YX"]
        deltas = [abs(first_number(region, f"PhysicalDelta{axis}") or 0) for axis in "YX"]
        items.add(
            tuple(10 * d if u == CENTIMETRES else 0 for d, u in zip(deltas, units, strict=True))
        )
    if len(items) == 1 and all(spacing := items.pop()):
        return np.array(spacing), ()
    shape = numbers(path, header, "PixelAspectRatio", 2)
    if shape is None or not (shape > 0).all() or shape[0] == shape[1]:
        return np.ones(2), (f"The pixel spacing is unknown; {ASSUMED}",)
    sides = f"{shape[0]:g} high and {shape[1]:g} wide"
    return shape / shape.min(), (
        f"The pixel spacing is unknown, a pixel is {sides}; for its shorter side {ASSUMED}",
    )
