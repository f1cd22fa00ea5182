"""Two studies in one image: a checkerboard and a subtraction, computed plane by plane when shown.

Both take arrays that are indexed like numpy's on the same grid, such as `Reslice`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class PlaneArray:
    """An array of two others on the same grid, computed where it is indexed.

    Parameters
    ----------
    current, prior
        ``(z, y, x)`` on the same grid.
    """

    dtype = np.dtype(np.float32)
    ndim = 3

    def __init__(self, current: Any, prior: Any) -> None:
        self._current, self._prior = current, prior
        self.shape: tuple[int, ...] = tuple(current.shape[:3])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        current = np.asarray(self._current[key], np.float32)
        return self._combined(current, np.asarray(self._prior[key], np.float32), key)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:, :, :], dtype)

    def _combined(
        self, current: NDArray[np.float32], prior: NDArray[np.float32], key: Any
    ) -> NDArray[np.float32]:
        raise NotImplementedError


class Checkerboard(PlaneArray):
    """Fields of the current and the prior image in turn, each scaled to 0..1 by its own window.

    Parameters
    ----------
    current_limits, prior_limits
        Lowest and highest intensity shown of each.
    field
        Edge of a field, in voxels along each axis.
    """

    def __init__(
        self,
        current: Any,
        prior: Any,
        current_limits: tuple[float, float],
        prior_limits: tuple[float, float],
        field: tuple[int, int, int],
    ) -> None:
        super().__init__(current, prior)
        self._limits = current_limits, prior_limits
        self._fields = [np.arange(n) // max(f, 1) for n, f in zip(self.shape, field, strict=True)]

    def _combined(
        self, current: NDArray[np.float32], prior: NDArray[np.float32], key: Any
    ) -> NDArray[np.float32]:
        scaled = [
            np.clip((data - low) / max(high - low, 1e-9), 0, 1)
            for data, (low, high) in zip((current, prior), self._limits, strict=True)
        ]
        keys = [*(key if isinstance(key, tuple) else (key,)), *[slice(None)] * 3][:3]
        z, y, x = (np.atleast_1d(f[k]) for f, k in zip(self._fields, keys, strict=True))
        parity = (z[:, None, None] + y[:, None] + x) % 2
        result: NDArray[np.float32] = np.where(
            parity.reshape(current.shape) == 0, scaled[0], scaled[1]
        ).astype(np.float32)
        return result


class Subtraction(PlaneArray):
    """Current minus prior, 0 where the difference is below a threshold.

    Parameters
    ----------
    slope, offset
        Take intensities of the prior to those of the current image.
    threshold
        Differences smaller than this are noise; in the current image's units. May be changed.
    """

    def __init__(
        self, current: Any, prior: Any, slope: float, offset: float, threshold: float
    ) -> None:
        super().__init__(current, prior)
        self._slope, self._offset = slope, offset
        self.threshold = threshold

    def _combined(
        self, current: NDArray[np.float32], prior: NDArray[np.float32], key: Any
    ) -> NDArray[np.float32]:
        difference = current - (self._slope * prior + self._offset)
        return np.where(np.abs(difference) < self.threshold, 0, difference).astype(np.float32)


def intensity_match(
    current: NDArray[Any], prior: NDArray[Any], same_unit: bool
) -> tuple[float, float, float]:
    """How intensities of a prior become those of the current image, and the noise between them.

    Parameters
    ----------
    current, prior
        Samples at the same places.
    same_unit
        Whether both are in the same physical unit, HU for instance: then nothing is scaled.

    Returns
    -------
    slope, offset
        By the quartiles and the median.
    noise
        Standard deviation of the difference, from its median absolute deviation.
    """
    slope, offset = 1.0, 0.0
    if not same_unit:
        low, middle, high = np.percentile(current, (25, 50, 75))
        prior_low, prior_middle, prior_high = np.percentile(prior, (25, 50, 75))
        spread = float(prior_high - prior_low)
        slope = float(high - low) / spread if spread > 0 else 1.0
        offset = float(middle - slope * prior_middle)
    difference = current - (slope * prior + offset)
    noise = 1.4826 * float(np.median(np.abs(difference - np.median(difference))))
    return slope, offset, noise
