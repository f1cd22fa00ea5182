"""A person sees which models there are, gets, checks, uses and removes them."""

import os
import socket
import sys

import pytest
from npe2 import PluginManager
from qtpy.QtCore import Qt, QThreadPool
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QMessageBox, QPushButton

from napari_medvlm.backends import registry
from napari_medvlm.backends.memory import free
from napari_medvlm.backends.memory.free import GpuMemory, Memory
from napari_medvlm.backends.models import offline
from napari_medvlm.backends.models import registry as models_registry
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.widgets.models import install_panel
from napari_medvlm.widgets.models.add_dialog import AddModel
from napari_medvlm.widgets.models.dock import ModelsDock
from napari_medvlm.widgets.models.table import MODEL, NEEDS, SIZE, USE
from napari_medvlm.widgets.parts.text_color import TextColor
from tests.backends.models.tiny_hub import GOOD, Hub, used

HUB_ID = "facebook/sam2.1-hiera-tiny"


@pytest.fixture(autouse=True)
def plugins():
    """The manifest is found, as napari does when it starts."""
    PluginManager.instance().discover()


@pytest.fixture
def hub(monkeypatch, tmp_path):
    hub = Hub()
    hub.add(HUB_ID, GOOD, license="apache-2.0")
    with used(hub, monkeypatch, tmp_path / "cache" / "hub") as hub:
        yield hub


@pytest.fixture
def dock(hub, reported, qtbot, monkeypatch):
    monkeypatch.delenv(offline.VARIABLE, raising=False)
    monkeypatch.setattr(free, "free", lambda: Memory(8000, (GpuMemory("H200", 11_000),)))
    made = ModelsDock(None)
    qtbot.addWidget(made)
    made.resize(400, 800)
    made.show()
    qtbot.waitUntil(lambda: made.table.models != (), timeout=60_000)
    yield made
    made.close_dock()
    qtbot.waitUntil(threads_are_done)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "mine"
    made.mkdir()
    (made / "model.safetensors").write_bytes(b"w" * 1_000_000)
    return made


def threads_are_done():
    QApplication.processEvents()
    return QThreadPool.globalInstance().activeThreadCount() == 0


def item(dock):
    return dock.table.currentItem()


def modal(qtbot, kind):
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), kind))
    return QApplication.activeModalWidget()


def press(box, text):
    next(b for b in box.buttons() if b.text().replace("&", "") == text).click()


def added(dock, qtbot, folder, name="mine"):
    dock.add(folder)
    dialog = modal(qtbot, AddModel)
    dialog.backend.setCurrentIndex(dialog.backend.findData("vlm"))
    dialog.name.setText(name)
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    qtbot.waitUntil(lambda: dock.table.row is not None and dock.table.row.model.name == name)


def downloaded(dock, qtbot):
    dock.table.choose(HUB_ID)
    dock.actions.download.click()
    press(modal(qtbot, QMessageBox), "Download")
    qtbot.waitUntil(lambda: dock.table.row.here, timeout=300_000)


