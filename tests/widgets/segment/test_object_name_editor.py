"""Naming an object by a term that DICOM has a code for."""

import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLineEdit

from napari_medvlm.ledger.records import ObjectInfo
from napari_medvlm.widgets.segment.object_list import NAME, ObjectList
from napari_medvlm.widgets.segment.object_name_editor import TermCompleter


@pytest.fixture
def editing(qtbot):
    """A list of one object, whose name is being edited."""
    objects = ObjectList()
    qtbot.addWidget(objects)
    objects.show_objects([(ObjectInfo(id=1, name="Object 1", color="#4dd2ff"), 0)], 1)
    with qtbot.waitActive(objects):
        objects.show()
        objects.activateWindow()
    objects.editItem(objects.topLevelItem(0), NAME)
    edit = objects.findChild(QLineEdit)
    edit.selectAll()
    return objects, edit


def test_the_terms_with_what_is_typed_are_offered_with_their_codes(editing, qtbot):
    objects, edit = editing
    qtbot.keyClicks(edit, "left kid")
    completer = edit.findChild(TermCompleter)
    assert completer.model().stringList()[0] == "Left Kidney (SCT 64033007)"
    qtbot.waitUntil(completer.popup().isVisible)
    qtbot.keyClick(completer.popup(), Qt.Key.Key_Down)
    qtbot.keyClick(completer.popup(), Qt.Key.Key_Return)
    with qtbot.waitSignal(objects.renamed) as renamed:
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert renamed.args == [1, "Left Kidney"]


def test_any_other_name_may_be_given(editing, qtbot):
    objects, edit = editing
    qtbot.keyClicks(edit, "what I saw")
    with qtbot.waitSignal(objects.renamed) as renamed:
        qtbot.keyClick(edit, Qt.Key.Key_Return)
    assert renamed.args == [1, "what I saw"]
