"""The window of an image with keys and the mouse in a real window."""

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication

from napari_medvlm.data.volume import Window
from napari_medvlm.data.window_presets import CT_WINDOWS, dragged
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.e2e.conftest import LEFT, OUTSIDE

SHARES_WINDOWS = True

SHIFT, CTRL = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
NONE = Qt.KeyboardModifier.NoModifier


def key(person, kind, code, modifier=NONE):
    canvas = person.viewer.window._qt_viewer.canvas.native
    QApplication.sendEvent(canvas, QKeyEvent(kind, code, modifier))


def hold(person, code, path, modifier=NONE):
    """Hold a key and drag over some voxels."""
    key(person, QEvent.Type.KeyPress, code, modifier)
    person.draws(path)
    key(person, QEvent.Type.KeyRelease, code, modifier)


def limits(person):
    return tuple(float(value) for value in person.dock.image.layer.contrast_limits)


@pytest.mark.parametrize("tool", list(Tool))
def test_holding_w_changes_the_window_with_every_tool_and_adds_no_prompt(person, tool):
    person.dock.tools.choose(tool)
    active = person.viewer.layers.selection.active
    mode, before = active.mode, Window.of_limits(*limits(person))
    center = person.viewer.scene.camera.center
    hold(person, Qt.Key.Key_W, [LEFT, (12, 14, 20), (12, 10, 25)])
    a, b = (QPointF(person._pixel(person.world(zyx))) for zyx in (LEFT, (12, 10, 25)))
    expected = dragged(before, (b - a).x(), (a - b).y())
    assert limits(person) == pytest.approx(expected.limits, rel=1e-6)
    assert not person.session.now.objects
    assert person.viewer.scene.camera.center == center
    assert person.viewer.layers.selection.active.mode == mode
    assert person.viewer.canvas.overlays["medvlm_window"].text == str(expected)


def test_the_tool_works_after_the_key_is_released_and_its_keys_do_the_rest(person):
    person.dock.tools.choose(Tool.POINT)
    loaded = limits(person)
    hold(person, Qt.Key.Key_W, [OUTSIDE, LEFT], SHIFT)
    data = np.asarray(person.session.volume.data)[LEFT[0]]
    (y, stop_y), (x, stop_x) = (sorted((OUTSIDE[i], LEFT[i])) for i in (1, 2))
    seen = np.percentile(data[y : stop_y + 1, x : stop_x + 1], [1, 99])
    assert limits(person) == pytest.approx(seen, abs=8)  # a row more or less on the screen
    person.clicks(LEFT)
    person.waits_for_mask()
    assert len(person.session.now.objects[1].prompts) == 1
    for code, window in ((Qt.Key.Key_3, "Bone"), (Qt.Key.Key_9, "Subdural")):
        key(person, QEvent.Type.KeyPress, code, CTRL)
        assert limits(person) == CT_WINDOWS[window].limits
        assert person.dock.display.windows.shown == window
    for _ in range(3):
        person.dock.display.windows.undo.click()
    assert limits(person) == loaded
    assert len(person.session.now.objects[1].prompts) == 1


def test_a_click_in_a_maximum_lies_on_the_brightest_voxel_of_the_slab(person):
    volume = person.session.volume
    person.dock.tools.choose(Tool.POINT)
    person.dock.display.slab.thickness.setValue(4.5 * volume.grid.spacing[0])
    key(person, QEvent.Type.KeyPress, Qt.Key.Key_M, SHIFT)
    assert person.dock.display.slab.projection.currentText() == "Maximum"
    person.clicks(LEFT)
    person.waits_for_mask()
    (point,) = person.session.now.objects[1].prompts.values()
    z, y, x = (round(i) for i in volume.grid.to_index(point.position_mm))
    assert (abs(y - LEFT[1]), abs(x - LEFT[2])) <= (1, 1)
    column = volume.data[LEFT[0] - 2 : LEFT[0] + 3, y, x]
    assert volume.data[z, y, x] == column.max()
    points = person.layer("points")
    assert len(points._view_data) == 1  # shown, though it lies on another slice
    key(person, QEvent.Type.KeyPress, Qt.Key.Key_M, SHIFT)
    assert str(person.dock.image.layer.projection_mode) != "max"
    before = limits(person)
    key(person, QEvent.Type.KeyPress, Qt.Key.Key_W)
    QApplication.instance().applicationStateChanged.emit(Qt.ApplicationState.ApplicationInactive)
    person.draws([LEFT, OUTSIDE])  # the key was released in another window
    assert limits(person) == before
    person.dock.close_dock()
    assert person.viewer.dims.margin_left == (0.0, 0.0, 0.0)