def test_opening_the_dock_asks_no_network_and_loads_no_torch(hub, reported, qtbot, monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = "torch" in sys.modules
    made = ModelsDock(None)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(lambda: HUB_ID in made.table.models)
    made.close_dock()
    qtbot.waitUntil(threads_are_done)
    assert hub.asked == []
    assert reported == []
    assert ("torch" in sys.modules) is before


def test_a_row_states_licence_memory_and_state(dock):
    assert dock.free.text() == "Free: 8.4 GB of RAM; H200: 11.5 GB"
    dock.table.choose("nnInteractive")
    assert item(dock).text(USE) == "non-commercial"
    assert item(dock).foreground(USE).color().name() in TextColor.RED.value
    assert item(dock).text(NEEDS) == "10.5 GB"
    assert item(dock).foreground(NEEDS).style() is Qt.BrushStyle.NoBrush, "the card has more"
    text = dock.details.text()
    for words in ("not for commercial use (CC-BY-NC-SA-4.0)", "For segmentation.", "free: 8.4 GB"):
        assert words in text
    dock.table.choose("VoxTell")
    assert item(dock).foreground(NEEDS).color().name() in TextColor.RED.value
    dock.table.choose("google/gemma-3-4b-it")
    assert item(dock).foreground(USE).color().name() in TextColor.AMBER.value


def test_every_control_says_what_it_does_or_why_it_cannot(dock):
    for made in dock.findChildren(QPushButton):
        if made is not dock.installing.alone:
            assert made.toolTip(), made.text()
    assert dock.actions.download.toolTip() == "Select a model in the table first."
    dock.table.choose("MedSAM")
    assert "authors' page" in dock.actions.download.toolTip()
    assert dock.actions.verify.toolTip() == "The model is not on this computer."
    assert not dock.actions.verify.isEnabled()
    assert dock.actions.unload.toolTip() == "No model is loaded."


def test_the_dock_is_whole_at_400_pixels(dock, qtbot):
    assert dock.minimumSizeHint().width() <= 400
    for made in dock.actions.findChildren(QPushButton):
        assert made.geometry().right() <= 400
        assert made.width() >= made.fontMetrics().horizontalAdvance(made.text())


def test_names_have_room_in_a_narrow_table(dock, qtbot):
    for width, hidden in ((280, [True, True]), (330, [False, True]), (400, [False, False])):
        dock.table.resize(width, 300)
        assert [dock.table.isColumnHidden(column) for column in (NEEDS, SIZE)] == hidden
        assert dock.table.columnWidth(MODEL) >= 100


def test_a_model_is_downloaded_checked_and_removed(dock, qtbot, reported, tmp_path):
    downloaded(dock, qtbot)
    assert dock.table.row.state in ("downloaded", "not installed")
    assert item(dock).text(SIZE) == "6.3 MB"
    dock.actions.verify.click()
    qtbot.waitUntil(lambda: f"{HUB_ID} is complete and unchanged." in reported)
    blob = next(tmp_path.rglob("model.safetensors")).resolve()
    blob.chmod(0o644)
    blob.write_bytes(b"damaged")
    qtbot.waitUntil(dock.actions.verify.isEnabled, timeout=60_000)  # a worker starts and ends
    dock.actions.verify.click()
    qtbot.waitUntil(lambda: "model.safetensors is damaged" in reported[-1])
    qtbot.waitUntil(dock.actions.remove.isEnabled)
    dock.actions.remove.click()
    press(modal(qtbot, QMessageBox), "Cancel")
    assert blob.exists()
    dock.actions.remove.click()
    press(modal(qtbot, QMessageBox), "Delete")
    qtbot.waitUntil(lambda: not dock.table.row.here)
    assert not blob.exists()
    assert "freed." in reported[-1]
    assert dock.table.row.model.name == HUB_ID, "the row stays chosen"


def test_one_thing_at_a_time_and_cancel_makes_no_model(dock, hub, qtbot, reported, tmp_path):
    hub.release.clear()
    dock.table.choose(HUB_ID)
    dock.actions.download.click()
    press(modal(qtbot, QMessageBox), "Download")
    qtbot.waitUntil(lambda: dock.download_bar.bar.value() > 300)
    for made in (dock.actions.download, dock.actions.add):
        assert not made.isEnabled()
        assert "Wait" in made.toolTip()
    dock.download_bar.cancel_button.click()
    hub.release.set()
    qtbot.waitUntil(threads_are_done)
    assert dock.actions.download.isEnabled()
    assert not list(tmp_path.rglob("model.safetensors"))
    assert reported == []
    downloaded(dock, qtbot)


def test_offline_greys_the_download_and_is_remembered(dock, hub, qtbot):
    dock.table.choose(HUB_ID)
    assert dock.actions.download.isEnabled()
    dock.offline.click()
    assert not dock.actions.download.isEnabled()
    assert dock.actions.download.toolTip() == "Offline is checked: nothing is downloaded."
    assert os.environ[offline.VARIABLE] == "1"
    another = ModelsDock(None)
    qtbot.addWidget(another)
    assert another.offline.isChecked()
    dock.offline.click()
    assert dock.actions.download.isEnabled()
    assert offline.VARIABLE not in os.environ
    assert hub.asked == []


def test_a_folder_is_added_changed_and_forgotten(dock, qtbot, reported, folder):
    added(dock, qtbot, folder)
    assert dock.table.row.state == "added"
    assert item(dock).text(SIZE) == "1.0 MB"
    assert str(folder) in reported[-1]
    (folder / "model.safetensors").write_bytes(b"other")
    qtbot.waitUntil(dock.actions.verify.isEnabled)
    dock.actions.verify.click()
    qtbot.waitUntil(lambda: "has changed since it was added" in reported[-1])
    (folder / "model.safetensors").rename(folder / "moved")
    folder.rename(folder.with_name("elsewhere"))
    qtbot.waitUntil(threads_are_done)
    dock.hide()
    dock.show()
    qtbot.waitUntil(lambda: dock.table.row.state == "no longer there")
    dock.actions.remove.click()
    press(modal(qtbot, QMessageBox), "Remove")
    qtbot.waitUntil(lambda: "mine" not in dock.table.models)


def test_what_cannot_be_added_is_reported(dock, qtbot, reported, folder):
    dock.add(folder)
    dialog = modal(qtbot, AddModel)
    dialog.name.setText("a/b")
    dialog.buttons.button(QDialogButtonBox.StandardButton.Ok).click()
    qtbot.waitUntil(lambda: "is not a valid model name" in "".join(reported))


def test_what_others_wrote_is_shown_as_text(dock, qtbot, folder):
    added(dock, qtbot, folder, "b>old &amp; new".replace(">", ""))
    assert "bold &amp;amp; new" in dock.details.text()


def test_the_page_is_opened_in_the_browser(dock, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    dock.table.choose("VoxTell")
    dock.actions.page.click()
    assert opened == ["https://huggingface.co/mrokuss/VoxTell"]


class Runner:
    """A runner that has a model in memory until it is stopped."""

    models = (("vlm", "mine"), ("embedded", None))

    def stop(self):
        self.models = ()


def test_unload_ends_the_workers_and_is_offered_when_there_are_some(
    dock, qtbot, folder, monkeypatch
):
    added(dock, qtbot, folder)
    runner = Runner()
    monkeypatch.setattr("napari_medvlm.widgets.models.dock.living", lambda: (runner,))
    qtbot.waitUntil(lambda: dock.table.row.state == "loaded", timeout=300_000)
    assert dock.actions.unload.isEnabled()
    dock.actions.unload.click()
    qtbot.waitUntil(lambda: dock.table.row.state == "added", timeout=300_000)
    assert runner.models == ()
    assert not dock.actions.unload.isEnabled()


@pytest.fixture
def lacking(monkeypatch):
    """The backend of vision-language models lacks a module."""
    missing = registry.missing
    monkeypatch.setattr(
        registry, "missing", lambda name: ("captum",) if name == "vlm" else missing(name)
    )


def test_a_backend_that_is_not_installed_is_installed(lacking, dock, qtbot, reported, monkeypatch):
    dock.table.choose("Qwen/Qwen3-VL-4B-Instruct")
    assert dock.table.row.state == "not installed"
    assert "It needs captum" in dock.details.text()
    dock.actions.install.click()
    panel = dock.installing
    assert panel.isVisible()
    assert panel.command.text().startswith(sys.executable)
    assert '"napari-medvlm[vlm]==' in panel.command.text()
    panel.copy.click()
    assert QApplication.clipboard().text() == panel.command.text()

    def slow(backend, say, unwanted):
        say(f"Collecting {backend}")
        while not unwanted():
            pass
        raise Cancelled

    monkeypatch.setattr(install_panel, "install", slow)
    panel.alone.click()
    qtbot.waitUntil(lambda: panel.lines.toPlainText() == "Collecting vlm")
    assert not dock.actions.install.isEnabled()
    panel.job.cancel_button.click()
    qtbot.waitUntil(threads_are_done)
    assert reported == []

    def quick(backend, say, unwanted):
        monkeypatch.setattr(registry, "missing", lambda name: ())
        return "/there"

    monkeypatch.setattr(install_panel, "install", quick)
    with qtbot.waitSignal(panel.installed):
        panel.alone.click()
    assert "vlm runs in /there" in reported[-1]
    assert not panel.isVisible()
    qtbot.waitUntil(lambda: dock.table.row.state == "not downloaded")


def test_a_model_is_used_in_a_dock_that_opens(make_napari_viewer, qtbot, folder, monkeypatch):
    models_registry.add(folder, "vlm", lambda fraction, message="": None, "mine")
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Models")
    qtbot.waitUntil(lambda: "mine" in dock.table.models)
    dock.table.choose("mine")
    titles = [action.text() for action in dock.actions.menu.actions()]
    assert "Ground" in titles
    assert "Segment" not in titles
    next(a for a in dock.actions.menu.actions() if a.text() == "Ground").trigger()
    (ground,) = [w for w in viewer.window.dock_widgets.values() if hasattr(w, "ground")]
    assert (ground.backend.name, ground.model.model) == ("vlm", "mine")
    dock.use("Ground")
    assert len([w for w in viewer.window.dock_widgets.values() if hasattr(w, "ground")]) == 1
    ground.close_dock()
    dock.close_dock()
    qtbot.waitUntil(threads_are_done)


def test_what_can_be_used_is_only_what_is_here_and_installed(dock):
    dock.table.choose("nnInteractive")
    assert not dock.actions.use.isEnabled()
    assert dock.actions.use.toolTip() == "The model is not on this computer."
