"""Writing masks, with exactly the image's place in the patient."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.atomic_write import write_atomically
from napari_medvlm.data.errors import CannotSave, GeometryMismatch
from napari_medvlm.data.geometry.frames import affine_from_lps, lps_from_affine, ras_matrix
from napari_medvlm.data.geometry.grid import FloatArray, Grid, same_grid
from napari_medvlm.data.interface.arguments import require_volume
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom_objects.rtstruct_write import SUFFIX as STRUCTURES
from napari_medvlm.io.dicom_objects.rtstruct_write import write_rtstruct
from napari_medvlm.io.dicom_objects.seg_write import Segment, write_seg
from napari_medvlm.io.label_values import label_array
from napari_medvlm.io.numeric_locale import decimal_point
from napari_medvlm.io.surface import write_stl

NIFTI = (".nii.gz", ".nii")
OTHERS = (".nrrd", ".mha")
DICOM = ".dcm"
SURFACE = ".stl"
SCANNER = 1
"""The NIfTI code of scanner coordinates."""
NAME_BYTES = 80
"""Of an object's name in the name of its file, which may have 255 in all."""


def write_mask(
    path: str | Path,
    mask: NDArray[Any] | Mask,
    volume: Volume,
    segments: Mapping[int, Segment] | None = None,
) -> None:
    """Write a mask or labels next to an image.

    The file is complete or is not there: what was there before stays if writing fails.

    Parameters
    ----------
    path
        ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``; ``.dcm``, a DICOM segmentation of the series
        that the image was read from; ``.labelmap.dcm``, one as a label map; ``.rtstruct.dcm``, its
        outlines as a DICOM structure set; or ``.stl``, the surface in patient millimetres
        (L, P, S).
    mask
        ``(z, y, x)`` bool or labels from 0 on, on the volume's grid; written in the smallest type
        that holds them.
    volume
        The image; its affine is written exactly.
    segments
        What a DICOM file states of each label; by default a number for a name.

    Raises
    ------
    GeometryMismatch
        If the mask has another shape than the volume.
    CannotSave
        If the format is unknown, a value is no label (a fraction, negative, beyond 32 bits), or
        the folder cannot be written to or is full.
    """
    path = _path_of(path)
    require_volume(volume)
    labels = mask.full() if isinstance(mask, Mask) else np.asarray(mask)
    if labels.shape != volume.shape:
        raise GeometryMismatch(
            f"The mask has the shape {labels.shape}, the image {volume.shape}.",
            "Save the mask with the image that it was made on.",
        )
    endings = (*NIFTI, *OTHERS, DICOM, SURFACE)
    suffix = next((s for s in endings if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise CannotSave(
            f"{path.name} has no known ending for a mask.",
            "Use .nii.gz, .nii, .nrrd, .mha, .dcm, .labelmap.dcm, .rtstruct.dcm or .stl.",
        )
    small = label_array(path.name, labels)
    if suffix == DICOM:
        write_segments(path, {int(v): small == v for v in np.unique(small) if v}, volume, segments)
    elif suffix in OTHERS:
        write_atomically(
            path,
            lambda temporary: _write_itk(temporary, small, volume.affine),
            lambda temporary: _check_itk(temporary, small, volume.affine),
        )
    else:
        write = _write_nifti if suffix in NIFTI else write_stl
        write_atomically(path, lambda temporary: write(temporary, small, volume.affine))


def _path_of(path: object) -> Path:
    if isinstance(path, str | PathLike):
        return Path(path).expanduser()
    raise CannotSave(
        f"A path is needed first, but {type(path).__name__} was given.",
        "Call write_mask(path, mask, volume).",
    )


def write_image(path: Path, volume: Volume) -> None:
    """Write the intensities ``(z, y, x)`` of an image as NIfTI, exactly where it is.

    Raises
    ------
    CannotSave
        If the folder cannot be written to or is full.
    """
    data = volume.data.astype(_nifti_type(volume.data.dtype), copy=False)
    write_atomically(path, lambda temporary: _write_nifti(temporary, data, volume.affine))


def write_segments(
    path: str | Path,
    masks: Mapping[int, NDArray[np.bool_]],
    volume: Volume,
    segments: Mapping[int, Segment] | None = None,
) -> None:
    """Write objects, which may overlap, as a DICOM segmentation or structure set.

    The ending decides, see `write_mask`.
    """
    path = Path(path).expanduser()
    described = {number: Segment(f"Object {number}") for number in masks} | dict(segments or {})
    write = write_rtstruct if path.name.lower().endswith(STRUCTURES) else write_seg
    write_atomically(path, lambda temporary: write(temporary, masks, volume, described))


def write_separately(
    path: str | Path,
    masks: Mapping[int, NDArray[np.bool_]],
    volume: Volume,
    segments: Mapping[int, Segment],
) -> tuple[Path, ...]:
    """Write objects that may overlap: together as DICOM, else each as a file of its own.

    Parameters
    ----------
    path
        As of `write_mask`; the number and the name of the object are added to the file's name.

    Returns
    -------
    The paths of the files.
    """
    path = Path(path).expanduser()
    if path.name.lower().endswith(DICOM):
        write_segments(path, masks, volume, segments)
        return (path,)
    stem, dot, suffix = path.name.partition(".")
    written = []
    for number, mask in masks.items():
        name = segments[number].name if number in segments else f"Object {number}"
        own = path.with_name(f"{stem}_{number}_{_file_name_part(name)}{dot}{suffix}")
        write_mask(own, mask, volume)
        written.append(own)
    return tuple(written)


def _file_name_part(name: str) -> str:
    """Letters and digits of a name, all else as ``_``, cut to `NAME_BYTES`."""
    clean = "".join(c if c.isalnum() else "_" for c in name)
    return clean.encode()[:NAME_BYTES].decode(errors="ignore")


def _write_nifti(path: Path, labels: NDArray[Any], affine: FloatArray) -> None:
    import nibabel

    matrix = ras_matrix(affine)
    image = nibabel.Nifti1Image(labels.T, matrix, dtype=labels.dtype)
    image.set_sform(matrix, code=SCANNER)
    image.set_qform(matrix, code=SCANNER if _is_orthogonal(matrix) else 0, strip_shears=True)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _nifti_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type itself, so that the image stays the same one; NIfTI knows no bool and no halves."""
    if dtype.kind == "f":
        return np.promote_types(dtype, np.float32)
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


def _is_orthogonal(matrix: FloatArray) -> bool:
    """Whether a qform, which knows no shear, can say where the image lies."""
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=1e-5))


def _write_itk(path: Path, labels: NDArray[Any], affine: FloatArray) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(labels)
    direction, spacing, origin = lps_from_affine(affine)
    image.SetDirection(direction)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    with decimal_point:
        sitk.WriteImage(image, str(path), useCompression=True)


def _check_itk(path: Path, labels: NDArray[Any], affine: FloatArray) -> None:
    """Read a file back: ITK reports no error of a write that fails when the file is closed."""
    import SimpleITK as sitk

    try:
        with decimal_point:
            image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise OSError("the file is not complete; the disk may be full") from error
    written = affine_from_lps(image.GetDirection(), image.GetSpacing(), image.GetOrigin())
    if not np.array_equal(sitk.GetArrayViewFromImage(image), labels):
        raise OSError("the file holds other values when read back; the disk may be full")
    if not same_grid(Grid(labels.shape, written), Grid(labels.shape, affine)):
        raise OSError("the file lies at another place when read back")
