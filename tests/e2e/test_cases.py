"""What the user does with a list of cases in the window, and what is there the next day."""

from pathlib import Path

import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication

import napari_medvlm as nmv
from napari_medvlm.layers.convert import role
from napari_medvlm.sessions.cases.case_list import MaskFormat, Status
from napari_medvlm.sessions.cases.case_store import read_list
from napari_medvlm.widgets import commands
from napari_medvlm.widgets.cases import commands as cases_commands
from napari_medvlm.widgets.pacs.servers import ServerForm
from napari_medvlm.widgets.segment import commands as segment_commands
from tests.conftest import make_phantom
from tests.io.archive.test_dicomweb import make

SHARES_WINDOWS = True


class Worker:
    """What the user does in the dock."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    def waits(self, condition):
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=300_000)

    @property
    def session(self):
        return segment_commands.dock_of(self.viewer).session

    @property
    def list(self):
        return self.dock.book.list

    def opens(self, source):
        self.dock.open_list(source)
        self.waits(lambda: self.dock.book is not None and not self.dock.work.busy)

    def waits_for(self, name):
        self.waits(lambda: self.list.current == name and not self.dock.work.busy)
        self.waits(lambda: self.session and self.session.volume is self.dock._volume)

    def prompts(self):
        session = self.session
        session.add(nmv.Point.at_index(session.volume, (12, 20, 13)))

    def waits_for_mask(self):
        self.waits(lambda: not self.session.pending and not self.session.pending_prompts())

    def rows(self):
        table = self.dock.cases.table
        return [
            tuple(table.item(row, column).text() for column in (0, 1, 3))
            for row in range(table.rowCount())
        ]


@pytest.fixture
def open_cases(make_napari_viewer, qtbot, reported):
    made = []

    def open_cases():
        viewer = make_napari_viewer(show=True)
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Cases")
        made.append((viewer, dock))
        return Worker(viewer, dock, qtbot)

    yield open_cases
    for viewer, dock in made:
        dock.close_list()
        segment = segment_commands.open_dock_of(viewer)
        if segment is not None:
            segment.close_dock()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=300_000)


@pytest.fixture
def images(tmp_path):
    for seed, name in enumerate("abc"):
        volume = make_phantom(seed=seed)[0]
        nmv.write_mask(tmp_path / f"{name}.nrrd", volume.data - volume.data.min(), volume)
    return tmp_path


def test_cases_are_worked_through_one_after_the_other(
    open_cases, images, reported, tmp_path_factory
):
    worker, out = open_cases(), tmp_path_factory.mktemp("out")
    worker.opens(images)
    worker.dock._on_results_folder(str(out), MaskFormat.NIFTI)
    assert worker.dock.cases.summary.text() == "0 of 3 done"
    cases_commands.next_case(worker.viewer)
    worker.waits_for("a")
    worker.prompts()
    worker.waits_for_mask()
    measure = segment_commands.dock_of(worker.viewer).folds.measure
    measure.draw_diameters()
    worker.waits(lambda: len(measure.rulers_drawn) == 2)
    worker.dock.done.click()
    worker.waits(lambda: worker.list["a"].status is Status.DONE)
    assert sorted(p.name for p in out.iterdir()) == [
        "a.nii.gz",
        "a.tsv",
        "a_lines.csv",
        "a_measurements.csv",
        "a_session.json",
    ]
    assert worker.dock.cases.summary.text() == "1 of 3 done"
    worker.dock.next.click()
    worker.waits_for("b")
    shown = [layer for layer in worker.viewer.layers if role(layer) == "image"]
    assert [layer.metadata["medvlm"]["volume"].source.name for layer in shown] == ["b.nrrd"]
    worker.dock.reject.click()
    worker.waits(lambda: isinstance(QApplication.activeModalWidget(), ServerForm))
    form = QApplication.activeModalWidget()
    form.edits[0].setText("moved")
    form.buttons.accepted.emit()
    assert worker.rows() == [("a", "done", ""), ("b", "rejected", "moved"), ("c", "new", "")]
    worker.dock.cases.filter.setCurrentText("new")
    assert worker.rows() == [("c", "new", "")]
    cases_commands.next_case(worker.viewer)
    worker.waits_for("c")
    worker.dock.next.click()
    worker.waits(lambda: any("last case" in str(text) for text in reported))


def test_leaving_a_case_in_the_middle_loses_nothing(open_cases, images):
    worker = open_cases()
    worker.opens(images)
    worker.dock.next.click()
    worker.waits_for("a")
    worker.prompts()
    worker.dock.next.click()
    worker.waits_for("b")
    assert worker.list["a"].status is Status.IN_WORK
    worker.dock.previous.click()
    worker.waits_for("a")
    segment = segment_commands.dock_of(worker.viewer)
    worker.waits(lambda: not segment.resume.isHidden())
    segment.resume.resume.click()
    worker.waits_for_mask()
    assert worker.session.mask.any()


def test_after_a_crash_the_case_in_work_is_opened_and_its_session_offered(open_cases, images, home):
    worker = open_cases()
    worker.opens(images)
    worker.dock.cases.activated.emit("b")
    worker.waits_for("b")
    worker.prompts()
    worker.waits_for_mask()
    path = worker.dock.book.path
    segment_commands.dock_of(worker.viewer).close_dock()
    worker.dock.close_list()
    assert read_list(path).current == "b"
    again = open_cases()
    assert again.dock.recent.itemText(0) == f"{images.name}: 0 of 3 done"
    again.dock.recent.activated.emit(0)
    again.waits(lambda: again.dock.book is not None)
    again.waits_for("b")
    again.waits(lambda: not segment_commands.dock_of(again.viewer).resume.isHidden())


def test_time_counts_while_the_window_is_active_and_the_case_open(open_cases, images, monkeypatch):
    worker = open_cases()
    worker.opens(images)
    worker.dock._timer.stop()
    now, active = [0.0], [worker.dock]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(QApplication, "activeWindow", lambda: active[0])

    def passes(seconds):
        worker.dock._tick()
        now[0] += seconds
        worker.dock._tick()

    passes(50)
    worker.dock.next.click()
    worker.waits_for("a")
    passes(20)
    active[0] = None
    passes(100)
    assert worker.list["a"].seconds == 20
    active[0] = worker.dock
    worker.viewer.layers.clear()
    passes(100)
    assert worker.list["a"].seconds == 20
    assert [case.seconds for case in worker.list.cases[1:]] == [0, 0]


def test_a_file_that_is_gone_is_reported(open_cases, images, reported):
    worker = open_cases()
    (images / "list.csv").write_text("path\na.nrrd\ngone.nrrd\n")
    worker.opens(images / "list.csv")
    worker.waits(lambda: worker.rows()[1] == ("gone", "new", "file is missing"))
    assert worker.dock.cases.summary.text() == "0 of 2 done; 1 file is missing"
    worker.dock.cases.activated.emit("gone")
    worker.waits(lambda: any("gone is not there any more" in str(text) for text in reported))
    assert worker.list["gone"].status is Status.NEW


def test_without_an_open_case_done_and_reject_say_so(open_cases, images, reported):
    worker = open_cases()
    cases_commands.case_done(worker.viewer)
    assert "No case list is open" in str(reported[-1])
    worker.opens(images)
    cases_commands.reject_case(worker.viewer)
    assert "No case is open" in str(reported[-1])
    assert not worker.dock.done.isEnabled()


def test_what_the_pacs_dock_found_is_a_list(open_cases, tmp_path, reported):
    make(tmp_path / "ct")
    worker = open_cases()
    worker.dock.pacs.click()
    worker.waits(lambda: any("lists no studies" in str(text) for text in reported))
    pacs = commands.named_dock(worker.viewer, "PACS")
    pacs.servers.add_folder(tmp_path)
    pacs.filters.search.click()
    worker.waits(lambda: pacs.tree.studies() and not pacs.work.busy)
    worker.dock.pacs.click()
    worker.waits(lambda: worker.dock.book is not None and not worker.dock.work.busy)
    worker.dock.next.click()
    worker.waits(lambda: worker.session and worker.session.volume is worker.dock._volume)
    assert Path(worker.list.cases[0].path) == tmp_path / "ct"
