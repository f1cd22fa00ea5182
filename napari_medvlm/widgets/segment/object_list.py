"""The list of objects: colour, name, size and lock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QMouseEvent, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_medvlm.ledger.records import ObjectInfo
from napari_medvlm.widgets.segment.object_name_editor import CodedNames

COLOR, NAME, PROMPTS, LOCK, SHOWN = range(5)
BOXES = (LOCK, SHOWN)
"""Columns whose boxes are ticked without making the object active."""


class ObjectList(QTreeWidget):
    """Objects in rows; the current row is the active object.

    Attributes
    ----------
    activated_object
        Id of the object that the person chose.
    renamed, recolored, lock_changed
        Id, and the new name, colour (``#rrggbb``) or lock.
    shown_changed
        Id, and whether the object's mask is to be shown.
    located
        Id of the object that was clicked, to go to.
    delete_requested
        The Delete key was pressed.
    """

    activated_object = Signal(int)
    renamed = Signal(int, str)
    recolored = Signal(int, str)
    lock_changed = Signal(int, bool)
    shown_changed = Signal(int, bool)
    located = Signal(int)
    delete_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._infos: tuple[tuple[ObjectInfo, int], ...] = ()
        self.hidden: set[int] = set()
        self.setColumnCount(5)
        self.setHeaderLabels(["", "Object", "Prompts", "Locked", "Shown"])
        self.setRootIsDecorated(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setToolTip(
            "Click to make an object active. Double-click to rename it or choose a "
            "colour. Locked objects are never overwritten and are treated as background"
            " for the others. Models that take words (IMIS-Net) get the name with each prompt;"
            " several names with semicolons between them begin an object each."
        )
        self.setItemDelegateForColumn(NAME, CodedNames(self))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in (COLOR, PROMPTS, LOCK, SHOWN):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.currentItemChanged.connect(self._on_current)
        self.itemChanged.connect(self._on_changed)
        self.itemClicked.connect(lambda item, _: self.located.emit(self._id(item)))
        self.itemDoubleClicked.connect(self._on_double_click)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802  # Qt's name
        """Tick a box alone; anywhere else as Qt has it."""
        item, column = self._at(event)
        if item is None or column not in BOXES:
            super().mousePressEvent(event)
            return
        is_on = item.checkState(column) == Qt.CheckState.Checked
        item.setCheckState(column, Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802  # Qt's name
        """Nothing on a box, which the press has ticked."""
        if self._at(event)[1] not in BOXES:
            super().mouseReleaseEvent(event)

    def _at(self, event: QMouseEvent) -> tuple[QTreeWidgetItem | None, int]:
        at = event.position().toPoint()
        return self.itemAt(at), self.columnAt(at.x())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  # Qt's name
        """Ask to delete the selected objects; all other keys as Qt has them."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete_requested.emit()
        else:
            super().keyPressEvent(event)

    def show_objects(self, objects: Sequence[tuple[ObjectInfo, int]], active: int | None) -> None:
        """Show objects with their numbers of prompts, and which is the active one."""
        with QSignalBlocker(self):
            self._fill(tuple(objects))
            rows = {self._id(self.topLevelItem(i)): i for i in range(self.topLevelItemCount())}
            if active in rows and self.currentItem() is not self.topLevelItem(rows[active]):
                self.setCurrentItem(self.topLevelItem(rows[active]))
            if active is None:
                self.clearSelection()

    def _fill(self, objects: tuple[tuple[ObjectInfo, int], ...]) -> None:
        """Write only what changed: each change is drawn."""
        before, self._infos = self._infos, objects
        pairs = zip(before, objects, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0][0] == pair[1][0], pairs))
        if self.topLevelItemCount() > same:
            self.setCurrentItem(None)  # else Qt makes another row the current one
        while self.topLevelItemCount() > same:
            self.takeTopLevelItem(self.topLevelItemCount() - 1)
        for info, prompts in objects[same:]:
            self.addTopLevelItem(_row(info, prompts, info.id not in self.hidden))
        for index, (_, prompts) in enumerate(objects[:same]):
            if prompts != before[index][1]:
                self.topLevelItem(index).setText(PROMPTS, str(prompts))

    def selected(self) -> tuple[int, ...]:
        """Ids of the selected objects, the current one first."""
        items = self.selectedItems()
        ids = sorted(self._id(item) for item in items)
        current = self.currentItem()
        if current in items:
            first = self._id(current)
            ids = [first, *(i for i in ids if i != first)]
        return tuple(ids)

    @staticmethod
    def _id(item: QTreeWidgetItem) -> int:
        return int(item.data(NAME, Qt.ItemDataRole.UserRole))

    def _on_current(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.activated_object.emit(self._id(item))

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == NAME and item.text(NAME).strip():
            self.renamed.emit(self._id(item), item.text(NAME).strip())
        elif column == NAME:
            before = {info.id: info.name for info, _ in self._infos}
            item.setText(NAME, before[self._id(item)])
        elif column == LOCK:
            locked = item.checkState(LOCK) == Qt.CheckState.Checked
            self.lock_changed.emit(self._id(item), locked)
        elif column == SHOWN:
            is_shown = item.checkState(SHOWN) == Qt.CheckState.Checked
            (self.hidden.discard if is_shown else self.hidden.add)(self._id(item))
            self.shown_changed.emit(self._id(item), is_shown)

    def _on_double_click(self, item: QTreeWidgetItem, column: int) -> None:
        if column == NAME:
            self.editItem(item, NAME)
        elif column == COLOR:
            color = QColorDialog.getColor(QColor(item.data(COLOR, Qt.ItemDataRole.UserRole)), self)
            if color.isValid():
                self.recolored.emit(self._id(item), color.name())


def _row(info: ObjectInfo, prompts: int, is_shown: bool) -> QTreeWidgetItem:
    locked = "yes" if info.locked else "no"  # themes may hardly show the box
    item = QTreeWidgetItem(["", info.name, str(prompts), locked])
    item.setData(NAME, Qt.ItemDataRole.UserRole, info.id)
    patch = QPixmap(16, 16)
    patch.fill(QColor(info.color))
    icon = QIcon(patch)
    icon.addPixmap(patch, QIcon.Mode.Selected)  # else Qt tints it
    item.setIcon(COLOR, icon)
    item.setData(COLOR, Qt.ItemDataRole.UserRole, info.color)
    item.setCheckState(LOCK, Qt.CheckState.Checked if info.locked else Qt.CheckState.Unchecked)
    item.setCheckState(SHOWN, Qt.CheckState.Checked if is_shown else Qt.CheckState.Unchecked)
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
    return item
