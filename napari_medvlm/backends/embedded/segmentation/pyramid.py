"""The image at the resolutions that the method works on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.segmentation.diffusion import denoised
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.volume import Volume

Array = NDArray[np.float32]
Box = tuple[slice, slice, slice]

T = TypeVar("T")

REMEMBERED = 4
"""So many results are remembered for a level."""
SMALL, MANY = 60_000, 16
"""So many levels of at most so many voxels are remembered for a volume."""
VOXELS = 1_250_000
"""How many voxels are worked on at once, at most."""
STEP = 8
"""The parts that are looked at end at multiples of so many voxels."""
WIDTH = 0.6
"""Standard deviation of the smoothing, in voxels."""
NOISY = 0.02
"""Noise, as a part of the range of intensities, from which it is smoothed along the edges first."""


@dataclass(frozen=True, eq=False)
class Level:
    """A part of the image, smoothed, on a grid that is ``factors`` times coarser.

    Parameters
    ----------
    values
        ``(z, y, x)`` smoothed intensity.
    gradient
        ``(z, y, x)`` its steepness a millimetre.
    factors
        How many voxels of the image make one here, along each axis.
    box
        The part of the image that it covers.
    spacing
        Millimetres ``(z, y, x)`` of its voxels.
    """

    values: Array
    gradient: Array
    factors: Index
    box: Box
    spacing: tuple[float, float, float]
    known: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    """What was worked out of this level, by what it depends on besides."""

    def remembered(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns; made once for a key, the last `REMEMBERED` are remembered."""
        if key not in self.known:
            while len(self.known) >= REMEMBERED:
                del self.known[next(iter(self.known))]
            self.known[key] = make()
        result: T = self.known[key]
        return result

    def index_of(self, zyx: NDArray[np.int64]) -> NDArray[np.int64]:
        """The voxels here ``(N, 3)`` of voxels of the image, kept inside."""
        start = np.array([s.start for s in self.box])
        index = (zyx - start) // np.array(self.factors)
        result: NDArray[np.int64] = np.clip(index, 0, np.array(self.values.shape) - 1)
        return result


