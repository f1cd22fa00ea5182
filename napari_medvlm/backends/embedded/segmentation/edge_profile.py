"""Where to cut between an object and its surroundings: the intensities at which edges lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

BINS = 96
PROMINENCE = 1.05
"""How much steeper an edge must be than the flattest place beyond it to count as one."""


@dataclass(frozen=True)
class Cuts:
    """An open interval of intensities: what lies in it looks like the object.

    Its ends are the same everywhere, or ``(z, y, x)`` arrays where the image's brightness drifts.
    """

    low: float | Array = -np.inf
    high: float | Array = np.inf

    def holds(self, values: Array) -> NDArray[np.bool_]:
        """Which values lie between the cuts."""
        inside: NDArray[np.bool_] = (values > self.low) & (values < self.high)
        return inside


@dataclass(frozen=True, eq=False)
class EdgeProfile:
    """How steep the image is, on average, where it has a given intensity.

    Inside a tissue the image is flat, between two tissues it is steep: the maxima of this profile
    lie half-way between neighbouring tissues, wherever those are, and need no threshold.

    Parameters
    ----------
    steepness
        ``(BINS,)`` mean gradient; a bin that no voxel falls into repeats its neighbour.
    start, step
        Centre of the first bin, and the distance between bins.
    """

    steepness: NDArray[np.float64]
    start: float
    step: float

    @classmethod
    def of(
        cls, values: Array, gradient: Array, weights: Array, reach: Sequence[float]
    ) -> EdgeProfile:
        """The profile of voxels ``(N,)``, each counted by its weight.

        It goes over the bulk of the intensities, and as far as ``reach``: a small object may have
        others than all else.
        """
        order = np.sort(values[:: max(values.size // 20000, 1)])
        low, high = (float(order[int(q * (order.size - 1))]) for q in (0.002, 0.998))
        low, high = min(low, *reach), max(high, *reach)
        step = max((high - low) / (BINS - 1), 1e-9)
        bins = np.clip((values - low) / step + 0.5, 0, BINS - 1).astype(np.int32)
        counts = _smooth(np.bincount(bins, weights, BINS))
        sums = _smooth(np.bincount(bins, weights * gradient, BINS))
        return cls(sums / np.maximum(counts, counts.max() * 1e-6), low, step)

    def bin_of(self, value: float) -> int:
        """The bin that a value falls into."""
        return int(np.clip(round((value - self.start) / self.step), 0, BINS - 1))

    def value_at(self, index: int) -> float:
        """The value at the centre of a bin."""
        return self.start + index * self.step

    def steepest(self, a: float, b: float) -> float:
        """The intensity between two values at which the edge between them lies."""
        i, j = sorted((self.bin_of(a), self.bin_of(b)))
        if j - i < 2:
            return (a + b) / 2
        return self.value_at(i + 1 + int(np.argmax(self.steepness[i + 1 : j])))

    def separated(self, a: float, b: float) -> bool:
        """Whether an edge lies between two values: the image is flatter at both than between."""
        i, j = sorted((self.bin_of(a), self.bin_of(b)))
        if j - i < 2:
            return False
        top = float(self.steepness[i + 1 : j].max())
        return bool(top > PROMINENCE * max(self.steepness[i], self.steepness[j]))

    def next_cut(self, value: float, direction: int) -> float:
        """The first edge met when going from a value up (1) or down (-1); infinite if none is."""
        at = self.bin_of(value)
        path = self.steepness[at:] if direction > 0 else self.steepness[at::-1]
        best = 0
        for k in range(1, path.size):
            if path[k] > path[best]:
                best = k
            elif path[best] > PROMINENCE * path[k] and best > 0:
                if path[best] > PROMINENCE * path[: best + 1].min():
                    return self.value_at(at + direction * best)
                best = k
        if path[best] > 1.5 * path[: best + 1].min():
            return self.value_at(at + direction * best)
        return direction * np.inf


def _smooth(counts: NDArray[Any]) -> NDArray[np.float64]:
    padded = np.pad(counts, 3, mode="edge")
    kernel = np.exp(-0.5 * (np.arange(-3, 4) / 1.2) ** 2)
    return np.convolve(padded, kernel / kernel.sum(), "valid")
