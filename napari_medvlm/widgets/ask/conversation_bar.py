"""Choosing, beginning, renaming and deleting conversations."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QMessageBox, QWidget

from napari_medvlm.data.conversation import Conversation
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.plain_text import plain

LONGEST = 60
"""Letters of a question that is used as a title."""
LEAST_CHOICE_PX = 90
"""Least width of the list of conversations, whose texts are cut."""


class ConversationRow(QWidget):
    """The conversations about an image.

    Attributes
    ----------
    selected
        Number of the conversation chosen.
    new_requested
        A new one is wanted.
    renamed
        Number and new title of the one that is shown.
    removed
        Number of the one to delete; the person has confirmed it.
    export_requested
        The one that is shown is to be written to a file.
    """

    selected = Signal(int)
    new_requested = Signal()
    renamed = Signal(int, str)
    removed = Signal(int)
    export_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.choice = QComboBox()
        self.choice.setToolTip("Conversations about this image; all are saved.")
        self.new = button("New", "Start a new conversation. The model does not see the others.")
        self.rename = button("Rename…", "Rename this conversation.")
        self.remove = button("Delete…", "Delete this conversation (asks for confirmation).")
        self.export = button(
            "Export…",
            "Export this conversation as a web page with images, Markdown or JSON.",
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.choice.setMinimumContentsLength(8)
        self.choice.setMinimumWidth(LEAST_CHOICE_PX)
        self.choice.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        layout.addWidget(self.choice, 1)
        for widget in (self.new, self.rename, self.remove, self.export):
            layout.addWidget(widget)
        self.choice.activated.connect(lambda _: self.selected.emit(self.current))
        self.new.clicked.connect(lambda: self.new_requested.emit())
        self.rename.clicked.connect(lambda: self._rename())
        self.remove.clicked.connect(lambda: self._remove())
        self.export.clicked.connect(lambda: self.export_requested.emit())
        self.show_conversations((), None)

    @property
    def current(self) -> int:
        """Number of the conversation chosen."""
        return int(self.choice.currentData())

    def show_conversations(self, conversations: Sequence[Conversation], active: int | None) -> None:
        """Show these, and which one is active."""
        with QSignalBlocker(self.choice):
            self.choice.clear()
            for conversation in conversations:
                self.choice.addItem(_title(conversation), conversation.id)
            self.choice.setCurrentIndex(self.choice.findData(active))
        there = active is not None
        for widget in (self.rename, self.remove, self.export):
            widget.setEnabled(there)

    def _rename(self) -> None:
        before = self.choice.currentText()
        title, done = QInputDialog.getText(self, "Rename conversation", "Title", text=before)
        if done and title.strip():
            self.renamed.emit(self.current, title.strip())

    def _remove(self) -> None:
        asked = f"Delete the conversation “{self.choice.currentText()}” and all its answers?"
        buttons = QMessageBox.StandardButton
        if QMessageBox.question(self, "Delete conversation", plain(asked)) == buttons.Yes:
            self.removed.emit(self.current)


def _title(conversation: Conversation) -> str:
    """Its title; else what was asked first."""
    asked = next((turn.question for turn in conversation.turns), "New conversation")
    return conversation.title or textwrap.shorten(asked, LONGEST, placeholder="…")
