"""What docks share: how they end, and the session of the image that is chosen."""

from __future__ import annotations

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget


class Dock(QWidget):
    """A widget that frees what it holds when napari takes it out of the window."""

    def close_dock(self) -> None:
        """Stop and free everything; for docks to say."""
        raise NotImplementedError

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """Free everything when the dock is closed: it loses its parent."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.close_dock()
