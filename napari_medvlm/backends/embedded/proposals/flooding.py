"""Nested regions around a seed: what is reached from it below a rising cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BoolArray = NDArray[np.bool_]
IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Family:
    """Regions that grow with a threshold: ``cost <= t``, connected with the seeds for every ``t``.

    Parameters
    ----------
    kind
        What the cost measures: ``bright``, ``dark``, ``band`` or ``edge``.
    cost
        ``(z, y, x)`` the least over all paths from the seeds of the greatest cost on the path.
    """

    kind: str
    cost: Array

    def region(self, threshold: float) -> BoolArray:
        """The region ``(z, y, x)`` up to a threshold."""
        inside: BoolArray = self.cost <= threshold
        return inside


KINDS = ("bright", "dark", "band", "edge")


def families(
    values: Array,
    gradient: Array,
    seeds: IndexArray,
    typical: float,
    kinds: tuple[str, ...] = KINDS,
) -> Iterator[Family]:
    """The nested regions around seeds ``(N, 3)``.

    Parameters
    ----------
    values, gradient
        ``(z, y, x)`` intensity and its steepness.
    seeds
        Voxels in the object.
    typical
        The typical intensity of the seeds.
    kinds
        The costs to use.
    """
    for kind in kinds:
        match kind:
            case "bright":
                cost = np.maximum(typical - values, 0)
            case "dark":
                cost = np.maximum(values - typical, 0)
            case "band":
                cost = np.abs(values - typical)
            case _:
                cost = gradient
        yield Family(kind, flooded(cost.astype(np.float32), seeds))


def flooded(cost: Array, seeds: IndexArray) -> Array:
    """The minimax path cost from seeds: reconstruction by erosion (Vincent 1993)."""
    from skimage.morphology import reconstruction

    marker = np.full(cost.shape, cost.max(), np.float32)
    marker[tuple(seeds.T)] = cost[tuple(seeds.T)]
    footprint = np.zeros((3, 3, 3), bool)
    footprint[1, 1, :] = footprint[1, :, 1] = footprint[:, 1, 1] = True
    result: Array = reconstruction(marker, cost, method="erosion", footprint=footprint)
    return result.astype(np.float32)
