"""Docks in a small window, and what the wheel and keys do in them."""

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDateEdit,
    QDateTimeEdit,
    QDial,
    QDockWidget,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QMainWindow,
    QPushButton,
    QSlider,
    QSpinBox,
    QTabBar,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider, QRangeSlider

from napari_medvlm.widgets.runtime.dock import Dock
from napari_medvlm.widgets.views.toolbar import ViewsToolbar


class TallDock(Dock):
    """2000 pixels of content."""

    def __init__(self):
        super().__init__()
        self.combo, self.spin, self.list = QComboBox(), QSpinBox(), QListWidget()
        self.combo.addItems(["embedded", "nnInteractive", "Segment Anything", "x" * 200])
        self.list.addItems(["Kidney", "Spleen"])
        self.button, self.line, self.tail = QPushButton("New"), QLineEdit(), QLabel()
        self.tail.setFixedHeight(2000)
        layout = QVBoxLayout(self.body)
        for part in (self.combo, self.spin, self.list, self.button, self.line, self.tail):
            layout.addWidget(part)

    def close_dock(self):
        pass


class ViewerWindow(QMainWindow):
    """Stands for napari's: records the keys that reach the dock's frame."""

    def __init__(self):
        super().__init__()
        self.keys = []
        self.resize(900, 500)

    def open(self, dock):
        frame = QDockWidget()
        frame.keyPressEvent = lambda event: self.keys.append(Qt.Key(event.key()))
        frame.setWidget(dock)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, frame)
        return frame


@pytest.fixture
def window(qtbot):
    window = ViewerWindow()
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def dock(window, qtbot):
    dock = TallDock()
    window.open(dock)
    qtbot.waitUntil(lambda: dock.combo.isVisible())
    return dock


def roll(widget, delta=-120):
    center = widget.rect().center()
    at = QPointF(center), QPointF(widget.mapToGlobal(center))
    none = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(*at, QPoint(0, delta), QPoint(0, delta), *none, False)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()  # if not, Qt goes on with the parent, at last the scroll area


def test_content_that_is_higher_than_the_screen_scrolls(window, dock):
    assert window.minimumSizeHint().height() < 500
    assert window.height() == 500
    assert dock.verticalScrollBar().maximum() > 1500


def test_a_dock_at_its_least_width_has_no_horizontal_scroll_bar(window, dock, qtbot):
    dock.setStyleSheet("QScrollArea { border: 2px solid; }")
    dock.updateGeometry()
    window.resize(10, 400)
    qtbot.waitUntil(lambda: dock.width() == dock.minimumSizeHint().width())
    assert dock.frameWidth() == 2
    assert dock.verticalScrollBar().isVisible()
    assert dock.horizontalScrollBar().maximum() == 0


def test_a_long_entry_of_a_list_does_not_widen_the_dock(dock):
    dock.combo.setCurrentIndex(3)
    assert dock.minimumSizeHint().width() < 300


def test_a_second_dock_opens_as_a_tab_of_the_first(window, dock, qtbot):
    frame = window.open(TallDock())
    qtbot.waitUntil(lambda: window.tabifiedDockWidgets(frame) == [dock.parent()])
    third = window.open(TallDock())
    qtbot.waitUntil(lambda: len(window.tabifiedDockWidgets(third)) == 2)
    assert window.height() == 500
    assert window.minimumSizeHint().height() < 500


def test_a_dock_in_a_background_tab_comes_to_the_front_where_a_menu_would_close_it(
    window, dock, qtbot
):
    second = window.open(TallDock())
    qtbot.waitUntil(lambda: second.isVisible() and dock.visibleRegion().isEmpty())
    frame = dock.parent()
    for shown in (frame, second, frame):  # as napari's Plugins menu does
        shown.setVisible(not shown.isVisible())
        qtbot.waitUntil(lambda shown=shown: not shown.widget().visibleRegion().isEmpty())
    assert not frame.isHidden()
    assert not second.isHidden()
    frame.setVisible(not frame.isVisible())
    qtbot.waitUntil(lambda: not second.widget().visibleRegion().isEmpty())
    assert frame.isHidden(), "the dock in front is closed"


