"""Local change of volume by a deformable pairing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.geometry.pairing import Pairing


def volume_change_percent(pairing: Pairing) -> tuple[NDArray[np.float32], Grid]:
    """How much larger tissue of the prior is in the current study, from the Jacobian determinant.

    A current point ``x`` shows what the prior has at ``inv(A) (x + u(x))``, with `affine_mm` ``A``
    and the displacement ``u``. The change is ``100 (1 / det(inv(A) (I + grad u)) - 1)``.

    Returns
    -------
    percent : ndarray, shape (z, y, x)
        Positive where tissue has grown. Where the deformation folds, not a number.
    grid : Grid
        That of `Pairing.displacement_mm`, in the current study's patient millimetres.

    Raises
    ------
    InvalidImage
        If the pairing is not deformable, or its displacement has a single slice.
    """
    displacement, affine = pairing.displacement_mm, pairing.displacement_affine
    if displacement is None or affine is None or min(displacement.shape[1:]) < 2:
        raise InvalidImage(
            "Only a deformable registration shows local changes of volume.",
            "Register with the kind Deformable.",
        )
    by_index = np.stack([np.stack(np.gradient(part), axis=-1) for part in displacement], axis=-2)
    by_mm = by_index @ np.linalg.inv(affine[:3, :3])
    ratio = np.linalg.det(np.eye(3) + by_mm) / np.linalg.det(pairing.affine_mm[:3, :3])
    grown = np.where(ratio > 0, 1 / np.where(ratio > 0, ratio, 1) - 1, np.nan)
    return (100 * grown).astype(np.float32), Grid(displacement.shape[1:], affine)
