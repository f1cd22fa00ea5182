"""Choosing the objects that a question may be about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QTreeWidget, QTreeWidgetItem

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.question_objects import ObjectOption, drawn, offered

if TYPE_CHECKING:
    from napari import Viewer

HEIGHT = 110


class ObjectChoice(QTreeWidget):
    """Labels, boxes and points of the viewer's layers, each to be taken along or left out.

    Attributes
    ----------
    changed
        Other objects are chosen, or offered.
    """

    changed = Signal()

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._volume: Volume | None = None
        self._offered: list[ObjectOption] = []
        self._left_out: set[tuple[int, int | None]] = set()
        self.setHeaderLabels(["Object", "Layer"])
        self.setRootIsDecorated(False)
        self.setFixedHeight(HEIGHT)
        self.setColumnWidth(0, 190)
        self.setToolTip("Objects sent with the question, by name.")
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self.refresh)
        self.itemChanged.connect(lambda item, _: self._on_item(item))

    def bind(self, volume: Volume | None) -> None:
        """Offer what lies on another volume."""
        self._volume = volume
        self.refresh()

    def refresh(self, _: Any = None) -> None:
        """Offer what there is now; what was left out stays so."""
        volume = self._volume
        self._offered = []
        if volume is not None:
            self._offered = [*offered(self._viewer, volume), *drawn(self._viewer, volume)]
        with QSignalBlocker(self):
            self.clear()
            for option in self._offered:
                item = QTreeWidgetItem(self, [option.name, option.layer.name])
                left_out = _key(option) in self._left_out
                state = Qt.CheckState.Unchecked if left_out else Qt.CheckState.Checked
                item.setCheckState(0, state)
        self.changed.emit()

    @property
    def chosen(self) -> list[ObjectOption]:
        """What goes along."""
        return [option for option in self._offered if _key(option) not in self._left_out]

    @property
    def title(self) -> str:
        """How many of how many go along, in words."""
        if not self._offered:
            return "Objects: none"
        return f"Objects: {len(self.chosen)} of {len(self._offered)}"

    def _on_item(self, item: QTreeWidgetItem) -> None:
        key = _key(self._offered[self.indexOfTopLevelItem(item)])
        if item.checkState(0) == Qt.CheckState.Checked:
            self._left_out.discard(key)
        else:
            self._left_out.add(key)
        self.changed.emit()


def _key(option: ObjectOption) -> tuple[int, int | None]:
    return id(option.layer), option.value
