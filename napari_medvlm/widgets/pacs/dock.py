"""The PACS dock: find a series, load it, push what was segmented."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QMessageBox, QVBoxLayout

from napari_medvlm.data.errors import ArchiveError, CannotSave
from napari_medvlm.io.archive.base import Archive, Progress, Query, Study, StudySeries
from napari_medvlm.io.dicom_objects.deidentify import Exported
from napari_medvlm.layers import series_in, series_volumes
from napari_medvlm.sessions.export.dicom import Results, results_of
from napari_medvlm.widgets.models.server_banner import ServerBanner
from napari_medvlm.widgets.other_docks import bring_in, evaluations_of
from napari_medvlm.widgets.pacs.deidentify_dialog import DeidentifyDialog, DeidentifyOptions
from napari_medvlm.widgets.pacs.filters import Filters
from napari_medvlm.widgets.pacs.open_series import Opened, open_series
from napari_medvlm.widgets.pacs.servers import ServerRow
from napari_medvlm.widgets.pacs.study_tree import StudyTree
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.job_bar import JobBar
from napari_medvlm.widgets.parts.plain_text import PlainLabel, plain
from napari_medvlm.widgets.parts.read_choices import ReadChoices, ask_choice
from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.runtime.notify import guarded, show_message, warn
from napari_medvlm.widgets.runtime.threads import MainThreadQueue, in_background
from napari_medvlm.widgets.segment.commands import open_dock_of

if TYPE_CHECKING:
    from napari import Viewer

ASKED = (
    "Search terms, including patient names, and pushed objects would be sent "
    "there.\n\nAllow from now on?"
)


class PacsDock(Dock):
    """Parts of the dock, connected; all that takes a while is done on other threads."""

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self._drawing = Event()
        self.servers = ServerRow()
        self.banner = ServerBanner("Searches and objects", ASKED)
        self.filters = Filters()
        self.tree = StudyTree()
        self.status = PlainLabel()
        self.status.setWordWrap(True)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.load = button("Load", "Open the selected series in the viewer. (Double-click)")
        self.give = button(
            "De-identify…", "Save a de-identified copy of the selected series, for sharing."
        )
        self.push = button("Push…", "Send the Segment dock's objects as SEG, SR and RTSTRUCT.")
        self.work = JobBar("Stop; partial results are discarded.")
        self._drawn = MainThreadQueue(self._on_drawn, self)
        self._lay_out()
        self._connect()
        self._on_server()

    # Actions.

    def search(self, query: Query) -> None:
        """Look for studies."""
        archive = self._archive()
        self.status.clear()
        self.work.start(
            lambda progress: archive.studies(query, progress), self._on_studies, "Searching"
        )

    def open_study(self, study: Study) -> None:
        """Show the series of a study, and then their pictures."""
        archive = self._archive()
        self.work.start(
            lambda _: archive.series(study),
            lambda results: self._on_series(archive, study, results),
            "Listing series",
        )

    def load_series(self, series: StudySeries, choices: ReadChoices | None = None) -> None:
        """Fetch a series and open it as a layer."""
        archive, grids = self._archive(), series_in(self.viewer.layers)
        volumes = series_volumes(self.viewer.layers)

        def work(progress: Progress) -> Opened:
            folder = archive.fetch(series, progress)
            progress(1, "Reading")
            return open_series(folder, series, choices or ReadChoices(), grids, volumes)

        self.work.start(work, self._on_loaded, "Loading")

    def push_objects(self) -> None:
        """Ask whether to send the objects of the image in the Segment dock, and send them."""
        archive, dock = self._archive(), open_dock_of(self.viewer)
        if dock is None or dock.session is None:
            raise CannotSave(
                "There are no objects to push.", "Segment an image in the Segment dock first."
            )
        evaluations = evaluations_of(self.viewer, dock.session.ledger.image)
        rulers = dock.folds.measure.rulers_drawn
        self._ask_to_push(archive, results_of(dock.session, evaluations, rulers))

    def give_away(self, series: StudySeries) -> None:
        """Ask how, and write a series without the patient's identity into a new folder."""
        archive = self._archive()

        def write(wanted: DeidentifyOptions) -> None:
            def work(progress: Progress) -> Exported:
                return wanted.export(archive.fetch(series, progress), series.uid, progress)

            self.work.start(work, self._on_given, "Writing")

        DeidentifyDialog(self.window(), guarded(write)).open()

    # What comes back.

    def _on_studies(self, results: tuple[Study, ...]) -> None:
        self._drawing.set()
        self.tree.show_studies(results)
        some = "1 study" if len(results) == 1 else f"{len(results)} studies"
        self.status.setText(
            some if results else "No studies found. Use fewer filters or another date."
        )

    def _on_series(self, archive: Archive, study: Study, results: tuple[StudySeries, ...]) -> None:
        self.tree.show_series(study, results)
        self._drawing.set()
        self._drawing = stop = Event()
        self.destroyed.connect(stop.set)

        def draw() -> None:
            for series in results:
                if stop.is_set():
                    return
                thumbnail_bytes = archive.thumbnail(series)
                if thumbnail_bytes and not stop.is_set():
                    self._drawn(series, thumbnail_bytes)

        in_background(draw, lambda _: None)

    def _on_drawn(self, drawn: list[Any]) -> None:
        for series, thumbnail_bytes in drawn:
            self.tree.show_picture(series, thumbnail_bytes)

    def _on_loaded(self, opened: Opened) -> None:
        if opened.problem is not None:
            title = opened.series.description
            choices = ask_choice(opened.problem, opened.choices, title, self.window())
            if choices is not None:
                self.load_series(opened.series, choices)
            return
        from napari.layers import Layer

        for data in opened.layers:
            self.viewer.add_layer(Layer.create(*data))
        bring_in(self.viewer, opened.about, opened.evaluations)
        self.status.setText("\n".join(opened.lines))

    def _on_given(self, exported: Exported) -> None:
        self.status.setText("\n".join(exported.lines))
        for warning in exported.warnings:
            warn(warning)

    def _ask_to_push(self, archive: Archive, results: Results) -> None:
        box = QMessageBox(self.window())
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Push results")
        box.setText(plain(f"Send to {archive.title}: {', '.join(results.names)}?"))
        box.setInformativeText(
            "A segmentation (SEG), its contours (RTSTRUCT) and a measurement report (SR) are "
            f"added to the patient's study.{_also(len(results.evaluations))} "
            "Existing objects are not changed."
        )
        accept = box.addButton("Push", QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
        on_click(accept, lambda: self._push(archive, results))
        box.open()

    def _push(self, archive: Archive, results: Results) -> None:
        def work(progress: Progress) -> None:
            progress(0, "Measuring and writing")
            with TemporaryDirectory() as folder:
                archive.store(results.write(Path(folder)), progress)

        def done(_: None) -> None:
            show_message(
                f"Sent to {archive.title} as SEG, SR and RTSTRUCT: {', '.join(results.names)}."
            )

        self.work.start(work, done, "Writing")

    def _archive(self) -> Archive:
        if self.servers.archive is None:
            raise ArchiveError("No server is selected.", "Add a server or a folder first.")
        return self.servers.archive

    # Wiring.

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.load)
        row.addWidget(self.give)
        row.addWidget(self.push)
        layout = QVBoxLayout(self.body)
        for part in (self.servers, self.banner, self.filters):
            layout.addWidget(part)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.status)
        layout.addLayout(row)
        layout.addWidget(self.work)

    def _connect(self) -> None:
        self.servers.chosen.connect(guarded(self._on_server))
        self.filters.search_requested.connect(guarded(self.search))
        self.tree.opened.connect(guarded(self.open_study))
        self.tree.series_activated.connect(guarded(self.load_series))
        self.tree.currentItemChanged.connect(guarded(lambda *_: self._allow()))
        on_click(self.load, self._load_chosen)
        on_click(self.give, self._give_chosen)
        on_click(self.push, self.push_objects)
        self.work.busy_changed.connect(guarded(self._allow))

    def _load_chosen(self) -> None:
        series = self.tree.chosen()
        if series is not None:
            self.load_series(series)

    def _give_chosen(self) -> None:
        series = self.tree.chosen()
        if series is not None:
            self.give_away(series)

    def _on_server(self) -> None:
        self.work.cancel()
        self._drawing.set()
        self.tree.clear()
        self.status.clear()
        self.banner.look_up(self.servers.url)
        self._allow()

    def _allow(self) -> None:
        there = self.servers.archive is not None and not self.work.busy
        self.filters.search.setEnabled(there)
        self.push.setEnabled(there)
        chosen = there and self.tree.chosen() is not None
        self.load.setEnabled(chosen)
        self.give.setEnabled(chosen)

    def close_dock(self) -> None:
        """Stop what is loaded and drawn."""
        self._drawing.set()
        self.work.cancel()


def _also(count: int) -> str:
    """What a report holds beyond measurements, for the question before it is sent."""
    if not count:
        return ""
    what = "1 finding or answer" if count == 1 else f"{count} findings and answers"
    return f" The report also includes {what} from the Ground and Ask docks."
