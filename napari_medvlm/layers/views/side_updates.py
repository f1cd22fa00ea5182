"""Updates of side views that wait for the viewer: a view in each turn of the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qtpy.QtCore import QTimer


class SideUpdates:
    """Updates of views by name, of which the last of each name counts.

    Drawing three views in one turn of the event loop stalls the window three times as long as
    drawing one. The viewer is updated at once; each side view gets all its updates in a turn of its
    own afterwards. Without a Qt application they are done at once.
    """

    def __init__(self) -> None:
        self._pending: dict[int, dict[str, Callable[[], None]]] = {}
        self._timer: QTimer | None = None

    def add(self, view: int, name: str, update: Callable[[], None]) -> None:
        """Do an update of a view soon, instead of an earlier one of the same name."""
        from qtpy.QtWidgets import QApplication

        if QApplication.instance() is None:
            update()
            return
        updates = self._pending.setdefault(view, {})
        updates.pop(name, None)
        updates[name] = update
        self._start()

    def finish(self, view: int | None = None) -> None:
        """Do what waits now, for one view or for all."""
        for key in list(self._pending) if view is None else [view]:
            for update in self._pending.pop(key, {}).values():
                update()

    def drop(self, view: int) -> None:
        """Forget what waits for a view that is closed."""
        self._pending.pop(view, None)

    def close(self) -> None:
        """Forget everything."""
        self._pending.clear()
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _start(self) -> None:
        from qtpy.QtCore import QTimer

        if self._timer is None:
            self._timer = QTimer()
            self._timer.setSingleShot(True)
            self._timer.timeout.connect(self._next)
        if not self._timer.isActive():
            self._timer.start(0)

    def _next(self) -> None:
        """Update the view that waits longest, and the next one in another turn."""
        if self._pending:
            self.finish(next(iter(self._pending)))
        if self._pending:
            self._start()
