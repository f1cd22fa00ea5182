"""The Views dock in a real window: linked planes, prompts in any of them, and nothing left."""

import gc
import weakref

import numpy as np
from napari.qt import QtViewer
from numpy.testing import assert_allclose
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_medvlm.layers.orientation import Plane, go_to
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.e2e.conftest import HAND_MS, LEFT, _drag


def open_views(person):
    _, dock = person.viewer.window.add_plugin_dock_widget("napari-medvlm", "Views")
    person.waits(lambda: all(panel.isVisible() for panel in dock.panels))
    person.qtbot.wait(100)
    return dock


def close_views(person, dock):
    person.viewer.window.remove_dock_widget(dock)
    person.qtbot.wait(20)
    QApplication.processEvents()


def pixel(panel, world):
    model, native = panel.view.model, panel.canvas.canvas.native
    camera = model.scene.camera
    shown = list(model.dims.displayed)
    down, right = (np.array(world)[shown] - np.array(camera.center)[-2:]) * camera.zoom
    vertical, horizontal = map(str, camera.orientation2d)
    x = native.width() / 2 + (right if horizontal == "right" else -right)
    y = native.height() / 2 + (down if vertical == "down" else -down)
    return QPoint(round(x), round(y))


def click(person, panel, world):
    native = panel.canvas.canvas.native
    at = pixel(panel, world)
    QTest.mouseMove(native, at)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=at)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=at)
    QApplication.processEvents()


def test_two_side_views_show_the_other_planes_with_the_same_array(person):
    dock = open_views(person)
    assert [panel.plane for panel in dock.panels] == [Plane.CORONAL, Plane.SAGITTAL]
    for panel in dock.panels:
        assert panel.view.model.layers[0].data is person.viewer.layers[0].data
    person.dock.display.planes.view_requested.emit("Coronal")
    assert [panel.plane for panel in dock.panels] == [Plane.AXIAL, Plane.SAGITTAL]


def test_a_jump_moves_all_views_and_a_slider_of_one_moves_the_others(person):
    dock = open_views(person)
    coronal, sagittal = (panel.view.model for panel in dock.panels)
    s, p, left = person.world((12, 21, 14))
    go_to(person.viewer, (s, p, left))
    assert coronal.dims.point[1] == p
    assert sagittal.dims.point[2] == left
    step = coronal.dims.range[1].step
    coronal.dims.point = (coronal.dims.point[0], p + 2 * step, coronal.dims.point[2])
    person.dock.display.planes.view_requested.emit("Coronal")
    assert_allclose(person.viewer.dims.point, (s, p + 2 * step, left))


def test_a_click_in_a_side_view_segments_and_its_mask_and_point_are_in_all_views(person):
    dock = open_views(person)
    person.dock.tools.choose(Tool.POINT)
    world = person.world(LEFT)
    go_to(person.viewer, world)
    person.qtbot.wait(100)
    click(person, dock.panels[0], world)
    person.waits_for_mask()
    (prompt,) = person.session.now.objects[1].prompts.values()
    model = dock.panels[0].view.model
    assert_allclose(prompt.position_mm, world, atol=1 / model.scene.camera.zoom)
    assert person.sees(LEFT) == 1
    for panel in dock.panels:
        model = panel.view.model
        person.waits(lambda model=model: any(x.name.startswith("Objects") for x in model.layers))
        layers = {x.metadata["medvlm"]["role"]: x for x in model.layers}
        assert np.shares_memory(layers["mask"].data, person.session.labels)
        person.waits(lambda points=layers["points"]: len(points.data) == 1)


def test_display_settings_and_label_edits_follow_in_both_directions(person):
    dock = open_views(person)
    model = dock.panels[0].view.model
    image = person.viewer.layers[0]
    image.contrast_limits = (10, 50)
    image.visible = False
    assert model.layers[0].contrast_limits == [10, 50]
    assert not model.layers[0].visible
    model.layers[0].colormap = "magma"
    assert image.colormap.name == "magma"
    labels = person.viewer.add_labels(
        np.zeros(image.data.shape, np.uint8), affine=image.affine, name="mine"
    )
    (twin,) = [layer for layer in model.layers if layer.name == "mine"]
    assert twin.data is labels.data
    drawn = []
    labels.events.set_data.connect(lambda _: drawn.append(1))
    twin.paint((12, 20, 13), 3)
    assert labels.data[12, 20, 13] == 3
    assert drawn
    person.viewer.layers.remove(labels)
    assert twin not in model.layers


def test_opening_and_closing_several_times_leaves_nothing_and_gives_the_room_back(person):
    gone, before = [], len(QtViewer._instances)
    native = person.viewer.window._qt_viewer.canvas.native
    person.viewer.window.resize(1500, 900)
    person.waits(lambda: native.width() > 500)
    width = native.width()
    for _ in range(4):
        dock = open_views(person)
        person.waits(lambda: native.width() < width - 100)
        for panel in dock.panels:
            gone += [weakref.ref(panel.view.model), weakref.ref(panel.canvas)]
            gone += [weakref.ref(layer) for layer in panel.view.model.layers]
        panel = None
        close_views(person, dock)
        dock = None
        person.waits(lambda: native.width() >= width - 40)
    gc.collect()
    QApplication.processEvents()
    gc.collect()
    assert [ref() for ref in gone if ref() is not None] == []
    assert len(QtViewer._instances) == before


def test_a_stroke_in_a_side_view_is_an_edit_that_all_views_show_and_undo(person):
    dock = open_views(person)
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    before = person.session.mask.copy()
    person.dock.tools.choose(Tool.PAINT)
    panel = dock.panels[0]
    assert panel.plane is Plane.CORONAL
    layers = {x.metadata["medvlm"]["role"]: x for x in panel.view.model.layers}
    person.waits(lambda: layers["mask"].mode == "paint")
    person.layer("mask").brush_size = 2
    start, stop = (4, 4, 6), (8, 4, 6)  # across the slices, which a coronal plane shows
    go_to(person.viewer, person.world(start))
    person.qtbot.wait(100)
    native = panel.canvas.canvas.native
    first, last = pixel(panel, person.world(start)), pixel(panel, person.world(stop))
    QTest.mouseMove(native, first)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=first)
    for share in (1 / 3, 2 / 3, 1):
        person.qtbot.wait(HAND_MS)
        _drag(native, first + (last - first) * share)
    person.qtbot.wait(HAND_MS)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=last)
    person.waits(lambda: person.session.mask.sum() > before.sum())
    added = person.session.mask & ~before
    for z in range(4, 9):
        assert added[z, 4, 6]
    assert set(np.argwhere(added)[:, 1]) <= {4}
    assert person.sees(start) == person.sees(stop) == 1
    sagittal = {x.metadata["medvlm"]["role"]: x for x in dock.panels[1].view.model.layers}
    assert np.shares_memory(sagittal["mask"].data, person.session.labels)
    person.dock.row.undo()
    person.waits(lambda: np.array_equal(person.session.mask, before))
    assert person.sees(start) == 0
