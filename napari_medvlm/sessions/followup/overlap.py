"""The overlap graph of the lesions of two studies: which one became which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.mask import Mask

OVERLAP = 0.1
"""Part of the smaller of two lesions that is common to both if they are linked."""
NEAR_MM = 5.0
"""Largest distance of the centres of two lesions without other links that are linked."""
CHANGE_PERCENT = 10.0
"""Change of volume from which a lesion has grown or shrunk."""


class LesionState(StrEnum):
    """What became of a lesion."""

    STABLE = "stable"
    GROWN = "grown"
    SHRUNK = "shrunk"
    GONE = "gone"
    NEW = "new"
    MERGED = "merged"
    SPLIT = "split"


@dataclass(frozen=True)
class Edge:
    """A link of the graph: a lesion of the prior and one of the current study, by their numbers."""

    prior: int
    current: int
    voxels: int


@dataclass(frozen=True)
class Group:
    """A connected part of the graph: the numbers of the lesions of both studies."""

    prior: tuple[int, ...]
    current: tuple[int, ...]

    def state(self, prior_ml: float, current_ml: float) -> LesionState:
        """What became of the lesions, of which `prior_ml` and `current_ml` are the volumes."""
        if not self.current:
            return LesionState.GONE
        if not self.prior:
            return LesionState.NEW
        if len(self.prior) > 1:
            return LesionState.MERGED
        if len(self.current) > 1:
            return LesionState.SPLIT
        return state_of_change(change_percent(prior_ml, current_ml))


def change_percent(prior_ml: float, current_ml: float) -> float:
    """Change of volume in per cent of the prior's."""
    return 100 * (current_ml - prior_ml) / prior_ml


def state_of_change(percent: float) -> LesionState:
    """Grown or shrunk from `CHANGE_PERCENT` on, else stable."""
    if percent >= CHANGE_PERCENT:
        return LesionState.GROWN
    return LesionState.SHRUNK if percent <= -CHANGE_PERCENT else LesionState.STABLE


def edges_of(prior: Sequence[Mask], current: Sequence[Mask], grid: Grid) -> tuple[Edge, ...]:
    """The links of two lists of masks on one grid.

    Two lesions are linked that share `OVERLAP` of the smaller one. A lesion without a link is
    linked with the nearest one without a link in the other study, if their centres are at most
    `NEAR_MM` apart.
    """
    edges = []
    for i, before in enumerate(prior):
        for j, after in enumerate(current):
            common = common_voxels(before, after)
            if common and common >= OVERLAP * min(before.voxels, after.voxels):
                edges.append(Edge(i, j, common))
    return (*edges, *_near(prior, current, edges, grid))


def _near(
    prior: Sequence[Mask], current: Sequence[Mask], edges: Sequence[Edge], grid: Grid
) -> list[Edge]:
    free = [i for i, m in enumerate(prior) if m.voxels and i not in {e.prior for e in edges}]
    left = [j for j, m in enumerate(current) if m.voxels and j not in {e.current for e in edges}]
    pairs = [(float(np.linalg.norm(_center(prior[i], grid) - _center(current[j], grid))), i, j)
             for i in free for j in left]  # fmt: skip
    near: list[Edge] = []
    for distance, i, j in sorted(pairs):
        taken = any(edge.prior == i or edge.current == j for edge in near)
        if distance <= NEAR_MM and not taken:
            near.append(Edge(i, j, 0))
    return near


def groups_of(edges: Sequence[Edge], prior: int, current: int) -> tuple[Group, ...]:
    """The connected parts of a graph with so many lesions in the prior and the current study."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = prior + current
    links = ([e.prior for e in edges], [prior + e.current for e in edges])
    graph = coo_array((np.ones(len(edges)), links), shape=(count, count))
    _, part = connected_components(graph, directed=False)
    groups = []
    for label in dict.fromkeys(part.tolist()):
        members = np.flatnonzero(part == label).tolist()
        before = tuple(m for m in members if m < prior)
        groups.append(Group(before, tuple(m - prior for m in members if m >= prior)))
    return tuple(groups)


def common_voxels(a: Mask, b: Mask) -> int:
    """Number of voxels inside both of two masks on one grid."""
    low = np.maximum(a.start, b.start)
    high = np.minimum(a.stop, b.stop)
    if not (high > low).all():
        return 0
    parts = [
        m.crop[tuple(slice(s, e) for s, e in zip(low - m.start, high - m.start, strict=True))]
        for m in (a, b)
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _center(mask: Mask, grid: Grid) -> FloatArray:
    return grid.to_world(np.argwhere(mask.crop).mean(axis=0) + mask.start)
