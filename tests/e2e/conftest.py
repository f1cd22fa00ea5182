"""A real window with a dock on a phantom."""

import contextlib

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_medvlm.backends import registry
from napari_medvlm.layers import layer_data
from tests.conftest import make_phantom
from tests.e2e.asking import Asker, choose
from tests.shared_windows import make_napari_viewer, shared_windows
from tests.windows import (
    garbage_left_to_fixtures,
    glyphs_computed_once,
    manifests_read_once,
    shaders_parsed_once,
)
from tests.worker.conftest import use_foreign

__all__ = (
    "garbage_left_to_fixtures",
    "glyphs_computed_once",
    "make_napari_viewer",
    "manifests_read_once",
    "shaders_parsed_once",
    "shared_windows",
)

HAND_MS = 25
"""Between two moves of the mouse: vispy drops those that come within 10 ms."""
LEFT, RIGHT, OUTSIDE = (12, 20, 13), (12, 20, 33), (12, 4, 22)


class Person:
    """What the user does in the window, and what they see."""

    def __init__(self, viewer, dock, qtbot):
        self.viewer, self.dock, self.qtbot = viewer, dock, qtbot

    @property
    def session(self):
        return self.dock.session

    def waits(self, condition, timeout_ms=300_000):
        self.qtbot.waitUntil(condition, timeout=timeout_ms)

    def waits_for_mask(self):
        QApplication.processEvents()
        self.waits(lambda: not self.session.pending and not self.session.pending_prompts())
        self.waits(lambda: self.dock.progress.text == "Ready")
        self.waits(lambda: not self.dock._rest.is_due)
        self.waits(lambda: not self.dock._layers.is_due)

    def layer(self, role):
        found = [x for x in self.viewer.layers if x.metadata.get("medvlm", {}).get("role") == role]
        return found[0] if found else None

    def world(self, zyx):
        return self.session.volume.grid.to_world(zyx)

    def clicks(self, zyx):
        """Move the planes to a voxel and click on it."""
        self.draws([zyx])

    def clicks_at_once(self, *places):
        """Click on voxels of the slice in view before the window does anything else."""
        canvas = self.viewer.window._qt_viewer.canvas.native
        for zyx in places:
            at = self._pixel(self.world(zyx))
            QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=at)
            QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=at)

    def draws(self, path):
        """Move the planes to a voxel, press there, drag over the others, release at the last."""
        worlds = [self.world(zyx) for zyx in path]
        self.viewer.dims.point = (*self.viewer.dims.point[:-3], *worlds[0])
        self.waits(lambda: self._is_drawn_as_said(worlds[0]))
        canvas = self.viewer.window._qt_viewer.canvas.native
        places = [self._pixel(world) for world in worlds]
        left = Qt.MouseButton.LeftButton
        QTest.mouseMove(canvas, places[0])
        QTest.mousePress(canvas, left, pos=places[0])
        for place in places[1:]:
            self.qtbot.wait(HAND_MS)
            _drag(canvas, place)
        self.qtbot.wait(HAND_MS)
        QTest.mouseRelease(canvas, left, pos=places[-1])
        QApplication.processEvents()

    def _is_drawn_as_said(self, world):
        """Whether the canvas has followed the camera, which it does a little later."""
        place, canvas = self._pixel(world), self.viewer.window._qt_viewer.canvas
        there = canvas._map_canvas2world((place.x(), place.y()), canvas.view)
        return np.allclose(there[-3:], world, atol=1 / self.viewer.scene.camera.zoom)

    def _pixel(self, world):
        """Where a place of the world stands in the canvas."""
        camera, canvas = self.viewer.scene.camera, self.viewer.window._qt_viewer.canvas.native
        shown = [axis - (self.viewer.dims.ndim - 3) for axis in self.viewer.dims.displayed]
        down, right = (np.array(world)[shown] - np.array(camera.center)[-2:]) * camera.zoom
        vertical, horizontal = map(str, camera.orientation2d)
        x = canvas.width() / 2 + (right if horizontal == "right" else -right)
        y = canvas.height() / 2 + (down if vertical == "down" else -down)
        return QPoint(round(x), round(y))

    def sees(self, zyx):
        """The label that the mask layer shows at a voxel."""
        mask = self.layer("mask")
        at = np.round(mask.world_to_data(self.world(zyx))).astype(int)
        return int(mask.data[tuple(at)])


def _drag(canvas, place):
    """Move with the button held, which QTest cannot."""
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    where = QPointF(place), QPointF(canvas.mapToGlobal(place))
    QApplication.sendEvent(canvas, QMouseEvent(QEvent.Type.MouseMove, *where, left, left, none))


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    def open_dock(volume):
        viewer = make_napari_viewer(show=True)
        viewer.add_layer(Layer.create(*layer_data(volume)))
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
        person = Person(viewer, dock, qtbot)
        docks.append(dock)
        person.waits(lambda: dock.session is not None)
        return person

    docks = []
    yield open_dock
    for dock in docks:
        with contextlib.suppress(RuntimeError):  # the test has closed its window
            dock.close_dock()


@pytest.fixture
def person(open_dock):
    return open_dock(make_phantom()[0])


@pytest.fixture
def foreign(monkeypatch):
    """Backends of another package."""
    use_foreign(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture
def open_ask(make_napari_viewer, qtbot, foreign):
    docks = []

    def open_ask(volume):
        viewer = make_napari_viewer(show=True)
        viewer.add_layer(Layer.create(*layer_data(volume)))
        _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Ask")
        docks.append(dock)
        asker = Asker(viewer, dock, qtbot)
        asker.waits(lambda: dock.session is not None)
        return asker

    yield open_ask
    for dock in docks:
        with contextlib.suppress(RuntimeError):  # the test has closed it
            dock.close_dock()


@pytest.fixture
def asker(open_ask):
    """The Ask dock on a phantom, with the embedded backend."""
    return open_ask(make_phantom()[0])


@pytest.fixture
def scripted(asker):
    """The same with a backend whose answers are scripted."""
    choose(asker, "scripted")
    return asker
