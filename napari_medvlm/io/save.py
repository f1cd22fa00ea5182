"""Writing masks, with exactly the image's place in the patient."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.errors import CannotSave, GeometryMismatch
from napari_medvlm.geometry import FloatArray, lps_from_affine, ras_matrix
from napari_medvlm.results import Mask
from napari_medvlm.volume import Volume

NIFTI = (".nii.gz", ".nii")
OTHERS = (".nrrd", ".mha")
SCANNER = 1
"""The NIfTI code of scanner coordinates."""


def write_mask(path: str | Path, mask: NDArray[Any] | Mask, volume: Volume) -> None:
    """Write a mask or labels beside an image.

    The file is complete or is not there: what was there before stays if writing fails.

    Parameters
    ----------
    path
        ``.nii.gz``, ``.nii``, ``.nrrd`` or ``.mha``.
    mask
        ``(z, y, x)`` bool or labels from 0 on, on the volume's grid.
    volume
        The image; its affine is written exactly.

    Raises
    ------
    GeometryMismatch
        If the mask has another shape than the volume.
    CannotSave
        If the format is unknown, or the folder cannot be written to or is full.
    """
    path = Path(path)
    labels = mask.full() if isinstance(mask, Mask) else np.asarray(mask)
    if labels.shape != volume.shape:
        raise GeometryMismatch(
            f"The mask has the shape {labels.shape}, the image {volume.shape}.",
            "Save the mask with the image that it was made on.",
        )
    suffix = next((s for s in (*NIFTI, *OTHERS) if path.name.lower().endswith(s)), None)
    if suffix is None:
        raise CannotSave(
            f"{path.name} has no known ending for a mask.", "Use .nii.gz, .nii, .nrrd or .mha."
        )
    small = labels.astype(np.uint8 if labels.max(initial=0) < 256 else np.uint16)
    write = _write_nifti if suffix in NIFTI else _write_itk
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(temporary, small, volume.affine)
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise _cannot(path, error) from error


def _write_nifti(path: Path, labels: NDArray[Any], affine: FloatArray) -> None:
    import nibabel

    matrix = ras_matrix(affine)
    image = nibabel.Nifti1Image(labels.T, matrix)
    image.set_sform(matrix, code=SCANNER)
    image.set_qform(matrix, code=SCANNER if _is_orthogonal(matrix) else 0, strip_shears=True)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


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
    sitk.WriteImage(image, str(path), useCompression=True)


def _cannot(path: Path, error: Exception) -> CannotSave:
    if not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    else:
        lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
        reason = lines[-1] if lines else type(error).__name__
    return CannotSave(
        f"{path.name} could not be written: {reason}.",
        "Choose a folder that you may write to, with space left. Nothing is lost.",
    )
