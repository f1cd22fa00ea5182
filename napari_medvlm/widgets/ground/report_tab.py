"""A pasted report: its findings are looked for, and coloured in the text like their regions."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtGui import QColor, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QTextEdit, QVBoxLayout, QWidget

from napari_medvlm.language.report_findings import ReportFinding, findings_of
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.plain_text import PlainLabel


class ReportTab(QWidget):
    """The text of a report, and what is found in it.

    Attributes
    ----------
    findings_extracted
        The phrases of the findings that the report says are there, a list of texts.
    """

    findings_extracted = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.findings: tuple[ReportFinding, ...] = ()
        self.edit = QTextEdit()
        self.edit.setAcceptRichText(False)
        self.edit.setToolTip("Report: its findings become phrases.")
        self.edit.setPlaceholderText("Paste a report.")
        self.denied = PlainLabel()
        self.denied.setWordWrap(True)
        read = button("Locate findings", "Extract the findings and search for each.")
        read.clicked.connect(self.read)
        self.edit.textChanged.connect(self._on_edited)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.edit, read, self.denied):
            layout.addWidget(widget)

    def read(self) -> None:
        """Take the findings out; what is denied is listed and not looked for."""
        self.findings = findings_of(self.edit.toPlainText())
        denied = [f.phrase for f in self.findings if f.negated]
        there = list(dict.fromkeys(f.phrase for f in self.findings if not f.negated))
        self.denied.setText("Negated (not searched): " + "; ".join(denied) if denied else "")
        if not self.findings:
            self.denied.setText("No findings recognised in this text.")
        self.color({})
        self.findings_extracted.emit(there)

    def _on_edited(self) -> None:
        """What was found stands elsewhere now."""
        self.findings = ()
        self.edit.setExtraSelections([])

    def color(self, colors: Mapping[str, str]) -> None:
        """Mark each finding with its phrase's colour; denied ones are struck through."""
        marks, text = [], self.edit.toPlainText()
        for report_finding in self.findings:
            mark = QTextEdit.ExtraSelection()
            cursor = QTextCursor(self.edit.document())
            cursor.setPosition(_units(text[: report_finding.start]))
            cursor.setPosition(_units(text[: report_finding.stop]), QTextCursor.MoveMode.KeepAnchor)
            mark.cursor = cursor
            mark.format = _look(report_finding, colors.get(report_finding.phrase))
            marks.append(mark)
        self.edit.setExtraSelections(marks)


def _units(text: str) -> int:
    """How long Qt thinks a text is: it counts in UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _look(report_finding: ReportFinding, color: str | None) -> QTextCharFormat:
    look = QTextCharFormat()
    if report_finding.negated:
        look.setFontStrikeOut(True)
    else:
        look.setBackground(QColor(color or "#555555"))
        look.setForeground(QColor("#000000" if color else "#ffffff"))
        look.setFontItalic(report_finding.uncertain)
    return look
