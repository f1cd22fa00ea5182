"""Models in the window and on the command line: none is ever loaded in the process of a window."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from napari.layers import Layer
from numpy.testing import assert_array_equal

from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT, RIGHT
from tests.worker import fork_server

SHARES_WINDOWS = True

ROOT = Path(__file__).parents[2]
WAIT_MS = 300_000
EVERY_DOCK = """
import json, socket, sys, time
import napari
from napari.layers import Layer
from npe2 import PluginManager
from qtpy.QtWidgets import QApplication
from qtpy.QtTest import QTest
from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT, Person

class Bot:
    wait = staticmethod(QTest.qWait)
    def waitUntil(self, there, timeout):
        until(there)

def until(there):
    end = time.monotonic() + 600
    while not there():
        assert time.monotonic() < end
        QApplication.processEvents()
        time.sleep(0.01)

viewer, called, docks = napari.Viewer(), [], {}
connect, look_up = socket.socket.connect, socket.getaddrinfo
def connected(self, address):
    called.append(str(address))
    return connect(self, address)
def looked_up(*address, **how):
    called.append(str(address))
    return look_up(*address, **how)
socket.socket.connect, socket.getaddrinfo = connected, looked_up
manifest = PluginManager.instance().get_manifest("napari-medvlm")
titles = [widget.display_name for widget in manifest.contributions.widgets]
for name in titles:
    docks[name] = viewer.window.add_plugin_dock_widget("napari-medvlm", name)[1]
    QApplication.processEvents()
socket.socket.connect, socket.getaddrinfo = connect, look_up

viewer.add_layer(Layer.create(*layer_data(make_phantom()[0])))
dock = docks["Segment"]
until(lambda: dock.session is not None)
dock.backend.setCurrentIndex(dock.backend.findData("sam"))
dock.backend.activated.emit(0)
dock.model.edit.setText(sys.argv[1])
dock.model.edit.editingFinished.emit()
for name in set(docks) - {"Segment"}:
    viewer.window.remove_dock_widget(docks.pop(name))
panels = viewer.window._qt_viewer
for panel in (panels.dockLayerControls, panels.dockLayerList):  # the screen is narrow
    panel.hide()
until(lambda: panels.canvas.native.width() > 200)
viewer.reset_view()
dock.tools.choose(Tool.POINT)
Person(viewer, dock, Bot()).clicks(LEFT)
until(lambda: not dock.session.pending and not dock.session.pending_prompts())
(point,) = dock.session.now.objects[1].prompts.values()
models = {"monai", "nnInteractive", "segment_anything", "torch", "transformers", "voxtell"}
result = {
    "docks": titles,
    "called": called,
    "loaded": sorted(models & set(sys.modules)),
    "voxels": int(dock.session.mask.sum()),
    "scale": viewer.window._qt_window.devicePixelRatioF(),
    "voxel": dock.session.volume.grid.to_index([point.position_mm])[0].round().tolist(),
}
for opened in docks.values():
    if hasattr(opened, "close_dock"):
        opened.close_dock()