class Levels:
    """Makes levels of one volume; remembers the one of the whole volume.

    Parameters
    ----------
    volume
        The image.
    """

    def __init__(self, volume: Volume) -> None:
        self.shape = volume.shape
        self.spacing = volume.spacing
        self._data = scaled(volume.intensity())
        self._small: dict[Hashable, Level] = {}
        whole = (slice(0, self.shape[0]), slice(0, self.shape[1]), slice(0, self.shape[2]))
        self.whole = self.cut(whole)
        self._last: Level | None = None

    def fine(self, box: Box) -> Array:
        """The intensities at full resolution, barely smoothed."""
        from scipy import ndimage

        part = self._data[box]
        for axis in range(3):
            if part.shape[axis] > 1:
                part = ndimage.correlate1d(part, (0.2, 0.6, 0.2), axis=axis, mode="nearest")
        return part

    def cut(self, box: Box, voxels: int = VOXELS) -> Level:
        """The level of a part of the image, as fine as the limit of voxels allows."""
        if voxels > SMALL:
            return self._cut(box, voxels)
        key = (voxels, *((s.start, s.stop) for s in box))
        if key not in self._small:
            while len(self._small) >= MANY:
                del self._small[next(iter(self._small))]
            self._small[key] = self._cut(box, voxels)
        return self._small[key]

    def _cut(self, box: Box, voxels: int) -> Level:
        factors = self._factors(tuple(s.stop - s.start for s in box), voxels)
        coarse = block_mean(self._data[box], factors)
        z, y, x = (s * f for s, f in zip(self.spacing, factors, strict=True))
        values, gradient = _smoothed(coarse, (z, y, x))
        return Level(values, gradient, factors, box, (z, y, x))

    def around(self, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Level:
        """The level of a part from ``start`` up to ``stop`` and a little more.

        The part ends at multiples of `STEP`, so that requests that differ little share one level;
        the last is remembered.
        """
        low = np.maximum(start // STEP * STEP, 0)
        high = np.minimum(-(-stop // STEP) * STEP, self.shape)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        if self._last is None or self._last.box != (z, y, x):
            self._last = self.cut((z, y, x))
        return self._last

    def _factors(self, shape: tuple[int, ...], voxels: int) -> Index:
        spacing = np.array(self.spacing)
        edge = float(spacing.min())
        while True:
            factors = np.maximum(np.round(edge / spacing), 1).astype(int)
            factors = np.minimum(factors, shape)
            if np.prod(np.ceil(np.array(shape) / factors)) <= voxels:
                return int(factors[0]), int(factors[1]), int(factors[2])
            edge *= 1.1


def scaled(data: NDArray[np.generic]) -> Array:
    """The intensities with their bulk in 0 to 1; outliers are drawn in, in their order."""
    sample = np.sort(data.ravel()[:: max(data.size // 200_000, 1)].astype(np.float64))
    low, high = (float(sample[int(q * (sample.size - 1))]) for q in (0.0005, 0.9995))
    if high <= low:
        low, high = float(data.min()), float(data.max())
    result: Array = np.subtract(data, np.float32(low), dtype=np.float32)
    result *= np.float32(1 / max(high - low, 1e-30))
    for beyond, sign, limit in ((result > 1, 1, 1), (result < 0, -1, 0)):
        if beyond.any():
            result[beyond] = limit + sign * np.log1p(np.abs(result[beyond] - limit))
    return result


def block_mean(data: NDArray[np.float32], factors: Index) -> Array:
    """Means over blocks of ``factors`` voxels; the last blocks repeat the border."""
    for axis, factor in enumerate(factors):
        if factor > 1:
            counts = np.full(-(-data.shape[axis] // factor), factor, np.float32)
            counts[-1] = data.shape[axis] - (len(counts) - 1) * factor
            shape = [-1 if a == axis else 1 for a in range(3)]
            data = (_block_sums(data, axis, factor) / counts.reshape(shape)).astype(
                np.float32, copy=False
            )
    return data


def _block_sums(data: Array, axis: int, factor: int) -> Array:
    """Sums over ``factor`` voxels along an axis; faster than ``np.add.reduceat``."""

    def part(array: Array, start: int, step: int) -> Array:
        index = tuple(slice(start, None, step) if a == axis else slice(None) for a in range(3))
        return array[index]

    sums = part(data, 0, factor).astype(np.float32)
    for offset in range(1, factor):
        more = part(data, offset, factor)
        short = tuple(slice(0, n) for n in more.shape)
        sums[short] += more
    return sums


def _smoothed(data: Array, spacing: tuple[float, float, float]) -> tuple[Array, Array]:
    from scipy import ndimage

    width = WIDTH
    if min(data.shape) > 1 and _noise(data) > NOISY:
        data, width = denoised(data, spacing), WIDTH / 2
    sizes = zip(spacing, data.shape, strict=True)
    sigma = [width * min(spacing) / s if n > 1 else 0 for s, n in sizes]
    values = ndimage.gaussian_filter(data, sigma, mode="nearest", truncate=3)
    square = np.zeros_like(values)
    for axis, step in enumerate(spacing):
        if values.shape[axis] > 1:
            slope = ndimage.correlate1d(values, (-0.5, 0, 0.5), axis=axis, mode="nearest")
            square += (slope / np.float32(step)) ** 2
    return values, np.sqrt(square)


def _noise(data: Array) -> float:
    """Standard deviation of what varies from voxel to voxel, where the image is flattest."""
    from scipy import ndimage

    along = int(np.argmax(data.shape))
    rough = np.abs(ndimage.correlate1d(data, (-0.5, 1, -0.5), axis=along, mode="nearest"))
    rough = rough[tuple(slice(0, n - n % 4 or n) for n in rough.shape)]
    blocks = block_mean(rough, tuple(min(4, n) for n in rough.shape))
    blocks = np.sort(blocks[blocks > 1e-6])
    return float(blocks[blocks.size // 4]) if blocks.size else 0.0
