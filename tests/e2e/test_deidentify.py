"""A copy of a series to give away, from the window."""

import numpy as np
import pydicom
import pytest
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QFileDialog

from napari_medvlm.widgets.pacs.deidentify_dialog import DeidentifyDialog
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series


@pytest.fixture
def dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "PACS")
    yield dock
    dock.work.cancel()
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=300_000)


def test_a_series_is_written_without_its_patient(dock, qtbot, tmp_path, monkeypatch):
    reported = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", reported.append)
    who = {
        **PATIENT,
        "PatientName": "Quxley^Zebulon",
        "StudyInstanceUID": "1.2.3",
        "Modality": "DX",
    }
    write_series(tmp_path / "in", np.zeros((3, 8, 8)), **who)
    dock.servers.add_folder(tmp_path / "in")
    assert not dock.give.isEnabled()
    dock.filters.search.click()
    qtbot.waitUntil(lambda: dock.tree.topLevelItemCount() == 1, timeout=300_000)
    item = dock.tree.topLevelItem(0)
    item.setExpanded(True)
    qtbot.waitUntil(lambda: item.childCount() == 1 and not dock.work.busy, timeout=300_000)
    dock.tree.setCurrentItem(item.child(0))
    out = tmp_path / "out"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    dock.give.click()
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), DeidentifyDialog))
    dialog = QApplication.activeModalWidget()
    dialog.descriptions.setChecked(True)
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    qtbot.waitUntil(lambda: "3 files were written" in dock.status.text(), timeout=300_000)
    made = pydicom.dcmread(next(out.iterdir()))
    assert (made.PatientIdentityRemoved, made.SeriesDescription) == ("YES", "AX")
    assert "Quxley" not in str(made)
    assert "3 files have no statement on burned-in text" in reported[0]
