"""In a real window: a model is added, verified, used in a dock, seen in memory, and unloaded."""

import re
import sys

import pytest
from napari.layers import Layer
from qtpy.QtCore import QThreadPool
from qtpy.QtWidgets import QApplication, QDialogButtonBox

from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.models.add_dialog import AddModel
from tests.conftest import make_phantom
from tests.worker import fork_server

WAIT_MS = 300_000


@pytest.fixture(scope="module")
def owl(tmp_path_factory):
    """A tiny detector, made by another process: none loads torch in the process of a window."""
    folder = tmp_path_factory.mktemp("models") / "owl"
    fork_server.run("tests.backends.tiny_models:owl", folder)
    return folder


def threads_are_done():
    QApplication.processEvents()
    return QThreadPool.globalInstance().activeThreadCount() == 0


def test_a_model_is_added_verified_used_seen_in_memory_and_unloaded(make_napari_viewer, qtbot, owl):
    torch_was_there = "torch" in sys.modules
    viewer = make_napari_viewer(show=True)
    viewer.add_layer(Layer.create(*layer_data(make_phantom()[0])))
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Models")
    qtbot.waitUntil(lambda: dock.table.models != (), timeout=WAIT_MS)
    dock.add(owl)
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), AddModel))
    dialog = QApplication.activeModalWidget()
    dialog.backend.setCurrentIndex(dialog.backend.findData("detector"))
    dialog.name.setText("our owl")
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    qtbot.waitUntil(lambda: dock.table.row is not None, timeout=WAIT_MS)
    assert dock.table.row.state == "added"
    assert "Untested with published weights" in dock.details.text()
    dock.actions.verify.click()
    qtbot.waitUntil(lambda: "Ran on " in dock.details.text(), timeout=WAIT_MS)
    assert re.search(r"Ran on \d{4}-\d\d-\d\d \(napari-medvlm .*; cpu\): ", dock.details.text())
    next(a for a in dock.actions.menu.actions() if a.text() == "Ground").trigger()
    (ground,) = [w for w in viewer.window.dock_widgets.values() if hasattr(w, "ground")]
    qtbot.waitUntil(lambda: ground.session is not None)
    ground.phrases.set_phrases(["nodule"])
    ground.ground()
    qtbot.waitUntil(lambda: not ground.session.pending, timeout=WAIT_MS)
    assert set(ground.session.located) == {"nodule"}, "it was answered by the named model"
    dock.show()
    qtbot.waitUntil(lambda: dock.table.row.state == "loaded", timeout=WAIT_MS)
    assert len(ground._runner.pids) == 1
    dock.actions.unload.click()
    qtbot.waitUntil(lambda: dock.table.row.state == "added", timeout=WAIT_MS)
    assert ground._runner.pids == {}
    assert ("torch" in sys.modules) is torch_was_there
    ground.close_dock()
    dock.close_dock()
    qtbot.waitUntil(threads_are_done)
