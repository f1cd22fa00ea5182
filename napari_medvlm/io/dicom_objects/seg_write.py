"""Segmentations as DICOM objects (SEG): written next to their series, read from anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.frames import lps_rows
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom.header import sop_class
from napari_medvlm.io.dicom_objects.coded_terms import Term, term_for
from napari_medvlm.io.dicom_objects.source_headers import (
    UNICODE,
    framed_headers,
    reason_of,
    share_geometry,
)

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset

MAKER = "napari-medvlm"
VERSION = version(MAKER)
MAX_BYTES = 64
LABEL_MAP_SUFFIX = ".labelmap.dcm"
WEIGHTS = "weights SHA-256"
"""What the hash is called among the parameters of an algorithm."""


@dataclass(frozen=True)
class Segment:
    """The description of an object in a DICOM file.

    Parameters
    ----------
    name
        For people.
    color
        ``#rrggbb``; empty: none is stated.
    term
        What it is; `None`: found by its name.
    algorithm, version
        Who made the mask: the backend and its model; with the version of the program.
    model
        The model as the session calls it, which may be a path: it is not written.
    weights
        SHA-256 of the model's weights; empty: there are none, or they are not here.
    is_interactive
        Whether a person placed the prompts.
    tracking_id
        What the object is called across studies; empty: its name.
    tracking_uid
        The UID that goes with it, the same in all files about the object; empty: a new one.
    """

    name: str
    color: str = ""
    term: Term | None = None
    algorithm: str = MAKER
    version: str = VERSION
    model: str = ""
    weights: str = ""
    is_interactive: bool = True
    tracking_id: str = ""
    tracking_uid: str = ""


def write_seg(
    path: Path,
    masks: Mapping[int, NDArray[np.bool_]],
    volume: Volume,
    segments: Mapping[int, Segment],
) -> None:
    """Write objects as a DICOM segmentation of the series that the volume was read from.

    Parameters
    ----------
    path
        With the ending ``.labelmap.dcm`` a label map (of 2024's standard), else a mask an object.
    masks
        ``(z, y, x)`` bool of each object, by its number; they may overlap.
    segments
        The description of each.

    Raises
    ------
    CannotSave
        If the volume is not from a DICOM series, or from one of a kind that no segmentation can
        refer to, nothing is in the masks, or objects of a label map
        overlap.
    """
    import highdicom as hd
    from pydicom.uid import generate_uid

    sources, _ = framed_headers(volume)
    geometry = _places(volume, sources[0])
    share_geometry(sources, geometry)
    numbers = numbers_to_save(masks)
    as_map = path.name.lower().endswith(LABEL_MAP_SUFFIX)
    array = (_label_map if as_map else _stacked)([masks[n] for n in numbers])
    try:
        segmentation = hd.seg.Segmentation(
            source_images=sources,
            pixel_array=array,
            **geometry,
            segmentation_type="LABELMAP" if as_map else "BINARY",
            segment_descriptions=[_described(i + 1, segments[n]) for i, n in enumerate(numbers)],
            series_instance_uid=generate_uid(),
            series_number=_next_series(sources),
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer=MAKER,
            manufacturer_model_name=MAKER,
            software_versions=VERSION,
            device_serial_number="1",
            content_label="SEGMENTATION",
            content_description=content_description([segments[n].name for n in numbers]),
            series_description="Segmentation",
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CannotSave(
            f"A DICOM segmentation cannot refer to images as those of {volume.name} "
            f"({sop_class(sources[0])}): {reason_of(error)}.",
            "Save as .rtstruct.dcm, NIfTI (.nii.gz), NRRD or MetaImage.",
        ) from error
    segmentation.SpecificCharacterSet = UNICODE
    segmentation.save_as(path)


def _stacked(masks: list[NDArray[np.bool_]]) -> NDArray[np.uint8]:
    return np.stack(masks, axis=-1).astype(np.uint8)


def _label_map(masks: list[NDArray[np.bool_]]) -> NDArray[np.uint16]:
    """The number of the object from 1 that each voxel belongs to; refused if there are several."""
    labels = np.zeros(masks[0].shape, np.uint16)
    for number, mask in enumerate(masks, 1):
        if labels[mask].any():
            raise CannotSave(
                "Objects overlap, and a voxel of a label map has one object only.",
                "Save as .dcm: a segmentation with a mask for each object.",
            )
        labels[mask] = number
    return labels


def _places(volume: Volume, source: Dataset) -> dict[str, Any]:
    """Where each slice lies, as highdicom has it; slices may be sheared."""
    import highdicom as hd

    slices, down, across = (lps_rows(volume.affine)[:3, axis] for axis in range(3))
    rows_mm, columns_mm = float(np.linalg.norm(down)), float(np.linalg.norm(across))
    orientation = [*(across / columns_mm), *(down / rows_mm)]
    apart_mm = abs(float(slices @ np.cross(orientation[:3], orientation[3:])))
    first = lps_rows(volume.affine)[:3, 3]
    return {
        "plane_positions": [
            hd.PlanePositionSequence("PATIENT", (first + z * slices).tolist())
            for z in range(volume.shape[0])
        ],
        "plane_orientation": hd.PlaneOrientationSequence("PATIENT", orientation),
        "pixel_measures": hd.PixelMeasuresSequence(
            [rows_mm, columns_mm],
            slice_thickness=float(source.get("SliceThickness") or apart_mm),
            spacing_between_slices=apart_mm,
        ),
    }


def numbers_to_save(masks: Mapping[int, NDArray[np.bool_]]) -> list[int]:
    """The numbers of the objects that have voxels, in order; refused if none has."""
    numbers = [number for number in sorted(masks) if masks[number].any()]
    if not numbers:
        raise CannotSave(
            "There is nothing to save: all objects are empty.", "Segment something first."
        )
    return numbers


def short(text: str) -> str:
    """A text as DICOM's elements of 64 characters take it; a backslash would part it in two."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain.replace("\\", "/")[:64].strip() or "unnamed"


def content_description(names: list[str]) -> str:
    """As many names as 64 bytes take, which programs count that do not know character sets."""
    for shown in range(len(names), 0, -1):
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        text = short(", ".join(names[:shown]) + more)
        if len(text.encode()) <= MAX_BYTES and text.endswith(more):
            return text
    return f"{len(names)} segments"


def _described(number: int, segment: Segment) -> SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    term = segment.term or term_for(segment.name)
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=short(segment.name),
        segmented_property_category=term.category,
        segmented_property_type=term.kind,
        algorithm_type="SEMIAUTOMATIC" if segment.is_interactive else "AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=short(segment.algorithm),
            family=codes.cid7162.ArtificialIntelligence,
            version=segment.version,
            parameters={WEIGHTS: segment.weights} if segment.weights else None,
        ),
        tracking_uid=segment.tracking_uid or generate_uid(),
        tracking_id=short(segment.tracking_id or segment.name),
        display_color=_color(segment.color) if segment.color else None,
    )
    if term.side is not None:
        side = [hd.sr.CodedConcept.from_code(term.side)]
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = side
    return description


def _color(text: str) -> Any:
    from highdicom.color import CIELabColor

    return CIELabColor.from_rgb(*(int(text[i : i + 2], 16) for i in (1, 3, 5)))


def _next_series(sources: list[Dataset]) -> int:
    number = sources[0].get("SeriesNumber")
    return 1000 + int(number or 0)