def test_a_background_tab_that_is_closed_with_all_others_stays_closed(window, dock, qtbot):
    second = window.open(TallDock())
    qtbot.waitUntil(lambda: second.isVisible() and dock.visibleRegion().isEmpty())
    frame = dock.parent()
    frame.hide()
    second.hide()
    window.removeDockWidget(window.open(TallDock()))
    QApplication.processEvents()
    assert frame.isHidden()
    assert second.isHidden()


def test_the_wheel_over_a_choice_without_focus_scrolls_the_dock(dock):
    dock.line.setFocus()
    for choice in (dock.combo, dock.spin):
        assert not roll(choice)
        assert not choice.hasFocus()
    assert dock.combo.currentIndex() == 0
    assert dock.spin.value() == 0
    assert roll(dock.viewport())
    assert dock.verticalScrollBar().value() > 0


def test_the_wheel_changes_no_control_without_focus(dock, qtbot):
    """Of every kind in the docks and some that are not; the controls of Views are in no `Dock`."""
    toolbar = ViewsToolbar()
    qtbot.addWidget(toolbar)
    toolbar.show()
    dates, tabs = QDateEdit(), QTabBar()
    tabs.addTab("Phrases")
    tabs.addTab("Report")
    parts = [QDial(), QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox(), QTimeEdit()]
    parts += [QLabeledDoubleSlider(), QRangeSlider(), dates, tabs]
    for part in parts:
        dock.body.layout().insertWidget(0, part)
    qtbot.waitUntil(lambda: toolbar.isVisible() and parts[0].isVisible())
    controls = [*parts, toolbar.layouts, toolbar.reach]
    before = [value_of(control) for control in controls]
    for control in controls:
        for part in (control, *control.findChildren(QWidget)):
            if not part.isWindow():
                roll(part, 120)
                roll(part, -240)
    assert [value_of(control) for control in controls] == before


def value_of(control):
    if isinstance(control, QDateTimeEdit):
        return control.dateTime()
    return control.currentIndex() if hasattr(control, "currentIndex") else control.value()


@pytest.mark.parametrize("key", [Qt.Key.Key_N, Qt.Key.Key_S, Qt.Key.Key_Space])
def test_letters_and_space_in_lists_are_keys_of_the_viewer(window, dock, key):
    for choice in (dock.combo, dock.list):
        choice.setFocus()
        QTest.keyClick(choice, key, Qt.KeyboardModifier.ShiftModifier)
    assert [k for k in window.keys if k != Qt.Key.Key_Shift] == [key, key]
    assert dock.combo.currentIndex() == 0
    assert dock.list.currentRow() <= 0


def test_letters_in_a_line_are_text(window, dock):
    dock.line.setFocus()
    QTest.keyClicks(dock.line, "Ns ")
    assert dock.line.text() == "Ns "
    assert not {Qt.Key.Key_N, Qt.Key.Key_Delete} & set(window.keys)


def test_the_delete_key_does_not_reach_the_viewer(window, dock):
    dock.list.setFocus()
    QTest.keyClick(dock.list, Qt.Key.Key_Delete)
    assert not {Qt.Key.Key_N, Qt.Key.Key_Delete} & set(window.keys)


def test_a_button_that_was_clicked_is_not_pressed_by_space(dock):
    clicks = []
    dock.button.clicked.connect(lambda: clicks.append(1))
    dock.line.setFocus()
    QTest.mouseClick(dock.button, Qt.MouseButton.LeftButton)
    assert not dock.button.hasFocus()
    assert clicks == [1]


def test_what_is_added_to_a_shown_dock_later_is_filtered_too(dock, qtbot):
    late = QComboBox()
    late.addItems(["first", "second"])
    dock.body.layout().insertWidget(0, late)
    qtbot.waitUntil(late.isVisible)
    roll(late)
    assert late.currentIndex() == 0
