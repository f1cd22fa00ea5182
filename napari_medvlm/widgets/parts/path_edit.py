"""A path that is written or chosen."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QWidget

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.widgets.parts.buttons import button, on_click


class PathEdit(QWidget):
    """A line for a path and a button that asks for it.

    Parameters
    ----------
    tooltip
        What is to be chosen.
    kinds
        Kinds of files, as Qt's dialogs take them; a folder is asked for if there are none.

    Attributes
    ----------
    changed
        Another path stands there.
    """

    changed = Signal()

    def __init__(self, tooltip: str, kinds: str = "") -> None:
        super().__init__()
        self._what = tooltip
        self._kinds = kinds
        self.edit = QLineEdit()
        self.edit.setToolTip(tooltip)
        choose = button("…", tooltip)
        choose.setFixedWidth(30)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.edit)
        layout.addWidget(choose)
        self.edit.textChanged.connect(lambda _: self.changed.emit())
        on_click(choose, self._ask)

    @property
    def path(self) -> Path | None:
        """What stands there; `None` if nothing does."""
        text = self.edit.text().strip()
        return Path(text).expanduser() if text else None

    def required(self) -> Path:
        """What stands there; `InvalidReference` if nothing does."""
        if self.path is None:
            raise InvalidReference("A path is not set.", f"Choose: {self._what}")
        return self.path

    def set_path(self, path: Path) -> None:
        """Write a path."""
        self.edit.setText(str(path))

    def _ask(self) -> None:
        if self._kinds:
            chosen, _ = QFileDialog.getOpenFileName(self, self._what, "", self._kinds)
        else:
            chosen = QFileDialog.getExistingDirectory(self, self._what, self.edit.text())
        if chosen:
            self.edit.setText(chosen)
