"""The dialog that lists the sessions of an image, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QShortcut,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.io.journal_files import DELETED_DAYS, Task, delete, rename, restore, title_of
from napari_medvlm.sessions.earlier import EarlierSession
from napari_medvlm.widgets.parts.buttons import on_click
from napari_medvlm.widgets.parts.dialogs import ask
from napari_medvlm.widgets.parts.plain_text import PlainLabel, plain
from napari_medvlm.widgets.runtime.notify import guarded

COLUMNS = ("Title", "Dock", "Content", "Last changed")
DOCKS: dict[Task, str] = {"segment": "Segment", "ground": "Ground", "ask": "Ask"}
"""The title of the dock of each task."""
UNTITLED = "Untitled"
SIZE_PX = (620, 320)


class SessionsDialog(QDialog):
    """The sessions of an image: open, rename, delete and restore.

    Enter opens the selected session, F2 renames it, Delete deletes it after a question, and Ctrl+Z
    restores the session that was deleted last.

    Parameters
    ----------
    parent
        The window that it belongs to.
    image_name
        Name of the image.

    Attributes
    ----------
    opened
        The `EarlierSession` to open.
    is_closed
        Whether it was closed; Qt then deletes it.
    """

    opened = Signal(object)

    def __init__(self, parent: QWidget | None, image_name: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Sessions")
        self.is_closed = False
        self.finished.connect(lambda _: setattr(self, "is_closed", True))
        self.resize(*SIZE_PX)
        self._deleted: list[tuple[Path, QTreeWidgetItem]] = []
        self._sessions: dict[int, EarlierSession] = {}
        self.text = PlainLabel()
        self.text.setText(f"Sessions of {image_name}: reading…")
        self._image_name = image_name
        self.table = QTreeWidget()
        self._set_up_table()
        self.open_button = self._button("Open", "Open the session in its dock. (Enter)", self._open)
        self.rename = self._button("Rename", "Rename the session. (F2)", self._rename)
        self.delete = self._button(
            "Delete…",
            f"Delete the session; it can be restored for {DELETED_DAYS} days. (Delete)",
            self._ask_to_delete,
        )
        self.restore = self._button(
            "Restore", "Restore the session that was deleted last. (Ctrl+Z)", self._restore
        )
        self.close_button = self._button("Close", "Close the list. (Escape)", self.close)
        self._lay_out()
        self._shortcut(Qt.Key.Key_Return, self._open)
        self._shortcut(Qt.Key.Key_Enter, self._open)
        self._shortcut(Qt.Key.Key_Delete, self._ask_to_delete)
        self._shortcut(QKeySequence.StandardKey.Undo, self._restore)
        self._allow()

    @property
    def selected(self) -> EarlierSession | None:
        """The session of the selected row."""
        item = self.table.currentItem()
        return None if item is None else self._sessions.get(item.data(0, Qt.ItemDataRole.UserRole))

    def show_sessions(self, sessions: Sequence[EarlierSession]) -> None:
        """List sessions, in this order, and select the first."""
        self._sessions = dict(enumerate(sessions))
        with QSignalBlocker(self.table):
            self.table.clear()
            for number, session in self._sessions.items():
                self.table.addTopLevelItem(_row(number, session))
        if sessions:
            self.table.setCurrentItem(self.table.topLevelItem(0))
        self._show_count()
        self._allow()
        self.table.setFocus()

    def _set_up_table(self) -> None:
        table = self.table
        table.setHeaderLabels(COLUMNS)
        table.setRootIsDecorated(False)
        table.setUniformRowHeights(True)
        table.setAllColumnsShowFocus(True)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = table.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, len(COLUMNS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        table.currentItemChanged.connect(lambda *_: self._allow())
        table.itemDoubleClicked.connect(guarded(lambda *_: self._open()))
        table.itemChanged.connect(guarded(self._on_renamed))
        self._shortcut(Qt.Key.Key_F2, self._rename)

    def _lay_out(self) -> None:
        layout, row = QVBoxLayout(self), QHBoxLayout()
        layout.addWidget(self.text)
        layout.addWidget(self.table, 1)
        layout.addLayout(row)
        for widget in (self.open_button, self.rename, self.delete, self.restore):
            row.addWidget(widget)
        row.addStretch(1)
        row.addWidget(self.close_button)

    def _button(self, text: str, tooltip: str, action: Callable[[], object]) -> QPushButton:
        result = QPushButton(text)
        result.setToolTip(tooltip)
        result.setAutoDefault(False)  # Enter in a title must not press it
        on_click(result, action)
        return result

    def _shortcut(self, key: object, action: Callable[[], object]) -> None:
        """Bind a key in the table; the editor of a title has its own."""
        shortcut = QShortcut(QKeySequence(key), self.table)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        shortcut.activated.connect(guarded(action))

    def _show_count(self) -> None:
        number = self.table.topLevelItemCount()
        count = {0: "no sessions", 1: "1 session"}.get(number, f"{number} sessions")
        self.text.setText(f"{self._image_name}: {count}.")

    def _allow(self) -> None:
        session = self.selected
        is_free = session is not None and not session.is_open
        self.open_button.setEnabled(is_free)
        self.delete.setEnabled(is_free)
        self.rename.setEnabled(session is not None)
        self.restore.setEnabled(bool(self._deleted))

    def _open(self) -> None:
        session = self.selected
        if session is not None and not session.is_open:
            self.close()
            self.opened.emit(session)

    def _rename(self) -> None:
        item, session = self.table.currentItem(), self.selected
        if item is None or session is None:
            return
        with QSignalBlocker(self.table):
            item.setText(0, title_of(session.path))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        self.table.editItem(item, 0)

    def _on_renamed(self, item: QTreeWidgetItem, column: int) -> None:
        session = self._sessions.get(item.data(0, Qt.ItemDataRole.UserRole))
        if session is None or column != 0:
            return
        try:
            rename(session.path, item.text(0))
        finally:
            with QSignalBlocker(self.table):
                item.setText(0, title_of(session.path) or UNTITLED)

    def _ask_to_delete(self) -> None:
        session, item = self.selected, self.table.currentItem()
        if session is None or item is None or session.is_open:
            return
        text = escape(f"{item.text(0)}: {session.content}, last changed {session.last_changed}.")
        ask(
            self,
            "Delete session",
            f"Delete this session?<p>{text}</p>It can be restored for {DELETED_DAYS} days.",
            "Delete",
            lambda: self._delete(session, item),
        )

    def _delete(self, session: EarlierSession, item: QTreeWidgetItem) -> None:
        self._deleted.append((delete(session.path), item))
        self.table.takeTopLevelItem(self.table.indexOfTopLevelItem(item))
        self._show_count()
        self._allow()

    def _restore(self) -> None:
        if not self._deleted:
            return
        path, item = self._deleted[-1]
        restore(path)
        self._deleted.pop()
        self.table.insertTopLevelItem(0, item)
        self.table.setCurrentItem(item)
        self._show_count()
        self._allow()


def _row(number: int, session: EarlierSession) -> QTreeWidgetItem:
    state = " (open)" if session.is_open else ""
    texts = (
        session.title or UNTITLED,
        DOCKS[session.task],
        session.content + state,
        session.last_changed,
    )
    item = QTreeWidgetItem(list(texts))
    item.setData(0, Qt.ItemDataRole.UserRole, number)
    for column, text in enumerate(texts):
        item.setToolTip(column, plain(text))
    if session.ledger.damage:
        item.setToolTip(2, plain(session.ledger.damage))
    return item
