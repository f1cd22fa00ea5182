"""The sentences of an answer, each with where it comes from and what the reader thinks of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QEvent, QRect, Qt, QTimer
from qtpy.QtGui import QColor, QEnterEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_medvlm.data.answer import Claim
from napari_medvlm.data.colors import UNLINKED
from napari_medvlm.data.conversation import Mark, Verdict
from napari_medvlm.widgets.ask.transcript_signals import TranscriptSignals
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

HOVER_MS = 250
"""So long the mouse must rest on a sentence before the view goes there."""
BAR_PX = 5
MARK_PX = (28, 22)
SIGNS = {Verdict.RIGHT: "✓", Verdict.WRONG: "✗", Verdict.UNSURE: "?"}


def link_state(claim: Claim) -> str:
    """Whether a sentence is linked to places, in words."""
    count = len(claim.regions)
    if count:
        return "1 region" if count == 1 else f"{count} regions"
    return "○ not linked"


class ClaimRow(QFrame):
    """A sentence: its number, text, places and source, and buttons to find and to mark it.

    Parameters
    ----------
    turn, index
        The numbers of the turn and of the sentence in its answer, from 0.
    signals
        Emitted when the sentence is clicked or hovered over, looked for or marked.
    """

    def __init__(self, turn: int, index: int, signals: TranscriptSignals) -> None:
        super().__init__()
        self._key = (turn, index)
        self._signals = signals
        self._colors: tuple[str, ...] = ()
        self._lit = False
        self.number = QLabel(f"<b>{index + 1}</b>")
        self.text, self.state, self.problems = WrappedLabel(), WrappedLabel(), WrappedLabel()
        self.find = button("Locate", "Search for this sentence with the Ground backend.")
        self.find.setFixedHeight(MARK_PX[1])
        self.note = QLineEdit()
        self.note.setPlaceholderText("Note")
        self.note.setToolTip("Note on this mark; saved in the session and exported.")
        self.marks = {verdict: _mark_button(verdict) for verdict in Verdict}
        self._rested = QTimer(self)
        self._rested.setSingleShot(True)
        self._rested.setInterval(HOVER_MS)
        self._lay_out()
        self._connect()

    def show_claim(self, claim: Claim, colors: tuple[str, ...], mark: Mark | None) -> None:
        """Show a sentence, the colours of its regions in the picture, and its mark."""
        self._colors = colors
        self.text.setText(claim.text)
        source = f" · {claim.source}" if claim.source else ""
        self.state.setText(link_state(claim) + source)
        self.problems.show_text("\n".join(f"⚠ {problem}" for problem in claim.problems))
        self.find.setVisible(not claim.regions)
        for verdict, mark_button in self.marks.items():
            mark_button.setChecked(mark is not None and mark.verdict is verdict)
        self.note.setVisible(mark is not None)
        if not self.note.hasFocus():
            self.note.setText("" if mark is None else mark.note)
        self.setToolTip("Click to jump to its region." if claim.regions else "")
        self.update()

    def light(self, lit: bool) -> None:
        """Frame it, or no longer."""
        self._lit = lit
        self.update()

    @property
    def lit(self) -> bool:
        """Whether it is framed."""
        return self._lit

    # Events of Qt.

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802  # Qt's name
        """Wait whether the mouse rests here."""
        super().enterEvent(event)
        self._rested.start()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802  # Qt's name
        """It did not rest."""
        super().leaveEvent(event)
        self._rested.stop()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802  # Qt's name
        """Choose it."""
        super().mousePressEvent(event)
        self._rested.stop()
        self._choose()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802  # Qt's name
        """A bar in the colours of its regions, dashed if there are none; a frame if it is lit."""
        super().paintEvent(event)
        painter = QPainter(self)
        colors = self._colors or (UNLINKED,)
        step = self.height() / len(colors)
        for index, color in enumerate(colors):
            bar = QRect(0, round(index * step), BAR_PX, round(step) + 1)
            style = Qt.BrushStyle.SolidPattern if self._colors else Qt.BrushStyle.Dense6Pattern
            painter.setBrush(QColor(color))
            brush = painter.brush()
            brush.setStyle(style)
            painter.fillRect(bar, brush)
        if self._lit:
            painter.setPen(QPen(QColor(colors[0]), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    # Wiring.

    def _lay_out(self) -> None:
        top = Qt.AlignmentFlag.AlignTop
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.number, 0, top)
        first.addWidget(self.text, 1)
        second.addWidget(self.state, 1)
        second.addWidget(self.find)
        for mark_button in self.marks.values():
            second.addWidget(mark_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(BAR_PX + 5, 3, 4, 3)
        layout.setSpacing(1)
        layout.addLayout(first)
        layout.addWidget(self.problems)
        layout.addLayout(second)
        layout.addWidget(self.note)

    def _connect(self) -> None:
        self._rested.timeout.connect(self._choose)
        self.find.clicked.connect(lambda: self._signals.find_requested.emit(*self._key))
        self.note.editingFinished.connect(self._on_note)
        for verdict, mark_button in self.marks.items():
            mark_button.clicked.connect(lambda on, verdict=verdict: self._on_mark(verdict, on))

    def _choose(self) -> None:
        self._signals.claim_chosen.emit(*self._key)

    def _on_mark(self, verdict: Verdict, on: bool) -> None:
        mark = Mark(verdict, self.note.text()) if on else None
        self._signals.marked.emit(*self._key, mark)

    def _on_note(self) -> None:
        verdict = next(
            (v for v, mark_button in self.marks.items() if mark_button.isChecked()), None
        )
        if verdict is not None:
            self._on_mark(verdict, True)


class ClaimRows(QWidget):
    """All sentences of an answer.

    Parameters
    ----------
    turn
        The number of the turn.
    signals
        Passed to the rows.
    """

    def __init__(self, turn: int, signals: TranscriptSignals) -> None:
        super().__init__()
        self._turn = turn
        self._signals = signals
        self.rows: list[ClaimRow] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(3)

    def show_claims(
        self,
        claims: Sequence[Claim],
        colors: Sequence[tuple[str, ...]],
        marks: Mapping[int, Mark],
    ) -> None:
        """Show these sentences, with the colours of their regions and their marks."""
        while len(self.rows) > len(claims):
            row = self.rows.pop()
            self._layout.removeWidget(row)
            row.deleteLater()
        while len(self.rows) < len(claims):
            self._add_row()
        for index, (row, claim, own) in enumerate(zip(self.rows, claims, colors, strict=True)):
            row.show_claim(claim, own, marks.get(index))

    def light(self, number: int | None) -> None:
        """Frame one sentence and no other."""
        for index, row in enumerate(self.rows):
            row.light(index == number)

    def _add_row(self) -> None:
        row = ClaimRow(self._turn, len(self.rows), self._signals)
        self.rows.append(row)
        self._layout.addWidget(row)


def _mark_button(verdict: Verdict) -> QWidget:
    mark_button = button(
        SIGNS[verdict], f"Mark as {verdict.value}; click again to clear.", checkable=True
    )
    mark_button.setFixedSize(*MARK_PX)
    return mark_button
