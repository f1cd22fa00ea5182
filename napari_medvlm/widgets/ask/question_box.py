"""Where a question is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtGui import QKeyEvent, QTextCursor
from qtpy.QtWidgets import (
    QAction,
    QComboBox,
    QHBoxLayout,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.language.question_templates import GAP
from napari_medvlm.language.stated_confidence import ASKS_FOR_CHOICE, ASKS_FOR_OTHERS
from napari_medvlm.widgets.ask.dictation import DictationButton
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.plain_text import PlainLabel
from napari_medvlm.widgets.parts.text_field import TextField

KINDS = {
    AnswerKind.OPEN: ("Open answer", "Free text."),
    AnswerKind.CHOICE: ("Multiple choice", "One of the options below, one per line."),
    AnswerKind.YES_NO: ("Yes or no", "Yes or no, with a reason."),
    AnswerKind.COUNT: ("Count", "How many, with a region for each."),
    AnswerKind.REPORT: ("Report", "Findings and impression, one sentence per finding."),
}
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
HEIGHT, OPTIONS_HEIGHT = 52, 62


class QuestionEdit(TextField):
    """A text whose Enter asks; Shift and Enter begin a new line.

    Attributes
    ----------
    entered, left
        Enter or Escape was pressed.
    """

    entered = Signal()
    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802  # Qt's name
        """Ask at Enter, leave at Escape."""
        shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.key() in ENTER and not shifted:
            self.entered.emit()
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)


class QuestionBox(QWidget):
    """The question, its templates, and what kind of answer is wanted.

    Attributes
    ----------
    asked
        The person wants an answer.
    left
        Escape was pressed, and no question is being changed.
    """

    asked = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.editing: int | None = None
        self.changing = PlainLabel()
        self.changing.hide()
        self.edit = QuestionEdit()
        self.edit.setPlaceholderText("Ask about the image. Enter sends; Shift+Enter adds a line.")
        self.edit.setToolTip("Question. Enter sends; Shift+Enter adds a line. (Shift+Q)")
        self.edit.setFixedHeight(HEIGHT)
        self.edit.setTabChangesFocus(True)
        self.kind_box = QComboBox()
        for kind, (title, tooltip) in KINDS.items():
            self.kind_box.addItem(title, kind)
            self.kind_box.setItemData(
                self.kind_box.count() - 1, tooltip, Qt.ItemDataRole.ToolTipRole
            )
        self.kind_box.setToolTip("Type of answer.")
        self.options_edit = TextField()
        self.options_edit.setPlaceholderText("One option per line")
        self.options_edit.setToolTip("Options to choose from, one per line.")
        self.options_edit.setFixedHeight(OPTIONS_HEIGHT)
        self.options_edit.hide()
        self.confidence_edit = TextField(ASKS_FOR_OTHERS)
        self.confidence_edit.setToolTip(
            "Text sent after the question; {LETTER} stands for the letter of an option."
        )
        self.confidence_edit.setFixedHeight(OPTIONS_HEIGHT)
        self.confidence_edit.hide()
        self.ask_confidence = QAction("Ask for confidence", self)
        self.ask_confidence.setCheckable(True)
        self.templates = button("Templates", "Example questions for this kind of image.")
        self.menu = QMenu(self)
        self.menu.addAction(self.ask_confidence)
        self.templates.setMenu(self.menu)
        self.dictate = DictationButton()
        self._lay_out()
        self._connect()

    @property
    def text(self) -> str:
        """The question."""
        return str(self.edit.toPlainText()).strip()

    @property
    def full_text(self) -> str:
        """The question, with the request for a confidence if that is on; empty without a question.

        A question that has the request already, as an earlier one that is changed, gets no second.
        """
        request = self.confidence_edit.toPlainText().strip()
        if not (self.ask_confidence.isChecked() and request and self.text) or request in self.text:
            return self.text
        return f"{self.text}\n\n{request}"

    @property
    def kind(self) -> AnswerKind:
        """What kind of answer is wanted."""
        return AnswerKind(self.kind_box.currentData())

    @property
    def options(self) -> tuple[str, ...]:
        """The options of a closed question."""
        if self.kind is not AnswerKind.CHOICE:
            return ()
        lines = (line.strip() for line in self.options_edit.toPlainText().splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))

    def offer(self, templates: Mapping[str, Sequence[str]]) -> None:
        """Offer questions, by title."""
        self.menu.clear()
        self.menu.addAction(self.ask_confidence)
        for title, questions in templates.items():
            self.menu.addSection(title)
            for question in questions:
                self.menu.addAction(question, partial(self.write, question))

    def allow_kinds(self, allowed: bool, reason: str) -> None:
        """Let another kind of answer and a confidence be asked for, or say why not."""
        self.kind_box.setEnabled(allowed)
        self.kind_box.setToolTip("Type of answer." if allowed else reason)
        self.ask_confidence.setEnabled(allowed)
        if not allowed:
            self.kind_box.setCurrentIndex(0)
            self.ask_confidence.setChecked(False)

    def write(self, text: str) -> None:
        """Put a text there to be changed; what is to be filled in first is selected."""
        self.edit.setPlainText(text)
        self.edit.setFocus()
        gap = GAP.search(text)
        cursor = self.edit.textCursor()
        cursor.setPosition(gap.start() if gap else len(text))
        if gap:
            cursor.setPosition(gap.end(), QTextCursor.MoveMode.KeepAnchor)
        self.edit.setTextCursor(cursor)

    def change(self, exchange: int, text: str) -> None:
        """Have an earlier question changed."""
        self.editing = exchange
        self.changing.setText(
            "Editing an earlier question; later turns will be removed. Esc cancels."
        )
        self.changing.setWordWrap(True)
        self.changing.show()
        self.write(text)

    def clear(self) -> None:
        """Ready for another question."""
        self.editing = None
        self.changing.hide()
        self.edit.clear()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """Stop listening when it is taken away."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.dictate.close_recording()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        for widget in (self.templates, self.kind_box, self.dictate):
            row.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.changing, self.edit, self.options_edit, self.confidence_edit):
            layout.addWidget(part)
        layout.addLayout(row)

    def _connect(self) -> None:
        self.edit.entered.connect(self.asked)
        self.edit.left.connect(self._on_left)
        self.kind_box.currentIndexChanged.connect(lambda _: self._on_kind())
        self.ask_confidence.toggled.connect(self.confidence_edit.setVisible)
        self.dictate.heard.connect(self._add)

    def _on_kind(self) -> None:
        """Show the options of a choice; a request for a confidence that is as given follows."""
        is_choice = self.kind is AnswerKind.CHOICE
        self.options_edit.setVisible(is_choice)
        if self.confidence_edit.toPlainText() in (ASKS_FOR_CHOICE, ASKS_FOR_OTHERS):
            self.confidence_edit.setPlainText(ASKS_FOR_CHOICE if is_choice else ASKS_FOR_OTHERS)

    def _add(self, text: str) -> None:
        before = self.text
        self.write(f"{before} {text}".strip())

    def _on_left(self) -> None:
        if self.editing is None:
            self.left.emit()
        else:
            self.clear()
