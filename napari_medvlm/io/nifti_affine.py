"""Where a NIfTI image lies: its units, and its two transforms, which may contradict each other.

https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields
"""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray, apply_affine, index_corners
from napari_medvlm.data.volume import ASSUMED

MM_PER_UNIT = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
SPACE_UNITS = {1: "meter", 2: "mm", 3: "micron"}
"""By the lowest three bits of ``xyzt_units``; others are read as millimetres."""
NO_SIDES = "The header has no orientation (qform_code and sform_code are 0): sides are unknown."
SINGULAR = "The sform in the header is not valid (its voxels have no volume); the qform was used."
NO_SIZE = f"The voxel size in the header is 0; {ASSUMED}"
SIZE_TOLERANCE = 0.01
"""Relative difference of voxel sizes from which two of them contradict each other."""
SHIFT_TOLERANCE = 0.1
"""Distance in voxels from which two transforms contradict each other."""


def nifti_affine(header: Any, raw_pixdim: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    """The affine of a NIfTI header in RAS millimetres, and what was assumed for it.

    The sform counts, as in nibabel, unless its voxel size contradicts the pixdim that the qform
    is defined with: then it is the qform, as in SimpleITK. Metres and microns are converted.

    Parameters
    ----------
    header
        nibabel's, of NIfTI-1 or NIfTI-2, of a file.
    raw_pixdim
        ``(3,)`` voxel sizes as they stand in the file: nibabel replaces 0 by 1.
    """
    affine, notes = _chosen(header, raw_pixdim)
    unit = SPACE_UNITS.get(int(header["xyzt_units"]) % 8, "unknown")
    factor = MM_PER_UNIT[unit]
    if factor != 1:
        notes = (*notes, f"The header gives lengths in {unit}s; they were converted to mm.")
    return np.diag([factor, factor, factor, 1.0]) @ affine, notes


def _chosen(header: Any, raw_pixdim: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    sform, sform_code = header.get_sform(coded=True)
    qform, qform_code = _qform(header)
    has_size = bool((raw_pixdim != 0).all())
    no_size = () if has_size else (NO_SIZE,)
    if not sform_code and not qform_code:
        return header.get_base_affine(), (NO_SIDES, *no_size)
    if not sform_code:
        return qform, no_size
    if qform_code and not np.linalg.det(sform[:3, :3]):
        return qform, (SINGULAR, *no_size)
    shape = tuple(header.get_data_shape()[:3])
    if not qform_code:
        return sform, _size_note(sform, raw_pixdim, "sform") if has_size else ()
    if has_size and _size_note(sform, raw_pixdim, "qform"):
        return qform, _size_note(sform, raw_pixdim, "qform")
    return sform, _shift_note(sform, qform, (*shape, 1, 1)[:3]) if has_size else ()


def _qform(header: Any) -> tuple[Any, int]:
    """The qform and its code; code 0 if its quaternion is not valid."""
    try:
        qform, code = header.get_qform(coded=True)
    except ValueError:  # nibabel's, of a quaternion longer than 1
        return None, 0
    return qform, int(code)


def _size_note(sform: FloatArray, pixdim: FloatArray, used: str) -> tuple[str, ...]:
    """What to say if the voxel size of the sform is not pixdim."""
    sizes, others = np.linalg.norm(sform[:3, :3], axis=0), np.abs(pixdim)
    if np.allclose(sizes, others, rtol=SIZE_TOLERANCE, atol=0):
        return ()
    wrong, right = (_size(mm) for mm in (sizes, others))
    return (
        f"The voxel size of the sform ({wrong}) and of pixdim ({right}) differ; "
        f"the {used} was used. Check lengths and volumes.",
    )


def _shift_note(
    sform: FloatArray, qform: FloatArray, shape: tuple[int, int, int]
) -> tuple[str, ...]:
    """What to say if the qform places the image elsewhere than the sform does."""
    corners = index_corners((0, 0, 0), shape)
    apart = np.linalg.norm(apply_affine(sform, corners) - apply_affine(qform, corners), axis=1)
    if apart.max() <= SHIFT_TOLERANCE * np.linalg.norm(sform[:3, :3], axis=0).min():
        return ()
    return (
        f"The sform and the qform place the image up to {apart.max():.1f} mm apart; "
        "the sform was used.",
    )


def _size(mm: FloatArray) -> str:
    return " x ".join(f"{size:.4g}" for size in mm)
