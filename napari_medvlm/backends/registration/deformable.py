"""Deformable registration with greedy, after an affine one; needs the extra ``register``.

Yushkevich et al. (2016), https://doi.org/10.1016/j.jalz.2016.06.1181: diffeomorphic and greedy.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.backends.registration.scaled_image import ScaledImage, coarse_mm, scaled
from napari_medvlm.backends.registration.transforms import set_matrix
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

FINER = 4
"""How much smaller the voxels of the displacement are than the coarsest."""
COMMAND = (
    "-i fixed moving -o warp -n 60x40x10 -m NCC 2x2x2 -s 2.0vox 0.5vox -threads {threads} -V 0"
)


def require_greedy() -> None:
    """Raise `BackendUnavailable` if greedy is not installed."""
    from importlib.util import find_spec

    if find_spec("picsl_greedy") is None:
        raise BackendUnavailable(
            "Deformable registration needs the package picsl-greedy.",
            "Install it: pip install 'napari-medvlm[register]'; or register affinely.",
        )


def displacement(
    current: Volume, prior: Volume, matrix: FloatArray, threads: int = 2
) -> tuple[FloatArray, FloatArray]:
    """What is added to a current point before an affine transform takes it to the prior.

    Parameters
    ----------
    matrix : ndarray, shape (4, 4)
        From the current to the prior volume, ``(S, P, L)`` mm.

    Returns
    -------
    displacement_mm : ndarray, shape (3, z, y, x)
        ``(S, P, L)`` mm.
    affine : ndarray, shape (4, 4)
        From an index of the displacement to the current volume's mm.

    Raises
    ------
    BackendUnavailable
        If greedy is not installed.
    """
    require_greedy()
    import SimpleITK as sitk
    from picsl_greedy import Greedy3D

    size_mm = coarse_mm(current, prior) / FINER
    fixed, moving = scaled(current, size_mm), scaled(prior, size_mm)
    greedy = Greedy3D()
    log = io.StringIO()
    greedy.execute(
        COMMAND.format(threads=threads),
        out=log,
        err=log,
        fixed=fixed.image(),
        moving=_resampled(fixed, moving, matrix),
        warp=None,
    )
    vectors = sitk.GetArrayFromImage(greedy["warp"]).astype(np.float64)
    return np.moveaxis(vectors, -1, 0)[::-1].copy(), fixed.grid.affine


def _resampled(fixed: ScaledImage, moving: ScaledImage, matrix: FloatArray) -> sitk.Image:
    """The moving image on the fixed image's grid under a linear transform."""
    import SimpleITK as sitk

    transform: Any = sitk.AffineTransform(3)
    set_matrix(transform, matrix, fixed.center_mm)
    return sitk.Resample(moving.image(), fixed.image(), transform, sitk.sitkLinear, 0.0)