viewer.close()
print(json.dumps(result))
"""


def ran(program, *arguments, **variables):
    """What a program of its own printed, with variables of its environment."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ | variables
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_command(*arguments):
    """What a command prints with ``--json``, which is nothing but JSON."""
    done = fork_server.run_command(*map(str, arguments), "--json", folder=str(ROOT))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Small models, in a folder each or a file, by the name of their backend."""
    folder = tmp_path_factory.mktemp("models")
    fork_server.run("tests.backends.sam.tiny_sam:checkpoint", folder, "sam", lift=5)
    network = folder / "nninteractive"
    fork_server.run(
        "tests.backends.nninteractive.tiny_nninteractive:save_nninteractive", network, 32
    )
    return {name: folder / name for name in ("sam", "nninteractive")}


@pytest.fixture(params=["sam", "nninteractive"])
def backend(request):
    return request.param


def take_backend(person, backend, model):
    """Choose a backend, and name its model."""
    dock = person.dock
    dock.backend.setCurrentIndex(dock.backend.findData(backend))
    dock.backend.activated.emit(dock.backend.currentIndex())
    dock.model.edit.setText(str(model))
    dock.model.edit.editingFinished.emit()
    dock.tools.choose(Tool.POINT)


def is_answered(person):
    person.waits(lambda: not person.session.pending, WAIT_MS)
    person.waits_for_mask()


@pytest.fixture(scope="module")
def every_dock(models):
    """What a window with all docks on a screen of twice the scale reports after a click."""
    return json.loads(ran(EVERY_DOCK, models["sam"], QT_SCALE_FACTOR="2").splitlines()[-1])


def test_opening_every_dock_uses_no_network_and_models_load_no_torch_in_the_viewer(every_dock):
    assert {"Segment", "Ground", "Ask"} <= set(every_dock["docks"])
    assert every_dock["called"] == []
    assert every_dock["loaded"] == []
    assert every_dock["voxels"] > 0


def test_a_click_on_a_screen_of_twice_the_scale_is_at_its_voxel(every_dock):
    assert every_dock["scale"] == 2
    assert every_dock["voxel"] == list(LEFT)


def test_clicks_undo_a_killed_worker_and_another_image(open_dock, models, backend):
    person = open_dock(make_phantom()[0])
    take_backend(person, backend, models[backend])
    person.clicks(LEFT)
    is_answered(person)
    assert person.sees(LEFT) == 1
    person.clicks(RIGHT)
    is_answered(person)
    both = person.session.labels.copy()
    person.dock.row.undo()
    is_answered(person)
    person.dock.row.undo()
    person.waits(lambda: not person.session.mask.any())
    assert person.sees(LEFT) == 0
    person.dock.row.redo()
    person.dock.row.redo()
    is_answered(person)
    for pid in person.dock._runner.pids.values():
        os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    person.dock.progress.again_requested.emit()
    is_answered(person)
    assert_array_equal(person.session.labels, both)
    leave_and_come_back(person, both)


def leave_and_come_back(person, labels):
    """Work on a second image, go back, and go on where the first was left."""
    dock, first = person.dock, person.dock.image.layer
    second = person.viewer.add_layer(Layer.create(*layer_data(make_phantom(seed=1)[0])))
    dock.image.choose(second)
    person.waits(lambda: dock.image.layer is second and dock.session is not None)
    dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    is_answered(person)
    assert person.sees(LEFT) == 1
    dock.image.choose(first)
    person.waits(lambda: dock.image.layer is first and not dock.resume.isHidden())
    dock.resume.resume.click()
    person.waits(lambda: bool(person.session.now.objects))
    is_answered(person)
    assert_array_equal(person.session.labels, labels)


def test_the_commands_segment_and_replay_and_print_nothing_but_json(models, backend, tmp_path):
    volume = make_phantom()[0]
    image, session = tmp_path / "scan.nii.gz", tmp_path / "session.json"
    sitk.WriteImage(sitk.GetImageFromArray(volume.data), str(image))
    click = "--point", ",".join(map(str, LEFT))
    named = "--backend", backend, "--model", models[backend]
    found = run_command("segment", image, *named, *click, "--session", session)
    assert found["backend"] == backend
    assert found["volume_ml"] > 0
    again = run_command("replay", session)
    assert again["identical"]
    assert again["objects"][0]["backend"] == backend


def test_a_wrong_path_is_reported_once_with_what_to_do(tmp_path):
    image = tmp_path / "scan.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(make_phantom()[0].data), str(image))
    named = "--backend", "sam", "--model", str(tmp_path / "no.pth"), "--point", "12,20,13"
    command = [sys.executable, "-c", "from napari_medvlm.cli import app; app()"]
    done = subprocess.run(
        [*command, "segment", str(image), *named], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    first, hint = done.stderr.splitlines()
    assert first.startswith("There is no file")
    assert hint.startswith("Name one file")
