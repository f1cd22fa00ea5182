"""Smoothing along edges: modified curvature diffusion (Whitaker and Xue 2001)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

TIME_STEP, CONDUCTANCE, ITERATIONS = 0.06, 3.0, 10
LEAST = np.float32(1e-10)
"""Added to squared gradients, so that none is 0."""


def denoised(data: Array, spacing: tuple[float, float, float]) -> Array:
    """Smooth an image ``(z, y, x)`` along edges, not across them.

    The scheme of ITK's ``CurvatureAnisotropicDiffusionImageFilter``, each face between two voxels
    computed once, which makes it several times faster.

    Parameters
    ----------
    data
        Intensities ``(z, y, x)``, at least two voxels along each axis.
    spacing
        Size of the voxels ``(z, y, x)``; only the ratios count.
    """
    scale = [np.float32(min(spacing) / s) for s in spacing]
    data = data.astype(np.float32)
    for _ in range(ITERATIONS):
        data = data + np.float32(TIME_STEP) * _change(data, scale)
    return data


def _change(data: Array, scale: list[np.float32]) -> Array:
    """The change of each voxel in a unit of time."""
    slopes = [np.diff(data, axis=a) * scale[a] for a in range(3)]
    centred = [_centred(slope, a) for a, slope in enumerate(slopes)]
    mean = float(np.mean(sum(c * c for c in centred)))
    speed = np.zeros_like(data)
    for axis in range(3):
        square = slopes[axis] ** 2
        for other in range(3):
            if other != axis:
                low, high = _sides(centred[other], axis)
                across = low + high
                across *= across
                square += np.float32(0.25) * across
        flux = slopes[axis] / np.sqrt(square + LEAST)
        flux *= np.exp(square / np.float32(-2 * mean * CONDUCTANCE**2)) if mean > 0 else 0
        low, high = _sides(speed, axis)
        low += flux
        high -= flux
    return speed * _upwind(slopes, speed)


def _upwind(slopes: list[Array], speed: Array) -> Array:
    """The steepness on the side that values come from, ``(z, y, x)``."""
    rising = speed > 0
    total = np.zeros_like(speed)
    for axis, slope in enumerate(slopes):
        up, down = np.maximum(slope, 0) ** 2, np.minimum(slope, 0) ** 2
        for here, ahead, behind in ((rising, up, down), (~rising, down, up)):
            for part, allowed, value in zip(
                _sides(total, axis), _sides(here, axis), (ahead, behind), strict=True
            ):
                part += value * allowed
    return np.sqrt(total)


def _centred(slope: Array, axis: int) -> Array:
    """The mean of the slopes on both sides of each voxel; 0 beyond the image."""
    shape = tuple(n + (a == axis) for a, n in enumerate(slope.shape))
    result = np.zeros(shape, np.float32)
    for part in _sides(result, axis):
        part += slope
    result *= np.float32(0.5)
    return result


def _sides(array: NDArray[np.generic], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Views of the voxels before and after each face along an axis."""
    first, last = (
        tuple(part if a == axis else slice(None) for a in range(3))
        for part in (slice(None, -1), slice(1, None))
    )
    return array[first], array[last]
