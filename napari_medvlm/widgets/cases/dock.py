"""The Cases dock: work through a list of series, one after the other."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_medvlm.data.errors import (
    ArchiveError,
    CannotSave,
    CaseListError,
    IrregularSlices,
    SeveralVolumes,
)
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import read_volume
from napari_medvlm.io.archive.base import Progress
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.convert import layers_of
from napari_medvlm.sessions.cases.case_list import Case, MaskFormat
from napari_medvlm.sessions.cases.case_sources import path_of
from napari_medvlm.sessions.cases.case_store import (
    SUFFIX,
    CaseBook,
    book_of,
    book_of_studies,
    recent_lists,
)
from napari_medvlm.sessions.cases.results import write_results
from napari_medvlm.widgets.cases.table import CaseTable, ResultsRow
from napari_medvlm.widgets.commands import bind_keys, named_dock
from napari_medvlm.widgets.pacs.servers import ServerForm
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.read_choices import ReadChoices, Unclear, ask_choice
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.resources import close_all
from napari_medvlm.widgets.runtime.threads import in_background
from napari_medvlm.widgets.segment.commands import dock_of

if TYPE_CHECKING:
    from napari import Viewer

TICK_MS = 1000
TABLES = f"Table or list (*.csv *.tsv *{SUFFIX})"
KEYS = "napari_medvlm.widgets.cases.commands"


class CasesDock(Dock):
    """Parts of the dock, connected to a list of cases and to the Segment dock."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.book: CaseBook | None = None
        self._books: list[Any] = []
        self._volume: Volume | None = None
        self._missing: frozenset[str] = frozenset()
        self._writing: set[str] = set()
        self.recent = QComboBox()
        self.recent.setToolTip("Resume an earlier case list.")
        self.recent.setPlaceholderText("Resume a list…")
        self.folder = button("Folder…", "All series and images in a folder and its subfolders.")
        self.table_file = button("Table…", "A CSV file with a 'path' column, or a saved case list.")
        self.pacs = button("From PACS", "All series of the studies listed in the PACS dock.")
        self.cases = CaseTable()
        self.previous = button("Previous", "Open the previous case. (Shift+PageUp)")
        self.next = button("Next", "Open the next listed case. (Shift+PageDown)")
        self.done = button("Done", "Save the results of the open case. (Shift+D)")
        self.reject = button("Reject…", "Reject the open case with a reason. (Shift+R)")
        self.results = ResultsRow()
        self.work = JobBar("Stop; partial results are discarded.")
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._lay_out()
        self._connect()
        self._fill_recent()
        bind_keys(napari_viewer, napari_viewer, KEYS)
        self._allow()

    # Actions.

    def open_list(self, source: Path) -> None:
        """Open the list of a folder, a table or a file of a list, and the case that was in work."""
        self.close_list()
        self.work.start(partial(book_of, source), self._on_book, "Searching for images")

    def open_pacs(self) -> None:
        """Make a list of the studies that the PACS dock shows."""
        dock: Any = named_dock(self.viewer, "PACS")
        archive, studies = dock.servers.archive, dock.tree.studies()
        if archive is None or not studies:
            raise ArchiveError("The PACS dock lists no studies.", "Search in the PACS dock first.")
        self.close_list()
        self.work.start(partial(book_of_studies, archive, studies), self._on_book, "Listing series")

    def open_case(self, name: str, choices: ReadChoices | None = None) -> None:
        """Open a case in the place of the one that is open."""
        case, chosen = self._book().list[name], choices or ReadChoices()

        def work(progress: Progress) -> tuple[Case, Volume | Unclear, ReadChoices]:
            position = path_of(case, progress)
            progress(1, "Reading")
            series = case.series or None
            try:
                volume = read_volume(position, series=series, frame=chosen.frame, gaps=chosen.gaps)
            except (IrregularSlices, SeveralVolumes) as problem:
                return case, problem, chosen
            return case, volume, chosen

        self.work.start(work, self._on_read, f"Opening {name}")

    def step(self, step: int) -> None:
        """Open the next case of those that are shown, or the one before."""
        neighbour_case = self._book().list.neighbour(step, self.cases.wanted)
        if neighbour_case is None:
            which = "last" if step > 0 else "first"
            show_message(f"This is the {which} case of the list.")
            return
        self.open_case(neighbour_case.name)

    def finish(self) -> None:
        """Write the results of the open case, which is then done."""
        book, case, dock = self._book(), self._open_case(), dock_of(self.viewer)
        session = dock.session
        if session is None or session.volume is not self._volume:
            raise CannotSave(
                f"The Segment dock does not show {case.name}.", "Select the case's image there."
            )
        if not book.list.folder:
            self.results.ask()
        if not book.list.folder:
            return
        folder, masks = Path(book.list.folder), book.list.format
        rulers = dock.folds.measure.rulers_drawn

        def work() -> tuple[str, ...]:
            try:
                return write_results(session, case, folder, masks, rulers)
            finally:
                self._writing.discard(case.name)

        if case.name not in self._writing:
            self._writing.add(case.name)
            in_background(work, guarded(lambda written: self._on_written(book, case, written)))

    def ask_to_reject(self) -> None:
        """Ask why the open case is rejected."""
        case = self._open_case()
        form = ServerForm(
            "Reject", f"Why is {case.name} rejected?", {"Reason": False}, self.window()
        )
        form.filled.connect(guarded(lambda texts: self.reject_case(case.name, texts[0])))
        form.open()

    def reject_case(self, name: str, reason: str) -> None:
        """Reject a case."""
        self._book().change(lambda known: known.rejected(name, reason))
        self._show()

    def close_list(self) -> None:
        """Leave the list; the image that is open stays."""
        self.work.cancel()
        self._volume = self.book = None
        self._missing = frozenset()
        close_all(self._books)
        self._show()

    # What comes back.

    def _on_book(self, book: CaseBook) -> None:
        self.book = book
        self._books.append(book)
        self.results.show_results_folder(book.list.folder, book.list.format)
        self._fill_recent()
        self._show()
        self._look_for_files()
        going = book.list.in_work
        if going is not None:
            self.open_case(going.name)

    def _on_read(self, neighbour_case: tuple[Case, Volume | Unclear, ReadChoices]) -> None:
        case, volume, choices = neighbour_case
        if not isinstance(volume, Volume):
            further = ask_choice(volume, choices, case.name, self.window())
            if further is not None:
                self.open_case(case.name, further)
            return
        from napari.layers import Layer

        before, self._volume = self._volume, volume
        layer = self.viewer.add_layer(Layer.create(*layer_data(volume)))
        dock_of(self.viewer).image.choose(layer)
        if before is not None:
            for old in layers_of(self.viewer, before):
                if old in self.viewer.layers:  # some take others with them
                    self.viewer.layers.remove(old)
        self.viewer.reset_view()
        self._book().open_case(case.name)
        self._show()

    def _on_written(self, book: CaseBook, case: Case, written: tuple[str, ...]) -> None:
        book.change(lambda known: known.done(case.name, written))
        show_message("Saved: " + ", ".join(Path(path).name for path in written))
        self._show()

    def _look_for_files(self) -> None:
        """Report which files are missing, on another thread: they may lie on a slow drive."""
        book = self._book()

        def work() -> frozenset[str]:
            return frozenset(case.name for case in book.list.cases if case.is_missing)

        in_background(work, guarded(lambda missing: self._on_missing(book, missing)))

    def _on_missing(self, book: CaseBook, missing: frozenset[str]) -> None:
        self._missing = missing
        if book is self.book:
            self._show()

    def _on_timer(self) -> None:
        guarded(self._tick)()

    def _tick(self) -> None:
        """Count the time while a window of the program is active and the case is open."""
        if self.book is None:
            return
        before = self.book.list
        running = QApplication.activeWindow() is not None and self._is_open()
        self.book.tick(running=running, now_s=time.monotonic())
        if self.book.list is not before:
            self._show()

    # Wiring.

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self.body)
        layout.addWidget(self.recent)
        layout.addLayout(_row(self.folder, self.table_file, self.pacs))
        layout.addWidget(self.cases, 1)
        layout.addLayout(_row(self.previous, self.next, self.done, self.reject))
        layout.addWidget(self.results)
        layout.addWidget(self.work)

    def _connect(self) -> None:
        for pressed, action in (
            (self.folder, self._ask_folder),
            (self.table_file, self._ask_table),
            (self.pacs, self.open_pacs),
            (self.previous, partial(self.step, -1)),
            (self.next, partial(self.step, 1)),
            (self.done, self.finish),
            (self.reject, self.ask_to_reject),
        ):
            on_click(pressed, action)
        self.recent.activated.connect(
            guarded(lambda row: self.open_list(self.recent.itemData(row)))
        )
        self.cases.activated.connect(guarded(self.open_case))
        self.results.changed.connect(guarded(self._on_results_folder))
        self.work.busy_changed.connect(guarded(self._allow))
        self._timer.timeout.connect(self._on_timer)
        self._timer.start()
        self.destroyed.connect(partial(close_all, self._books, None))

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Cases of a folder")
        if folder:
            self.open_list(Path(folder))

    def _ask_table(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Cases of a table", "", TABLES)
        if path:
            self.open_list(Path(path))

    def _on_results_folder(self, folder: str, masks: MaskFormat) -> None:
        if self.book is not None:
            self.book.change(lambda known: known.writing_to(folder, masks))

    def _fill_recent(self) -> None:
        self.recent.clear()
        for path, cases in recent_lists():
            self.recent.addItem(f"{cases.title}: {cases.progress}", path)
        self.recent.setCurrentIndex(-1)

    def _show(self) -> None:
        self.cases.show_list(None if self.book is None else self.book.list, self._missing)
        self._allow()

    def _allow(self) -> None:
        there = self.book is not None and not self.work.busy
        for control in (self.previous, self.next):
            control.setEnabled(there)
        for control in (self.done, self.reject):
            control.setEnabled(there and self._is_open())
        self.results.setEnabled(self.book is not None)

    def _is_open(self) -> bool:
        return self._volume is not None and bool(layers_of(self.viewer, self._volume))

    def _open_case(self) -> Case:
        book = self._book()
        if not self._is_open():
            raise CaseListError("No case is open.", "Double-click a case to open it.")
        return book.list[book.list.current]

    def _book(self) -> CaseBook:
        if self.book is None:
            raise CaseListError(
                "No case list is open.", "Open a folder or a table in the Cases dock."
            )
        return self.book

    def close_dock(self) -> None:
        """Leave the list."""
        self._timer.stop()
        self.close_list()


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
