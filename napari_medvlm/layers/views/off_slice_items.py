"""What is drawn off its slice in all views of a viewer: prompts, boxes of claims and rulers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal

from napari_medvlm.data.colors import NEGATIVE, POSITIVE
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Box, Lasso, Line, Point, Prompt, Scribble
from napari_medvlm.ledger.append_map import AppendMap


class Outline(Enum):
    """How the points of an item are joined."""

    RING = "ring"
    PATH = "path"
    POLYGON = "polygon"
    HULL = "hull"


class OffSliceItem:
    """Something with a position in the patient that is drawn dashed off its slice.

    Items are equal if they look the same. They are not changed.

    Parameters
    ----------
    points_mm
        ``(N, 3)``: the points that it spans, ``(S, P, L)`` in patient millimetres.
    outline
        How they are joined; a ring is drawn around one point.
    color
        Of the dashes and the distance, as ``#rrggbb``.
    is_solid
        Whether the points are on its surface, as those of a box, and not centres of voxels.
    """

    def __init__(
        self, points_mm: ArrayLike, outline: Outline, color: str, *, is_solid: bool = False
    ) -> None:
        self.points_mm: FloatArray = np.asarray(points_mm, float).reshape(-1, 3)
        self.outline = outline
        self.color = color
        self.is_solid = is_solid
        self.bounds_mm: FloatArray = np.zeros((0, 3))
        if len(self.points_mm):
            self.bounds_mm = np.array([self.points_mm.min(axis=0), self.points_mm.max(axis=0)])
        self._vertices: dict[int, FloatArray] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OffSliceItem) and self._look == other._look

    def __hash__(self) -> int:
        return hash(self._look)

    @property
    def _look(self) -> tuple[object, ...]:
        return self.points_mm.tobytes(), self.outline, self.color, self.is_solid

    def vertices_mm(self, axis: int) -> FloatArray:
        """Its outline ``(M, 3)`` as seen along an axis (0 S, 1 P, 2 L), closed where it is."""
        if axis not in self._vertices:
            points = self.points_mm
            if self.outline is Outline.HULL:
                points = _hull(points, [other for other in range(3) if other != axis])
            if self.outline in (Outline.HULL, Outline.POLYGON):
                points = np.concatenate([points, points[:1]])
            self._vertices[axis] = points
        return self._vertices[axis]


Source = Callable[[], Iterable[OffSliceItem]]


class OffSliceItems:
    """The items of all sources, and where they lie.

    Attributes
    ----------
    changed
        Emitted with the view that is to be drawn again, or with None for all views.
    """

    changed = Signal(object)

    def __init__(self) -> None:
        self._sources: dict[Source, list[OffSliceItem] | None] = {}
        self._items: list[OffSliceItem] | None = None
        self._bounds: FloatArray = np.zeros((2, 0, 3))
        self._is_solid: NDArray[np.bool_] = np.zeros(0, bool)

    def add_source(self, source: Source) -> None:
        """Draw the items that a function returns; it is called after each change."""
        self._sources[source] = None
        self.note_change()

    def remove_source(self, source: Source) -> None:
        """Draw the items of a source no more, if they are drawn: what closes may close twice."""
        if source in self._sources:
            del self._sources[source]
            self.note_change()

    def note_change(self, source: Source | None = None, view: Any = None) -> None:
        """Read a source again, or all of them, and draw in one view or in all."""
        for known in self._sources:
            if source is None or known == source:
                self._sources[known] = None
        self._items = None
        self.changed.emit(view)

    @property
    def has_sources(self) -> bool:
        """Whether there may be something to draw, such as in a session."""
        return bool(self._sources)

    def near(
        self, axis: int, here_mm: float, step_mm: float, reach_mm: float, most: int | None = None
    ) -> list[tuple[OffSliceItem, float]]:
        """The items off a slice and within a reach, the nearest first, with signed distances.

        Parameters
        ----------
        axis, here_mm, step_mm
            The patient axis (0 S, 1 P, 2 L) across the slice, where it is, and how thick.
        reach_mm
            The longest distance.
        most
            How many at most; all by default.
        """
        items = self._read()
        if not items or reach_mm <= 0:
            return []
        low, high = self._bounds[:, :, axis]
        distances = np.where(low > here_mm, low - here_mm, np.minimum(high - here_mm, 0.0))
        least = np.where(self._is_solid, 1e-3, step_mm / 2)
        rows = np.flatnonzero((np.abs(distances) > least) & (np.abs(distances) <= reach_mm))
        rows = rows[np.argsort(np.abs(distances[rows]), kind="stable")][:most]
        return [(items[row], float(distances[row])) for row in rows.tolist()]

    def _read(self) -> list[OffSliceItem]:
        if self._items is None:
            for source, known in self._sources.items():
                if known is None:
                    self._sources[source] = [item for item in source() if len(item.bounds_mm)]
            self._items = [item for known in self._sources.values() for item in known or ()]
            bounds = np.concatenate([np.zeros((0, 3)), *(item.bounds_mm for item in self._items)])
            self._bounds = bounds.reshape(-1, 2, 3).transpose(1, 0, 2)
            self._is_solid = np.array([item.is_solid for item in self._items], bool)
        return self._items


class PromptItems:
    """The prompts of a session as items; an item is shared until its prompt changes."""

    def __init__(self) -> None:
        self._prompts: AppendMap[Prompt] = AppendMap()
        self._items: dict[int, OffSliceItem | None] = {}

    def of(self, prompts: AppendMap[Prompt]) -> list[OffSliceItem]:
        """The items of prompts by id; an initial mask has none."""
        before, items = self._prompts, self._items
        start = len(before) if prompts.extends(before) else 0
        self._items = items if start else {}
        for prompt_id, prompt in prompts.items_from(start):
            if prompt_id in before and before[prompt_id] is prompt:
                self._items[prompt_id] = items[prompt_id]
            else:
                self._items[prompt_id] = item_of(prompt, POSITIVE if prompt.positive else NEGATIVE)
        self._prompts = prompts
        return [item for item in self._items.values() if item is not None]


def item_of(prompt: object, color: str) -> OffSliceItem | None:
    """A prompt as an item; `None` for an initial mask, which has no outline."""
    match prompt:
        case Point():
            return OffSliceItem(prompt.position_mm, Outline.RING, color)
        case Box():
            return box_item(prompt, color)
        case Line():
            return OffSliceItem(prompt.ends_mm, Outline.PATH, color)
        case Lasso():
            return OffSliceItem(prompt.vertices_mm, Outline.POLYGON, color)
        case Scribble():
            return OffSliceItem(prompt.points_mm, Outline.HULL, color)
    return None


def box_item(box: Box, color: str) -> OffSliceItem:
    """A box as an item."""
    return OffSliceItem(box.corners(), Outline.HULL, color, is_solid=True)


def _hull(points: FloatArray, axes: list[int]) -> FloatArray:
    """The convex hull of points as seen on two axes; the line between the ends if they are on one.

    scipy's `ConvexHull` takes no points on a line.
    """
    from scipy.spatial import ConvexHull

    flat = points[:, axes] - points[:, axes].mean(axis=0)
    _, sizes, directions = np.linalg.svd(flat, full_matrices=False)
    if len(sizes) < 2 or sizes[1] < 1e-6 * max(sizes[0], 1.0):
        along = flat @ directions[0]
        return points[[int(np.argmin(along)), int(np.argmax(along))]]
    hull: FloatArray = points[ConvexHull(flat).vertices]
    return hull
