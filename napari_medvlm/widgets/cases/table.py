"""Where the results of cases are written, and how."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.sessions.cases.case_list import Case, CaseList, MaskFormat, Status
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel, plain
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel


class ResultsRow(QWidget):
    """A folder and a format.

    Attributes
    ----------
    changed
        The folder as a text and the `MaskFormat` that a person chose.
    """

    changed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.folder = ""
        self.format = QComboBox()
        self.format.setToolTip("File format of masks; SEG requires DICOM images.")
        for mask_format in MaskFormat:
            self.format.addItem(mask_format.value, mask_format)
        self.summary = WrappedLabel()
        self.choose = button("Results…", "Folder for masks, sessions and measurements.")
        on_click(self.choose, self.ask)
        self.format.currentIndexChanged.connect(lambda _: self._notify())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.choose)
        layout.addWidget(self.summary, 1)
        layout.addWidget(self.format)
        self.show_results_folder("", MaskFormat.NIFTI)

    def show_results_folder(self, folder: str, masks: MaskFormat) -> None:
        """Show what a list says."""
        self.folder = folder
        with QSignalBlocker(self.format):
            self.format.setCurrentIndex(list(MaskFormat).index(masks))
        self.summary.setText(Path(folder).name if folder else "no folder chosen")
        self.summary.setToolTip(plain(folder))

    def ask(self) -> None:
        """Ask for the folder."""
        folder = QFileDialog.getExistingDirectory(self, "Results of cases", self.folder)
        if folder:
            self.show_results_folder(folder, self.format.currentData())
            self._notify()

    def _notify(self) -> None:
        self.changed.emit(self.folder, self.format.currentData())


COLUMNS = ("Case", "Status", "Time", "Note")
MISSING = "file is missing"


class CaseTable(QWidget):
    """Cases by name, with status, time and a note.

    Attributes
    ----------
    activated
        The name of a case that was double-clicked.
    """

    activated = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._list: CaseList | None = None
        self._missing: AbstractSet[str] = frozenset()
        self.filter = QComboBox()
        self.filter.setToolTip("Filter the list; Next and Previous follow it.")
        self.filter.addItem("all", tuple(Status))
        for status in Status:
            self.filter.addItem(status.value, (status,))
        self.summary = WrappedLabel()
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(len(COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setToolTip("Double-click to open a case.")
        self.filter.currentIndexChanged.connect(lambda _: self._fill())
        self.table.itemDoubleClicked.connect(self._on_double_click)
        row = QHBoxLayout()
        row.addWidget(PlainLabel("Show"))
        row.addWidget(self.filter)
        row.addWidget(self.summary, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.table, 1)

    @property
    def wanted(self) -> tuple[Status, ...]:
        """The statuses that are shown."""
        return tuple(self.filter.currentData())

    def show_list(self, cases: CaseList | None, missing: AbstractSet[str] = frozenset()) -> None:
        """Show a list.

        Parameters
        ----------
        missing
            Names of the cases whose files are not there.
        """
        self._list, self._missing = cases, missing
        self._fill()

    def chosen(self) -> str | None:
        """The name of the case in the row that is chosen."""
        item = self.table.item(self.table.currentRow(), 0)
        return None if item is None else str(item.text())

    def _fill(self) -> None:
        known = self._list
        shown = [] if known is None else [c for c in known.cases if c.status in self.wanted]
        self.summary.setText(_summary(known, len(self._missing)))
        self.table.setRowCount(len(shown))
        for row, case in enumerate(shown):
            self._show(row, case, known is not None and case.name == known.current)

    def _show(self, row: int, case: Case, current: bool) -> None:
        note = MISSING if case.name in self._missing else case.reason
        texts = (case.name, case.status.value, clock(case.seconds), note)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            font = item.font()
            font.setBold(current)
            item.setFont(font)
            if column == COLUMNS.index("Time"):
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.table.setItem(row, column, item)
        if current:
            self.table.selectRow(row)
            self.table.scrollToItem(self.table.item(row, 0))

    def _on_double_click(self, item: QTableWidgetItem) -> None:
        self.activated.emit(self.table.item(item.row(), 0).text())


def clock(seconds: float) -> str:
    """Hours, minutes and seconds; empty for none."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if seconds >= 1 else ""


def _summary(cases: CaseList | None, missing: int) -> str:
    if cases is None:
        return "Open a folder or a table."
    files = "1 file is" if missing == 1 else f"{missing} files are"
    return cases.progress + (f"; {files} missing" if missing else "")
