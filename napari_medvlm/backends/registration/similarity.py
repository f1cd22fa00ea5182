"""How well two images agree under a transform: mutual information and overlap of the bodies."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.registration.scaled_image import ScaledImage
from napari_medvlm.data.geometry.grid import FloatArray, Grid, apply_affine

Transform = Callable[[FloatArray], FloatArray]
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

    def mutual_information(self, to_moving: Transform, normalized: bool = False) -> float:
        """Mutual information over the common field of view, 0 where that is too small.

        In nats, less the bias that few samples have (Miller and Madow).

        Parameters
        ----------
        to_moving
            Takes points of the fixed to the moving image, ``(n, 3)`` in ``(S, P, L)`` mm.
        normalized
            The normalized mutual information of Studholme et al. (1999),
            https://doi.org/10.1016/S0031-3203(98)00091-0, minus 1: it depends less on the size of
            the common field of view.
        """
        seen, inside = self._seen(to_moving, self.moving.data, order=1)
        if inside.sum() < max(self._needed, 1):
            return 0.0
        joint, _, _ = np.histogram2d(
            self._values[inside], seen[inside], bins=BINS, range=((0, 1), (0, 1))
        )
        shares = joint / joint.sum()
        parts = (shares.ravel(), shares.sum(1), shares.sum(0))
        both, own, other = map(_entropy, parts)
        cells, rows, columns = (int((part > 0).sum()) for part in parts)
        bias = (cells - rows - columns + 1) / (2 * inside.sum())
        information = float(own + other - both - bias)
        if normalized:
            return information / both if both > 0 else 0.0
        return information

    def overlap(self, to_moving: Transform) -> float:
        """Dice of the two bodies in the common field of view; 0 if there is none."""
        seen, inside = self._seen(to_moving, self.moving.body, order=0)
        own, other = self._body[inside], seen[inside] > 0
        total = int(own.sum()) + int(other.sum())
        return 2 * float((own & other).sum()) / total if total else 0.0

    def common_share(self, to_moving: Transform) -> float:
        """Share of the smaller image that lies in the other one, 0 to 1."""
        _, inside = self._seen(to_moving, self.moving.body, order=0)
        return min(1.0, SMALLEST_SHARE * float(inside.sum()) / max(self._needed, 1e-9))

    def _seen(
        self, to_moving: Transform, data: NDArray[Any], order: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values of the moving image at the samples, and which of them lie in it."""
        from scipy import ndimage

        index = self.moving.grid.to_index(to_moving(self._mm))
        inside = self.moving.grid.contains(index)
        seen = np.zeros(len(index), np.float32)
        seen[inside] = ndimage.map_coordinates(
            data.astype(np.float32), index[inside].T, order=order, mode="nearest"
        )
        return seen, inside


def linear(matrix: FloatArray) -> Transform:
    """A 4 x 4 in ``(S, P, L)`` mm as a function of points."""
    return partial(apply_affine, matrix)


def _entropy(shares: FloatArray) -> float:
    used = shares[shares > 0]
    return float(-(used * np.log(used)).sum())


def _volume_mm3(grid: Grid) -> float:
    return float(np.prod(grid.shape)) * grid.voxel_mm3
