"""How well two images agree under a transform: mutual information and overlap of the bodies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.registration.scaled_image import ScaledImage
from napari_medvlm.data.geometry.grid import FloatArray, Grid, apply_affine

BINS = 32
SMALLEST_SHARE = 0.1
"""Share of the smaller image that must lie in the other one for the two to be compared."""


class Samples:
    """Voxels of the fixed image that are compared with a moving image.

    Parameters
    ----------
    fixed, moving : ScaledImage
        Both at about the same voxel size.
    """

    def __init__(self, fixed: ScaledImage, moving: ScaledImage) -> None:
        self.fixed, self.moving = fixed, moving
        indices = np.argwhere(np.ones(fixed.grid.shape, bool))
        self._values = fixed.data.ravel()
        self._body = fixed.body.ravel()
        self._mm = fixed.grid.to_world(indices)
        share = _volume_mm3(moving.grid) / _volume_mm3(fixed.grid)
        self._needed = SMALLEST_SHARE * min(share, 1.0) * len(self._values)

    def mutual_information(self, matrix: FloatArray, normalized: bool = False) -> float:
        """Mutual information in nats over the common field of view; 0 where that is too small.

        Parameters
        ----------
        matrix : ndarray, shape (4, 4)
            From the fixed to the moving image, ``(S, P, L)`` mm.
        normalized
            The normalized mutual information of Studholme et al. (1999),
            https://doi.org/10.1016/S0031-3203(98)00091-0, minus 1: it depends less on the size of
            the common field of view.
        """
        seen, inside = self._seen(matrix, self.moving.data, order=1)
        if inside.sum() < max(self._needed, 1):
            return 0.0
        joint, _, _ = np.histogram2d(
            self._values[inside], seen[inside], bins=BINS, range=((0, 1), (0, 1))
        )
        shares = joint / joint.sum()
        both, own, other = map(_entropy, (shares.ravel(), shares.sum(1), shares.sum(0)))
        if normalized:
            return float((own + other) / both - 1) if both > 0 else 0.0
        return float(own + other - both)

    def overlap(self, matrix: FloatArray) -> float:
        """Dice of the two bodies in the common field of view; 0 if there is none."""
        seen, inside = self._seen(matrix, self.moving.body, order=0)
        own, other = self._body[inside], seen[inside] > 0
        total = int(own.sum()) + int(other.sum())
        return 2 * float((own & other).sum()) / total if total else 0.0

    def common_share(self, matrix: FloatArray) -> float:
        """Share of the smaller image that lies in the other one, 0 to 1."""
        _, inside = self._seen(matrix, self.moving.body, order=0)
        return min(1.0, SMALLEST_SHARE * float(inside.sum()) / max(self._needed, 1e-9))

    def _seen(
        self, matrix: FloatArray, data: NDArray[np.generic], order: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values of the moving image at the samples, and which of them lie in it."""
        from scipy import ndimage

        index = self.moving.grid.to_index(apply_affine(matrix, self._mm))
        inside = self.moving.grid.contains(index)
        seen = np.zeros(len(index), np.float32)
        seen[inside] = ndimage.map_coordinates(
            data.astype(np.float32), index[inside].T, order=order, mode="nearest"
        )
        return seen, inside


def _entropy(shares: FloatArray) -> float:
    used = shares[shares > 0]
    return float(-(used * np.log(used)).sum())


def _volume_mm3(grid: Grid) -> float:
    return float(np.prod(grid.shape) * np.prod(grid.spacing))
