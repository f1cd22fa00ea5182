"""What is looked for in an archive."""

from __future__ import annotations

from datetime import date

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from napari_medvlm.data.errors import ArchiveError
from napari_medvlm.io.archive.base import Query, day_of
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.runtime.notify import guarded

MODALITIES = ("", "CT", "MR", "PT", "US", "CR", "DX", "MG", "XA", "NM", "SEG", "SR", "RTSTRUCT")


class Filters(QWidget):
    """Fields of a question; what is left empty does not matter.

    Attributes
    ----------
    search_requested
        The question, when the person asks it.
    """

    search_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.name = _field(
            "part of the name, or a pattern with *", "Patient name, or a pattern with *."
        )
        self.id = _field("patient ID", "Patient ID.")
        self.first = _field("from 2026-01-31", "First study date, as year-month-day.")
        self.last = _field("to 2026-02-28", "Last study date, as year-month-day.")
        self.modality = QComboBox()
        self.modality.addItems(MODALITIES)
        self.modality.setEditable(True)
        self.modality.setToolTip("Modality of a series of the study.")
        self.description = _field("of the study", "Part of the study description.")
        self.search = button("Search", "Search for studies. (Enter)")
        on_click(self.search, self._ask)
        for edit in (self.name, self.id, self.first, self.last, self.description):
            edit.returnPressed.connect(guarded(self._ask))
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Patient", _row(self.name, self.id))
        form.addRow("Date", _row(self.first, self.last))
        form.addRow("Modality", self.modality)
        form.addRow("Description", _row(self.description, self.search))

    def query(self) -> Query:
        """The question as it stands there.

        Raises
        ------
        ArchiveError
            If a date is none.
        """
        return Query(
            patient_name=self.name.text(),
            patient_id=self.id.text(),
            first=_day(self.first.text()),
            last=_day(self.last.text()),
            modality=self.modality.currentText().strip().upper(),
            description=self.description.text(),
        )

    def _ask(self) -> None:
        self.search_requested.emit(self.query())


def _field(hint: str, tooltip: str) -> QLineEdit:
    line_edit = QLineEdit()
    line_edit.setToolTip(tooltip)
    line_edit.setPlaceholderText(hint)
    return line_edit


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    return row


def _day(text: str) -> date | None:
    day = day_of(text)
    if day is None and text.strip():
        raise ArchiveError(f"{text.strip()!r} is not a date.", "Use the format 2026-01-31.")
    return day
