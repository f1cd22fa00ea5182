"""The objects of a session, with the buttons for what is done to them."""

import pytest
from numpy.testing import assert_array_equal
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

import napari_medvlm as nmv
from napari_medvlm.widgets.segment.object_list import NAME
from napari_medvlm.widgets.segment.object_panel import ObjectPanel
from tests.conftest import make_phantom


@pytest.fixture
def session():
    with nmv.SegmentationSession(make_phantom()[0], runner="inline") as session:
        yield session


@pytest.fixture
def panel(session, qtbot):
    panel = ObjectPanel()
    qtbot.addWidget(panel)
    panel.bind(session)
    session.changed.connect(lambda _: panel.refresh())
    panel.show()
    return panel


def press(panel, text):
    next(b for b in panel.findChildren(QPushButton) if b.text() == text).click()


def choose(panel, row, modifier=Qt.KeyboardModifier.NoModifier):
    at = panel.list.visualItemRect(panel.list.topLevelItem(row)).center()
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, modifier, at)


@pytest.mark.parametrize("text", ["Merge", "Split", "Delete"])
def test_buttons_without_objects_report_a_sentence_and_record_nothing(
    panel, session, reported, text
):
    press(panel, text)
    assert len(reported) == 1
    assert "Error" not in reported[0]
    assert "None" not in reported[0]
    assert not session.ledger.records


def test_rows_stay_as_they_are_when_an_object_is_added_and_another_one_is_active(panel, session):
    for _ in range(2):
        session.add_object()
    rows = [panel.list.topLevelItem(row) for row in range(2)]
    press(panel, "New")
    assert [panel.list.topLevelItem(row) for row in range(2)] == rows
    assert panel.list.selected() == (3,)
    session.remove_objects(3)
    assert panel.list.topLevelItemCount() == 2
    assert panel.list.selected() == (session.active,)
    session.edit_object(1, name="liver")
    assert panel.list.topLevelItem(0).text(NAME) == "liver"
    assert panel.list.selected() == (session.active,)


def test_two_objects_are_merged_and_one_alone_is_reported(panel, session, reported):
    _, left, right = make_phantom()
    for mask in (left, right):
        session.add_object()
        session.add(nmv.InitialMask.of(session.volume, mask))
    choose(panel, 0)
    press(panel, "Merge")
    assert "two objects" in reported[0]
    choose(panel, 1, Qt.KeyboardModifier.ControlModifier)
    press(panel, "Merge")
    assert list(session.now.objects) == [2]
    assert_array_equal(session.mask, left | right)
    press(panel, "Split")
    assert len(session.now.objects) == 2
    assert reported[1:] == []


def test_a_name_that_is_wiped_out_comes_back(panel, session, reported):
    session.add_object()
    panel.list.topLevelItem(0).setText(NAME, " ")
    assert panel.list.topLevelItem(0).text(NAME) == "Object 1"
    assert not reported


def test_the_delete_key_in_the_list_deletes_the_selected_object(panel, session):
    _, left, right = make_phantom()
    for mask in (left, right):
        session.add_object()
        session.add(nmv.InitialMask.of(session.volume, mask))
    choose(panel, 0)
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    assert list(session.now.objects) == [2]
    session.undo()
    assert list(session.now.objects) == [1, 2]


def test_a_name_of_300_letters_does_not_widen_the_panel(panel, session):
    session.add_object(name="x" * 300)
    assert panel.minimumSizeHint().width() < 400
    assert "…" in panel.measure.text()


def test_an_object_whose_point_lies_in_a_locked_object_says_which(panel, session):
    _, left, right = make_phantom()
    session.add(nmv.InitialMask.of(session.volume, left))
    session.edit_object(session.active, name="Liver", locked=True)
    session.add_object("new")
    inside = [int(n) for n in next(iter(zip(*left.nonzero(), strict=True)))]
    session.add(nmv.Point.at_index(session.volume, inside))
    session.wait()
    assert panel.measure.text().endswith("Its point lies in Liver, which is locked.")


def test_without_objects_the_panel_names_the_next_step(panel):
    assert panel.measure.text() == "No objects yet. Click in the image to add the first one."
