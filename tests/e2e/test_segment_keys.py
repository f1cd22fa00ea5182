"""Keys and mouse buttons in the Segment dock, next to layers of the user's own."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenu, QPushButton

from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.e2e.conftest import LEFT, OUTSIDE, RIGHT

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def canvas(person):
    return person.viewer.window._qt_viewer.canvas.native


def press(person, key, modifier=Qt.KeyboardModifier.NoModifier, widget=None):
    QTest.keyClick(widget or canvas(person), key, modifier)


def prompts(person, object_id=1):
    return list(person.session.now.objects[object_id].prompts.values())


def test_keys_of_the_dock_work_after_a_click_in_its_lists(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    for widget in (person.dock.backend, person.dock.objects.list):
        chosen, count = person.dock.backend.name, len(person.session.now.objects)
        widget.setFocus()
        press(person, Qt.Key.Key_N, SHIFT, widget)
        assert len(person.session.now.objects) == count + 1
        press(person, Qt.Key.Key_S, SHIFT, widget)
        assert person.dock.tools.tool is Tool.SCRIBBLE
        assert person.dock.backend.name == chosen
        person.dock.tools.choose(Tool.LOOK)


def test_menu_entries_of_undo_and_redo_name_the_edit(person):
    menu = person.viewer.window.layers_menu

    def texts():
        menu.popup(QPoint(0, 0))
        segment = menu.findChild(QMenu, "napari/layers/segment")
        texts = [action.text() for action in segment.actions()]
        menu.close()
        return [t.removesuffix(" (Medical VLM)") for t in texts if t.startswith(("Undo", "Redo"))]

    assert texts() == ["Undo edit", "Redo edit"]
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    assert texts() == ["Undo: add point", "Redo edit"]
    person.session.edit_object(1, name="Lung & pleura")
    assert texts() == ["Undo: edit object", "Redo edit"]
    press(person, Qt.Key.Key_Z, CTRL)
    assert texts() == ["Undo: add point", "Redo: edit object"]
    person.viewer.layers.clear()
    person.waits(lambda: person.session is None)
    assert texts() == ["Undo edit", "Redo edit"]


def test_a_labels_layer_of_the_user_keeps_its_undo(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    own = person.viewer.add_labels(
        np.zeros(person.session.volume.shape, np.uint8), affine=person.layer("mask").affine
    )
    look = next(
        b for b in person.dock.tools.findChildren(QPushButton) if b.text() == Tool.LOOK.title
    )
    QTest.mouseClick(look, Qt.MouseButton.LeftButton)
    own.mode, own.selected_label, own.brush_size = "paint", 3, 5
    person.draws([OUTSIDE, (12, 5, 24), (12, 6, 26)])
    assert np.any(own.data)
    press(person, Qt.Key.Key_Z, CTRL)
    assert not np.any(own.data)
    assert len(prompts(person)) == 1


def test_tool_keys_work_on_shapes_of_the_user_until_the_dock_is_closed(person):
    own = person.viewer.add_shapes(ndim=3)
    press(person, Qt.Key.Key_P, SHIFT)
    assert person.dock.tools.tool is Tool.POINT
    person.viewer.layers.selection.active = own
    press(person, Qt.Key.Key_L, SHIFT)
    assert person.dock.tools.tool is Tool.LASSO
    assert own.mode == "pan_zoom"
    person.viewer.layers.selection.active = own
    person.dock.close_dock()
    press(person, Qt.Key.Key_P, SHIFT)
    assert own.mode == "add_polygon_lasso"  # napari's own key


def test_escape_ends_a_polygon_before_it_cancels(person):
    person.dock.tools.choose(Tool.BOX)
    person.layer("shapes").mode = "add_polygon"
    for zyx in ((12, 8, 8), (12, 8, 20), (12, 32, 20)):
        person.clicks(zyx)
        person.qtbot.wait(300)  # else napari takes two clicks for a double click
    press(person, Qt.Key.Key_Escape)
    person.waits_for_mask()
    (lasso,) = prompts(person)
    assert lasso.kind == "lasso"
    assert not person.dock._layers.shapes.finish_drawing()


@pytest.mark.parametrize("button", [Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton])
def test_a_right_click_is_a_negative_point_and_the_middle_button_is_the_camera_s(person, button):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    size = person.session.mask.sum()
    QTest.mouseClick(canvas(person), button, pos=person._pixel(person.world(OUTSIDE)))
    person.waits_for_mask()
    added = [p.positive for p in prompts(person)][1:]
    assert added == ([False] if button == Qt.MouseButton.RightButton else [])
    assert person.session.mask.sum() <= size


def test_the_first_prompt_of_a_new_object_is_positive(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    press(person, Qt.Key.Key_T, SHIFT)
    assert not person.dock.tools.positive
    press(person, Qt.Key.Key_N, SHIFT)
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert [p.positive for p in prompts(person, 2)] == [True]


def test_brackets_step_the_size_of_the_last_point_and_undo_takes_a_step_back(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    own = int(person.session.mask.sum())
    press(person, Qt.Key.Key_BracketRight)
    person.waits(lambda: not person.session.pending and person.session.mask.sum() > own)
    assert prompts(person)[0].size_step == 1
    press(person, Qt.Key.Key_BracketLeft)
    press(person, Qt.Key.Key_BracketLeft)
    person.waits(lambda: not person.session.pending and 0 < person.session.mask.sum() < own)
    assert prompts(person)[0].size_step == -1
    person.session.undo()
    person.waits(lambda: not person.session.pending and person.session.mask.sum() == own)
    larger = next(b for b in person.dock.tools.size.findChildren(QPushButton) if "Larg" in b.text())
    QTest.mouseClick(larger, Qt.MouseButton.LeftButton)
    person.waits(lambda: not person.session.pending and person.session.mask.sum() > own)


def test_brackets_set_the_brush_of_scribbles(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.dock.tools.choose(Tool.SCRIBBLE)
    layer = person.viewer.layers.selection.active
    size = layer.brush_size
    press(person, Qt.Key.Key_BracketRight)
    assert layer.brush_size == size + 1
    assert prompts(person)[0].size_step == 0


def turn_wheel(person, notches, modifier):
    """Turn the wheel over the middle of the canvas, by notches away from the person."""
    widget = canvas(person)
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at, QPointF(widget.mapToGlobal(at.toPoint())), QPoint(), QPoint(0, 120 * notches),
        Qt.MouseButton.NoButton, modifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def test_shift_and_the_wheel_step_the_size_of_the_last_point_and_nothing_else(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    zoom, slices = person.viewer.scene.camera.zoom, person.viewer.dims.point
    turn_wheel(person, 1, SHIFT)
    person.waits(lambda: prompts(person)[0].size_step == 1)
    for _ in range(2):
        turn_wheel(person, -1, SHIFT)
    person.waits(lambda: prompts(person)[0].size_step == -1)
    assert person.viewer.scene.camera.zoom == zoom
    assert person.viewer.dims.point == slices
    turn_wheel(person, 1, CTRL)
    assert person.viewer.dims.point != slices
    assert prompts(person)[0].size_step == -1
    person.session.undo()
    assert prompts(person)[0].size_step == 0
