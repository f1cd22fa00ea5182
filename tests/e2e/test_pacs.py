"""What a clinician does with a PACS in the window; the PACS is a real one."""

import sys

import numpy as np
import pytest
from pydicom import dcmread
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication, QMessageBox

import napari_medvlm as nmv
from napari_medvlm.data.geometry.grid import placed
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.mask import Mask
from napari_medvlm.io.dicom.read import Gaps
from napari_medvlm.io.dicom_objects.sr_read import read_evaluations
from napari_medvlm.widgets.segment.measurements import MeasurePanel
from tests.io.archive.test_dicomweb import make
from tests.io.orthanc import PASSWORD, USER

SHARES_WINDOWS = True

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Orthanc is Debian's")


class Doctor:
    """What the user does in the dock."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    def waits(self, condition):
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=300_000)

    def waits_for_work(self):
        self.waits(lambda: not self.dock.work.busy)

    def searches(self):
        self.waits_for_work()
        self.dock.filters.search.click()
        self.waits_for_work()
        self.waits(lambda: self.dock.status.text())

    def unfolds(self):
        """Unfold the first study; its series by modality."""
        item = self.dock.tree.topLevelItem(0)
        item.setExpanded(True)
        self.waits(item.childCount)
        self.waits_for_work()
        return {item.child(row).text(3): item.child(row) for row in range(item.childCount())}

    def loads(self, item, count=1):
        before = len(self.viewer.layers)
        self.dock.tree.setCurrentItem(item)
        self.dock.load.click()
        self.waits(lambda: len(self.viewer.layers) == before + count and not self.dock.work.busy)
        return self.viewer.layers[-1]

    def presses(self, text, after=""):
        self.waits(lambda: isinstance(QApplication.activeModalWidget(), QMessageBox))
        box = QApplication.activeModalWidget()
        assert after in box.informativeText()
        next(b for b in box.buttons() if b.text().replace("&", "") == text).click()


@pytest.fixture
def doctor(make_napari_viewer, qtbot, reported):
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "PACS")
    yield Doctor(viewer, dock, qtbot)
    dock.work.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=300_000)


@pytest.fixture
def at_pacs(doctor, signed_in):
    doctor.dock.servers.add_server("Orthanc", signed_in.url)
    return doctor


def test_a_series_is_found_segmented_and_pushed_and_comes_back(
    at_pacs, signed_in, tmp_path, reported, monkeypatch
):
    make(tmp_path, "oblique")
    signed_in.put(tmp_path)
    at_pacs.dock.filters.name.setText("secret")
    at_pacs.searches()
    assert at_pacs.dock.status.text() == "1 study"
    series = at_pacs.unfolds()["CT"]
    at_pacs.waits(lambda: not series.icon(0).isNull())
    at_pacs.loads(series)
    _, segment = at_pacs.viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    at_pacs.waits(lambda: segment.session is not None)
    session = segment.session
    session.take("left kidney", nmv.Point.at_index(session.volume, (6, 12, 8)), "test")
    at_pacs.waits(lambda: not session.pending and not session.pending_prompts())
    mask = session.mask_of(session.active)
    _, ground = at_pacs.viewer.window.add_plugin_dock_widget("napari-medvlm", "Ground")
    at_pacs.waits(lambda: ground.session is not None)
    region = nmv.Region.of_mask("kidney", Mask.of(mask), session.volume.grid, 0.75, "left kidney")
    ground.session.import_report("somebody", Grounding((region,)))
    report = tmp_path / "report.dcm"
    monkeypatch.setattr("napari_medvlm.widgets.parts.dialogs.ask_where_to_save", lambda *_: report)
    segment.findChild(MeasurePanel).export_report()
    at_pacs.waits(lambda: any("Saved: report.dcm" in text for text in reported))
    assert [e.sentence for e in read_evaluations(report)] == ["Found: left kidney."]
    at_pacs.dock.push.click()
    at_pacs.presses("Push", "also includes 1 finding or answer")
    sent = "Sent to Orthanc as SEG, SR and RTSTRUCT: left kidney."
    at_pacs.waits(lambda: any(sent in text for text in reported))
    at_pacs.searches()
    found = at_pacs.unfolds()
    back = at_pacs.loads(found["SEG"])
    mine = back.metadata["medvlm"]
    assert np.array_equal(placed(mine["labels"], mine["grid"], session.volume.grid) == 1, mask)
    outlines = at_pacs.loads(found["RTSTRUCT"])
    assert outlines.name == "RTSTRUCT: Structure set"
    outlined = outlines.metadata["medvlm"]
    assert np.array_equal(outlined["labels"] == 1, mask)
    ground.session.forget()
    at_pacs.waits(lambda: not ground.session.located)
    at_pacs.dock.tree.setCurrentItem(found["SR"])
    at_pacs.dock.load.click()
    at_pacs.waits(lambda: not at_pacs.dock.work.busy)
    at_pacs.waits(lambda: "left" in at_pacs.dock.status.text())
    assert "left kidney: " in at_pacs.dock.status.text()
    volume_ml = mask.sum() * abs(np.linalg.det(session.volume.affine[:3, :3])) / 1000
    assert f"volume {volume_ml:.2f} mL" in at_pacs.dock.status.text()
    assert "kidney: Found: left kidney." in at_pacs.dock.status.text()
    located = ground.session.located["kidney"]
    (back,) = located.grounding.regions
    assert (back.score, located.backend) == (0.75, "somebody")
    assert np.allclose(back.box.corners(), region.box.corners(), atol=1e-3)
    at_pacs.waits(ground.table.topLevelItemCount)
    segment.close_dock()


def test_the_server_is_there_the_next_time(at_pacs, signed_in):
    _, again = at_pacs.viewer.window.add_plugin_dock_widget("napari-medvlm", "PACS")
    assert again.servers.url == signed_in.url


def test_it_asks_to_sign_in_and_then_knows(doctor, orthanc, kept_logins, reported):
    dock = doctor.dock
    dock.servers.add_server("Orthanc", orthanc.url)
    dock.filters.search.click()
    doctor.waits(lambda: any("Sign in" in text for text in reported))
    doctor.waits_for_work()
    dock.servers.sign_in.click()
    doctor.waits(QApplication.activeModalWidget)
    form = QApplication.activeModalWidget()
    for edit, text in zip(form.edits, (USER, PASSWORD), strict=True):
        edit.setText(text)
    form.buttons.accepted.emit()
    doctor.waits(lambda: kept_logins)
    doctor.waits_for_work()
    doctor.searches()
    assert "No studies found" in dock.status.text()


def test_a_folder_is_searched_the_same_way(doctor, tmp_path):
    make(tmp_path)
    doctor.dock.servers.add_folder(tmp_path)
    doctor.searches()
    layer = doctor.loads(doctor.unfolds()["CT"])
    assert layer.metadata["medvlm"]["volume"].shape == (12, 24, 28)


def test_cancel_leaves_nothing(at_pacs, signed_in, tmp_path, home, reported):
    make(tmp_path)
    signed_in.put(tmp_path)
    at_pacs.searches()
    at_pacs.dock.tree.setCurrentItem(at_pacs.unfolds()["CT"])
    at_pacs.dock.load.click()
    at_pacs.dock.work.cancel_button.click()
    assert not at_pacs.dock.work.busy
    at_pacs.waits(lambda: QThreadPool.globalInstance().activeThreadCount() == 0)
    assert not at_pacs.viewer.layers
    assert not list(home.glob("pacs/*"))
    assert not reported


def test_a_missing_slice_is_asked_about(at_pacs, signed_in, tmp_path, monkeypatch):
    make(tmp_path)
    inner = next(p for p in tmp_path.iterdir() if dcmread(p).InstanceNumber == 6)
    inner.unlink()
    signed_in.put(tmp_path)
    monkeypatch.setattr("napari_medvlm.widgets.parts.read_choices.ask_gaps", lambda *of: Gaps.FILL)
    at_pacs.searches()
    layer = at_pacs.loads(at_pacs.unfolds()["CT"])
    assert layer.metadata["medvlm"]["volume"].shape == (12, 24, 28)


def test_nothing_to_push_is_reported(at_pacs, reported):
    at_pacs.dock.push.click()
    assert any("Segment an image in the Segment dock" in text for text in reported)


def test_a_date_that_is_none_is_reported(at_pacs, reported):
    at_pacs.dock.filters.first.setText("yesterday")
    at_pacs.dock.filters.search.click()
    assert "'yesterday' is not a date. Use the format 2026-01-31." in reported
