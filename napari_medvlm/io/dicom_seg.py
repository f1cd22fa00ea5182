"""Segmentations as DICOM objects (SEG): written beside their series, read from anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.errors import CannotSave, InvalidImage
from napari_medvlm.geometry import Grid, lps_rows
from napari_medvlm.grounding import NamedLabels
from napari_medvlm.io.dicom_folder import headers_of, is_dicom
from napari_medvlm.io.dicom_header import read_header, sop_class
from napari_medvlm.io.terms import Term, term_for
from napari_medvlm.volume import Volume

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription
    from pydicom import Dataset

MAKER = "napari-medvlm"
VERSION = version(MAKER)


@dataclass(frozen=True)
class Segment:
    """What is told of an object in a DICOM file.

    Parameters
    ----------
    name
        For people.
    color
        ``#rrggbb``; empty: none is told.
    term
        What it is; `None`: found by its name.
    algorithm, version
        Who made the mask: the backend and its model; with the model's own version or hash.
    by_hand
        Whether a person placed the prompts.
    tracking_id
        What the object is called across studies; empty: its name.
    """

    name: str
    color: str = ""
    term: Term | None = None
    algorithm: str = MAKER
    version: str = VERSION
    by_hand: bool = True
    tracking_id: str = ""


def write_seg(
    path: Path,
    masks: Mapping[int, NDArray[np.bool_]],
    volume: Volume,
    segments: Mapping[int, Segment],
) -> None:
    """Write objects as a DICOM segmentation of the series that the volume was read from.

    Parameters
    ----------
    masks
        ``(z, y, x)`` bool of each object, by its number; they may overlap.
    segments
        What is told of each.

    Raises
    ------
    CannotSave
        If the volume is not from a DICOM series, or nothing is in the masks.
    """
    import highdicom as hd
    from pydicom.uid import generate_uid

    sources, frame = framed_headers(volume)
    numbers = numbers_to_save(masks)
    array = np.stack([masks[n] for n in numbers], axis=-1).astype(np.uint8)
    made = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=hd.Volume(
            array,
            lps_rows(volume.affine),
            "PATIENT",
            frame_of_reference_uid=frame,
            channels={"SegmentNumber": list(range(1, len(numbers) + 1))},
        ),
        segmentation_type="BINARY",
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
        content_description=", ".join(segments[n].name for n in numbers)[:64],
        series_description="Segmentation",
    )
    made.save_as(path)


def read_seg(path: Path) -> NamedLabels:
    """The segments of a DICOM segmentation as labels on the grid that its frames lie on.

    Frames may stand in any order, and slices may be missing, which are empty then. Where segments
    overlap, the one of the higher number is kept.

    Raises
    ------
    InvalidImage
        If it is no segmentation, or its frames make no regular volume.
    """
    import highdicom as hd

    try:
        seg = hd.seg.segread(path)
        found = seg.get_volume(combine_segments=False, allow_missing_positions=True)
    except Exception as error:  # files by anybody: whatever highdicom cannot read
        raise InvalidImage(
            f"{path.name} cannot be read as a DICOM segmentation: {error}",
            "Load it in the program that wrote it, and save it as NIfTI.",
        ) from error
    array: NDArray[Any] = np.asarray(found.array)
    z, y, x = array.shape[0], array.shape[1], array.shape[2]
    labels = np.zeros((z, y, x), np.uint16)
    names, colors = {}, {}
    for channel, number in enumerate(map(int, seg.segment_numbers)):
        labels[array[..., channel] > 0] = number
        described = seg.get_segment_description(number)
        names[number] = str(described.segment_label)
        color = _shown(described)
        if color:
            colors[number] = color
    return NamedLabels(labels, Grid((z, y, x), lps_rows(found.affine)), names, path.name, colors)


def is_seg(path: Path) -> bool:
    """Whether a file is a DICOM segmentation."""
    return is_dicom(path) and "Segmentation" in sop_class(read_header(path, ["SOPClassUID"]))


def framed_headers(volume: Volume) -> tuple[list[Dataset], Any]:
    """The headers of a volume's series, and the frame of reference that they share.

    Raises
    ------
    CannotSave
        If the volume is not from a DICOM series, or that tells no frame.
    """
    sources = source_headers(volume)
    frame = sources[0].get("FrameOfReferenceUID")
    if frame is None:
        raise CannotSave(
            f"The series of {volume.name} does not tell its frame of reference.",
            "Save as NIfTI (.nii.gz), NRRD or MetaImage.",
        )
    return sources, frame


def numbers_to_save(masks: Mapping[int, NDArray[np.bool_]]) -> list[int]:
    """The numbers of the objects that have voxels, in order; refused if none has."""
    numbers = [number for number in sorted(masks) if masks[number].any()]
    if not numbers:
        raise CannotSave(
            "There is nothing to save: all objects are empty.", "Segment something first."
        )
    return numbers


def source_headers(volume: Volume) -> list[Dataset]:
    """The whole headers of the DICOM files that a volume was read from.

    Raises
    ------
    CannotSave
        If it was not read from DICOM, or the files are no longer there.
    """
    from pydicom import dcmread

    if volume.source is None or not volume.series:
        raise CannotSave(
            f"{volume.name} was not read from a DICOM series, so no DICOM object can refer to it.",
            "Save as NIfTI (.nii.gz), NRRD or MetaImage.",
        )
    try:
        found = headers_of(volume.source, volume.series if volume.source.is_dir() else None)
    except InvalidImage as error:
        raise CannotSave(
            f"The DICOM files of {volume.name} are no longer where they were: {error.message}",
            "Put them back, or save as NIfTI.",
        ) from error
    return [dcmread(file, stop_before_pixels=True) for file, _ in found]


def _described(number: int, segment: Segment) -> SegmentDescription:
    import highdicom as hd
    from pydicom.sr.codedict import codes
    from pydicom.uid import generate_uid

    term = segment.term or term_for(segment.name)
    made = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:64],
        segmented_property_category=term.category,
        segmented_property_type=term.kind,
        algorithm_type="SEMIAUTOMATIC" if segment.by_hand else "AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=segment.algorithm,
            family=codes.cid7162.ArtificialIntelligence,
            version=segment.version,
        ),
        tracking_uid=generate_uid(),
        tracking_id=segment.tracking_id or segment.name,
        display_color=_color(segment.color) if segment.color else None,
    )
    if term.side is not None:
        side = [hd.sr.CodedConcept.from_code(term.side)]
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side
    return made


def _color(text: str) -> Any:
    from highdicom.color import CIELabColor

    return CIELabColor.from_rgb(*(int(text[i : i + 2], 16) for i in (1, 3, 5)))


def _shown(described: Dataset) -> str:
    """The colour of a segment as ``#rrggbb``; empty if the file tells none that can be shown."""
    from highdicom.color import CIELabColor

    value = described.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return ""
    red, green, blue = CIELabColor.from_dicom_value(value).to_rgb(clip=True)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _next_series(sources: list[Dataset]) -> int:
    number = sources[0].get("SeriesNumber")
    return 1000 + int(number or 0)
