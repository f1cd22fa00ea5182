"""Objects are begun, chosen and named by clicks in the window."""

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QCheckBox, QPushButton

from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.e2e.conftest import LEFT, OUTSIDE, RIGHT

SHARES_WINDOWS = True


def two_objects(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.dock.new_object()
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert person.session.active == 2


def test_with_pan_and_zoom_a_click_on_an_object_makes_it_active(person):
    two_objects(person)
    person.dock.tools.choose(Tool.LOOK)
    person.clicks(LEFT)
    assert person.session.active == 1
    person.clicks(OUTSIDE)
    assert person.session.active == 1
    person.clicks(RIGHT)
    assert person.session.active == 2
    assert [len(o.prompts) for o in person.session.now.objects.values()] == [1, 1]


def test_alt_and_a_click_choose_an_object_while_points_are_added(person):
    two_objects(person)
    QTest.mouseClick(
        person.viewer.window._qt_viewer.canvas.native,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.AltModifier,
        person._pixel(person.world(LEFT)),
    )
    assert person.session.active == 1
    assert [len(o.prompts) for o in person.session.now.objects.values()] == [1, 1]


def test_each_positive_point_begins_an_object_of_its_own(person):
    person.dock.tools.choose(Tool.POINT)
    box = next(b for b in person.dock.tools.findChildren(QCheckBox))
    assert box.text() == "One object per point"
    box.click()
    person.clicks(LEFT)
    person.waits_for_mask()
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert [len(o.prompts) for o in person.session.now.objects.values()] == [1, 1]
    assert person.sees(LEFT) == 1
    assert person.sees(RIGHT) == 2
    person.dock.tools.toggle_polarity()
    person.clicks(OUTSIDE)
    person.waits_for_mask()
    assert [len(o.prompts) for o in person.session.now.objects.values()] == [1, 2]


def test_the_tooltips_of_undo_and_redo_name_the_edit(person):
    buttons = {b.text(): b for b in person.dock.row.findChildren(QPushButton)}
    assert not buttons["Undo"].isEnabled()
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.waits(lambda: "Undo: add point." in buttons["Undo"].toolTip())
    buttons["Undo"].click()
    person.waits(lambda: "Redo: add point." in buttons["Redo"].toolTip())
    assert not buttons["Undo"].isEnabled()
    assert "Nothing to undo." in buttons["Undo"].toolTip()
