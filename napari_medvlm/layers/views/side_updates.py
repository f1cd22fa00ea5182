"""Updates of side views, each in a turn of the event loop of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QCoreApplication, QTimer

from napari_medvlm.layers.display.redraw_pace import pace

if TYPE_CHECKING:
    from napari.components import ViewerModel


class SideUpdates:
    """Updates side views one after the other, each after the one before was drawn.

    A view that is due is not added again: one update shows all changes until then. The view that
    was clicked last is the first. Without a Qt application, views are updated at once.

    Parameters
    ----------
    update
        Called with the hash of a view, and whether its label map is to be drawn again.
    """

    def __init__(self, update: Callable[[int, bool], None]) -> None:
        self._update = update
        self._views: dict[int, tuple[ViewerModel, Callable[[Any, Any], None]]] = {}
        self._due_s: dict[int, float] = {}
        self._redrawn: set[int] = set()
        self._clicked: int | None = None
        self._timer: QTimer | None = None

    @property
    def is_due(self) -> bool:
        """Whether a view is to be updated."""
        return bool(self._due_s)

    def add(self, view: ViewerModel) -> None:
        """Include a view."""
        on_press = partial(self._note_click, hash(view))
        view.mouse_drag_callbacks.insert(0, on_press)
        self._views[hash(view)] = view, on_press

    def remove(self, view: ViewerModel) -> None:
        """Leave a view out that is closed."""
        _, on_press = self._views.pop(hash(view))
        view.mouse_drag_callbacks.remove(on_press)
        self._due_s.pop(hash(view), None)
        self._redrawn.discard(hash(view))

    def request(self, wait_ms: int = 0, *, redrawn: bool = False) -> None:
        """Update all views, the one that was clicked last at once and others after a time.

        Parameters
        ----------
        wait_ms
            The longest time; an earlier request stays as it is.
        redrawn
            Whether label maps are to be drawn again.
        """
        now_s = time.monotonic()
        for key in self._views:
            wait_s = 0.0 if key == self._clicked else wait_ms / 1000
            self._due_s[key] = min(self._due_s.get(key, now_s + wait_s), now_s + wait_s)
        if redrawn:
            self._redrawn.update(self._views)
        if QCoreApplication.instance() is not None:
            self._start()
        else:
            while self._due_s:
                self._next()

    def close(self) -> None:
        """Update no view any more."""
        for view, _ in list(self._views.values()):
            self.remove(view)
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _note_click(self, key: int, *_: object) -> None:
        self._clicked = key

    def _start(self) -> None:
        """Wait for the view that is due next."""
        if not self._due_s:
            return
        if self._timer is None:
            self._timer = QTimer()
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self._next)
        wait_s = min(self._due_s.values()) - time.monotonic()
        self._timer.start(max(pace.wait_ms, round(1000 * wait_s)))

    def _next(self) -> None:
        """Update the view that is due first; of those due together, the one clicked last."""
        has_loop = QCoreApplication.instance() is not None
        if not self._due_s or (has_loop and pace.wait_ms):
            self._start()
            return
        key = min(self._due_s, key=lambda key: (self._due_s[key], key != self._clicked))
        del self._due_s[key]
        redrawn = key in self._redrawn
        self._redrawn.discard(key)
        try:
            self._update(key, redrawn)
        finally:
            pace.note_change()
            if has_loop:
                self._start()
