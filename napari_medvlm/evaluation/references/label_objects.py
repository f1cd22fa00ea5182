"""Objects with names and masks of their own as references: SEG, RTSTRUCT, 3D Slicer's segments."""

from __future__ import annotations

from pathlib import Path

from napari_medvlm.data.errors import GeometryMismatch, InvalidReference
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume


def has_objects(path: Path) -> bool:
    """Whether a file is a DICOM segmentation or structure set, or has names in its header."""
    from napari_medvlm.io.embedded_names import embedded_names

    return _is_dicom_object(path) or bool(embedded_names(path)[0])


def read_objects(path: Path, volume: Volume) -> NamedLabels:
    """The objects of such a file on the grid of their image; they may overlap.

    Raises
    ------
    GeometryMismatch
        If the file is of another patient or frame of reference, or its voxels are not the image's.
    InvalidImage
        If it cannot be read.
    """
    from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
    from napari_medvlm.io.label_images import read_masks

    differing = mismatch_notes(path, volume)
    if differing:
        raise GeometryMismatch(
            " ".join(differing), "Choose the segmentation or structure set of this image."
        )
    return read_masks(path, volume.grid)


def object_file(folder: Path) -> Path:
    """The only DICOM segmentation or structure set in a folder and below it.

    Raises
    ------
    InvalidReference
        If there is none, or there are several.
    """
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and _is_dicom_object(p)]
    if len(files) == 1:
        return files[0]
    what = ", ".join(path.name for path in files[:3]) or "none"
    raise InvalidReference(
        f"{folder.name} needs one DICOM segmentation or structure set and has {what}.",
        "Put the others into another folder.",
    )


def image_series(image: Path, labels: Path) -> str | None:
    """The series of a folder of images that the objects of a file refer to; `None` if unknown."""
    from napari_medvlm.io.dicom.folder import list_series

    if not image.is_dir() or not _is_dicom_object(labels):
        return None
    referenced = _referenced_series(labels)
    return next((info.uid for info in list_series(image) if info.uid in referenced), None)


def _is_dicom_object(path: Path) -> bool:
    from napari_medvlm.io.dicom_objects.rtstruct_read import is_rtstruct
    from napari_medvlm.io.dicom_objects.seg_read import is_seg

    return is_seg(path) or is_rtstruct(path)


def _referenced_series(path: Path) -> tuple[str, ...]:
    from napari_medvlm.io.dicom.header import read_header, text
    from napari_medvlm.io.dicom_objects.rtstruct_read import is_rtstruct, series_of

    if is_rtstruct(path):
        return series_of(path)
    header = read_header(path, ["ReferencedSeriesSequence"])
    series = header.get("ReferencedSeriesSequence") or ()
    return tuple(text(item, "SeriesInstanceUID") for item in series)
