"""What is drawn off its slice in all views of a viewer: prompts, boxes of claims and rulers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from psygnal import Signal

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Box, Lasso, Line, Point, Scribble


class Outline(Enum):
    """How the points of an item are joined."""

    RING = "ring"
    PATH = "path"
    POLYGON = "polygon"
    HULL = "hull"


class OffSliceItem:
    """Something with a position in the patient that is drawn dashed off its slice.

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
        self._vertices: dict[int, FloatArray] = {}

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
        self._sources: list[Source] = []
        self._items: tuple[OffSliceItem, ...] | None = None
        self._bounds: FloatArray = np.zeros((2, 0, 3))

    def add_source(self, source: Source) -> None:
        """Draw the items that a function returns; it is called after each change."""
        self._sources.append(source)
        self.note_change()

    def remove_source(self, source: Source) -> None:
        """Draw the items of a source no more, if they are drawn: what closes may close twice."""
        if source in self._sources:
            self._sources.remove(source)
            self.note_change()

    def note_change(self, view: Any = None) -> None:
        """Read all sources again, and draw in one view or in all."""
        self._items = None
        self.changed.emit(view)

    @property
    def has_sources(self) -> bool:
        """Whether there may be something to draw, such as in a session."""
        return bool(self._sources)

    def near(
        self, axis: int, here_mm: float, step_mm: float, reach_mm: float
    ) -> list[tuple[OffSliceItem, float]]:
        """The items off a slice and within a reach, the nearest first, with signed distances.

        Parameters
        ----------
        axis, here_mm, step_mm
            The patient axis (0 S, 1 P, 2 L) across the slice, where it is, and how thick.
        reach_mm
            The longest distance.
        """
        items = self._read()
        if not items or reach_mm <= 0:
            return []
        low, high = self._bounds[:, :, axis]
        distances = np.where(low > here_mm, low - here_mm, np.minimum(high - here_mm, 0.0))
        least = np.where([item.is_solid for item in items], 1e-3, step_mm / 2)
        rows = np.flatnonzero((np.abs(distances) > least) & (np.abs(distances) <= reach_mm))
        rows = rows[np.argsort(np.abs(distances[rows]), kind="stable")]
        return [(items[row], float(distances[row])) for row in rows.tolist()]

    def _read(self) -> Sequence[OffSliceItem]:
        if self._items is None:
            items = tuple(item for source in self._sources for item in source())
            self._items = tuple(item for item in items if len(item.points_mm))
            spans = [(x.points_mm.min(axis=0), x.points_mm.max(axis=0)) for x in self._items]
            self._bounds = np.array(spans).reshape(-1, 2, 3).transpose(1, 0, 2)
        return self._items


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
