"""Which views belong to one viewer, and the link between their sliders and the cursor position.

A viewer and the side views of the Views dock share one `LinkedViews`. It is found from any of them
with `linked_views` and is freed with the viewer.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_medvlm.layers.views.off_slice_items import OffSliceItems
from napari_medvlm.sessions.cursor import CursorPosition, Position

if TYPE_CHECKING:
    from napari.components import ViewerModel

_linked: dict[int, LinkedViews] = {}
"""By the hash of the viewer, which is the same for napari's proxies of it."""


class SliderLink:
    """Synchronizes the sliders of a view with the cursor position.

    Only the sliders of axes that are not displayed are moved: a view is not sliced again when the
    cursor moves within its plane.

    Parameters
    ----------
    view
        The view. Nothing is done while it shows fewer than three axes.
    cursor
        The position that it follows and sets.
    """

    def __init__(self, view: ViewerModel, cursor: CursorPosition) -> None:
        self._dims = view.dims
        self._cursor = cursor
        self._is_setting = False
        self._seen: Position | None = None
        events = view.dims.events
        events.point.connect(self._on_point)
        events.order.connect(self._on_plane)
        events.ndisplay.connect(self._on_plane)
        events.ndim.connect(self._on_ndim)
        cursor.moved.connect(self._follow)
        position = self._sliders()
        self._seen = position
        if cursor.position_mm is None and position is not None:
            cursor.move_to(position)

    def close(self) -> None:
        """Disconnect the view from the cursor."""
        events = self._dims.events
        events.point.disconnect(self._on_point)
        events.order.disconnect(self._on_plane)
        events.ndisplay.disconnect(self._on_plane)
        events.ndim.disconnect(self._on_ndim)
        self._cursor.moved.disconnect(self._follow)

    def _on_ndim(self, _: object = None) -> None:
        self._seen = self._sliders()

    def _on_point(self, _: object = None) -> None:
        """Move the cursor along the axes whose sliders were moved."""
        now, before = self._sliders(), self._seen
        self._seen = now
        if self._is_setting or now is None:
            return
        here = self._cursor.position_mm
        if here is None or before is None:
            self._cursor.move_to(now)
            return
        moved = [
            new if new != old else same for new, old, same in zip(now, before, here, strict=True)
        ]
        self._cursor.move_to(moved)

    def _on_plane(self, _: object = None) -> None:
        """Move all sliders to the cursor, as other axes may be displayed now."""
        position = self._cursor.position_mm
        if position is not None and self._seen is not None:
            self._set(position, range(3))

    def _follow(self, position_mm: Position) -> None:
        extra = int(self._dims.ndim) - 3
        self._set(position_mm, [int(axis) - extra for axis in self._dims.not_displayed])

    def _set(self, position_mm: Position, axes: Sequence[int]) -> None:
        extra = int(self._dims.ndim) - 3
        if extra < 0 or self._is_setting:
            return
        point = list(self._dims.point)
        for axis in axes:
            if axis >= 0:
                point[axis + extra] = position_mm[axis]
        if tuple(point) == tuple(self._dims.point):
            return
        self._is_setting = True
        try:
            self._dims.point = tuple(point)
        finally:
            self._is_setting = False
        self._seen = self._sliders()

    def _sliders(self) -> Position | None:
        """Where the sliders are, ``(S, P, L)`` in mm; `None` if there are fewer than three."""
        if int(self._dims.ndim) < 3:
            return None
        s, p, left = self._dims.point[-3:]
        return float(s), float(p), float(left)


class LinkedViews:
    """The cursor position of a viewer, the viewer itself and its side views.

    Attributes
    ----------
    cursor
        What all views follow.
    off_slice
        What is drawn dashed in views whose slice it is near.
    added, removed
        Emitted with a side view that was added or is to be removed.
    reach_changed
        Emitted with the new reach in mm.
    prior_changed
        Emitted with the view of the prior that was opened, or with None.
    """

    prior_changed = Signal(object)
    added = Signal(object)
    removed = Signal(object)
    reach_changed = Signal(float)

    def __init__(self, viewer: ViewerModel) -> None:
        self.cursor = CursorPosition()
        self.off_slice = OffSliceItems()
        self._reach_mm = 0.0
        self._clicked_mm: Position | None = None
        self._prior: ViewerModel | None = None
        self._main = weakref.ref(viewer)
        self._main_link = SliderLink(viewer, self.cursor)
        self._sides: dict[int, tuple[ViewerModel, SliderLink]] = {}
        viewer.layers.events.removed.connect(self._on_removed)

    def __iter__(self) -> Iterator[ViewerModel]:
        """The viewer, then its side views."""
        main = self._main()
        if main is not None:
            yield main
        yield from [view for view, _ in self._sides.values()]

    @property
    def sides(self) -> tuple[ViewerModel, ...]:
        """The side views."""
        return tuple(view for view, _ in self._sides.values())

    @property
    def reach_mm(self) -> float:
        """How far from the slice items are drawn dashed, in mm; 0: only those on the slice."""
        return self._reach_mm

    @reach_mm.setter
    def reach_mm(self, reach_mm: float) -> None:
        if reach_mm != self._reach_mm:
            self._reach_mm = reach_mm
            self.reach_changed.emit(reach_mm)

    @property
    def prior(self) -> ViewerModel | None:
        """The view of the registered prior next to the viewer, if it is open."""
        return self._prior

    @prior.setter
    def prior(self, view: ViewerModel | None) -> None:
        if view is not self._prior:
            self._prior = view
            self.prior_changed.emit(view)

    def note_click(self, spl_mm: Position) -> None:
        """Remember a click in the viewer, see `go_to_click`."""
        self._clicked_mm = spl_mm

    def go_to_click(self) -> None:
        """Move the cursor to the last click, unless the viewer shows another slice by now."""
        main, clicked_mm = self._main(), self._clicked_mm
        if clicked_mm is None or main is None or main.dims.ndim < 3 or main.dims.ndisplay != 2:
            return
        axis = int(main.dims.not_displayed[-1])
        off_mm = clicked_mm[axis - (int(main.dims.ndim) - 3)] - main.dims.point[axis]
        if abs(off_mm) <= main.dims.range[axis].step:
            position = list(clicked_mm)
            position[axis - (int(main.dims.ndim) - 3)] = float(main.dims.point[axis])
            s, p, left = position
            self.cursor.move_to((s, p, left))

    def add(self, view: ViewerModel) -> None:
        """Link a side view; it moves to the cursor."""
        link = SliderLink(view, self.cursor)
        self._sides[hash(view)] = view, link
        _linked[hash(view)] = self
        if self.cursor.position_mm is not None:
            self.cursor.moved.emit(self.cursor.position_mm)
        self.added.emit(view)

    def remove(self, view: ViewerModel) -> None:
        """Unlink a side view that is about to be closed."""
        _, link = self._sides.pop(hash(view))
        self.removed.emit(view)
        link.close()
        _linked.pop(hash(view), None)

    def _on_removed(self, event: Any) -> None:
        self.off_slice.note_change()
        if not event.source:  # the list of layers
            self.cursor.clear()
            self._clicked_mm = None


def linked_views(viewer: ViewerModel) -> LinkedViews:
    """The views that belong to a viewer or side view; made for a viewer when first asked for."""
    key = hash(viewer)
    if key not in _linked:
        model: ViewerModel = getattr(viewer, "__wrapped__", viewer)  # plugins get a proxy
        _linked[key] = LinkedViews(model)
        weakref.finalize(model, _linked.pop, key, None)
    return _linked[key]
