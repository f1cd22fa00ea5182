"""The Segment dock in the window: its menus, its place, its theme, and what ends or waits there."""

import os
import signal
import threading

import numpy as np
import pytest
from napari._qt.dialogs.confirm_close_dialog import ConfirmCloseDialog
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QDockWidget,
    QDoubleSpinBox,
    QLabel,
    QPushButton,
    QWidget,
)

from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.parts import dialogs
from napari_medvlm.widgets.segment import dock as dock_module
from napari_medvlm.widgets.segment.dock import SegmentDock
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT, OUTSIDE, RIGHT, Person

SHARES_WINDOWS = True
LEAST_CONTRAST = 4.5
"""Of text, after WCAG 2.2, success criterion 1.4.3."""


@pytest.fixture
def viewer(make_napari_viewer):
    """A viewer with the phantom and no dock."""
    viewer = make_napari_viewer(show=True)
    viewer.add_layer(Layer.create(*layer_data(make_phantom()[0])))
    yield viewer
    for dock in segment_docks(viewer):
        dock.close_dock()


def segment_docks(viewer):
    return [w for w in viewer.window.dock_widgets.values() if isinstance(w, SegmentDock)]


def open_dock_of(viewer, qtbot):
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    return Person(viewer, dock, qtbot)


def action(menu, text):
    """The entry of a menu, or of a menu in it, with a text."""
    for entry in menu.actions():
        found = action(entry.menu(), text) if entry.menu() is not None else None
        if found is not None or (entry.menu() is None and text in entry.text()):
            return found or entry
    return None


def kinds(person):
    return [p.kind for o in person.session.now.objects.values() for p in o.prompts.values()]


def clicks_left(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()


def test_menus_open_one_dock_which_waits_for_the_image_and_keeps_its_prompts(
    viewer, qtbot, monkeypatch
):
    asked = []
    monkeypatch.setattr(dialogs, "ask_what_to_open", lambda *_: asked.append("file"))
    action(viewer.window.layers_menu, "Open session").trigger()
    qtbot.waitUntil(lambda: bool(asked), timeout=300_000)
    (dock,) = segment_docks(viewer)
    person = Person(viewer, dock, qtbot)
    clicks_left(person)
    size = person.session.mask.sum()
    action(viewer.window.plugins_menu, "Segment (Medical VLM)").trigger()
    action(viewer.window.layers_menu, "Open session").trigger()
    QApplication.processEvents()
    assert segment_docks(viewer) == [dock]
    assert kinds(person) == ["point"]
    assert person.session.mask.sum() == size


def test_while_an_image_is_prepared_the_dock_states_it(viewer, qtbot, monkeypatch):
    is_free, prepare = threading.Event(), dock_module.prepare

    def slow(layer):
        assert is_free.wait(300)
        return prepare(layer)

    monkeypatch.setattr(dock_module, "prepare", slow)
    person = open_dock_of(viewer, qtbot)
    assert person.dock.progress.text == "Reading the image…"
    point = next(b for b in person.dock.tools.findChildren(QPushButton) if b.text() == "Point")
    assert not point.isEnabled()
    assert "Reading the image" in point.toolTip()
    is_free.set()
    person.waits(lambda: person.session is not None and point.isEnabled())
    person.waits(lambda: person.dock.progress.text == "Ready")


def test_rows_and_the_whole_image_are_seen_on_a_small_screen(viewer, qtbot):
    window = viewer.window._qt_window
    window.resize(1366, 740)
    viewer.reset_view()
    person = open_dock_of(viewer, qtbot)
    dock, canvas = person.dock, viewer.window._qt_viewer.canvas.native
    person.waits(lambda: person.session is not None)
    person.waits(lambda: 44 * viewer.scene.camera.zoom <= canvas.width())
    clicks_left(person)
    dock.folds.folds[2].expand()
    table = dock.folds.measure.objects
    person.waits(lambda: table.rowCount() > 0)
    person.waits(lambda: table.viewport().height() >= table.rowHeight(0))
    dock.folds.folds[2].collapse()
    for _ in range(60):
        person.session.add_object()
    rows, bar = dock.objects.list, dock.verticalScrollBar
    person.waits(lambda: rows.topLevelItemCount() == 61)
    window.resize(1366, 980)
    person.waits(lambda: bar().maximum() > 0 or seen(rows) > 12)


def seen(rows):
    """How many rows of a list are seen without scrolling in it."""
    area = rows.viewport().rect()
    items = [rows.topLevelItem(number) for number in range(rows.topLevelItemCount())]
    return sum(rows.visualItemRect(item).intersects(area) for item in items)


def test_a_box_after_the_3d_view_and_a_lasso_after_a_stray_click_are_prompts(person, reported):
    tools, viewer = person.dock.tools, person.viewer
    tools.choose(Tool.BOX)
    viewer.dims.ndisplay = 3
    QApplication.processEvents()
    viewer.dims.ndisplay = 2
    person.waits(lambda: viewer.layers.selection.active.mode == "add_rectangle")
    person.draws([(12, 8, 4), (12, 20, 10), (12, 34, 22)])
    person.waits_for_mask()
    assert kinds(person) == ["box"]
    tools.choose(Tool.LASSO)
    person.clicks(OUTSIDE)
    assert kinds(person) == ["box"]
    assert any("A click draws no lasso" in str(text) for text in reported)
    person.draws([(12, 10, 8), (12, 10, 18), (12, 30, 18), (12, 30, 8), (12, 11, 8)])
    person.waits_for_mask()
    assert kinds(person) == ["box", "lasso"]


def test_a_cancelled_quit_and_a_dock_floated_or_hidden_leave_the_session(person, monkeypatch):
    clicks_left(person)
    session, frame = person.session, person.dock
    while not isinstance(frame, QDockWidget):
        frame = frame.parent()
    questions = []
    monkeypatch.setattr(ConfirmCloseDialog, "exec_", lambda _: questions.append("quit") or 0)
    person.viewer.window._qt_window.close(quit_app=True, confirm_need=True)
    assert questions == ["quit"]
    for change in (
        lambda: frame.setFloating(True),
        lambda: frame.setFloating(False),
        frame.hide,
        frame.show,
    ):
        change()
        QApplication.processEvents()
    assert person.session is session
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert kinds(person) == ["point", "point"]


@pytest.mark.skipif(os.name != "posix", reason="SIGSTOP")
def test_escape_cancels_from_image_list_choice_and_number_while_the_worker_is_busy(
    person, monkeypatch
):
    clicks_left(person)
    number = person.dock.tools.findChildren(QDoubleSpinBox)[0]
    canvas = person.viewer.window._qt_viewer.canvas.native
    cancelled = []
    monkeypatch.setattr(person.session, "cancel", lambda: cancelled.append("cancel"))
    workers = list(person.dock._runner.pids.values())
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        person.clicks(RIGHT)
        assert person.session.pending
        for focused in (canvas, person.dock.objects.list, person.dock.backend, number):
            focused.setFocus()
            cancelled.clear()
            QTest.keyClick(focused, Qt.Key.Key_Escape)
            assert cancelled == ["cancel"]
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    person.waits_for_mask()
    assert kinds(person) == ["point", "point"]


def luminances(window):
    """The relative luminance of each pixel of a window, after WCAG 2.2."""
    image = window.grab().toImage().convertToFormat(QImage.Format.Format_RGBX8888)
    values = np.frombuffer(bytes(image.constBits().asarray(image.sizeInBytes())), np.uint8)
    values = values.reshape(image.height(), image.width(), 4)[..., :3] / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def test_texts_are_readable_in_the_light_and_the_dark_theme(person):
    window = person.viewer.window._qt_window
    for theme in ("light", "dark"):
        person.viewer.theme = theme
        QApplication.processEvents()
        pixels, contrasts = luminances(window), {}
        for widget in person.dock.findChildren(QWidget):
            text = widget.text() if isinstance(widget, (QLabel, QPushButton, QCheckBox)) else ""
            seen = widget.visibleRegion().boundingRect()
            if text and widget.isEnabled() and not seen.isEmpty():
                at = widget.mapTo(window, seen.topLeft())
                drawn = pixels[at.y() :, at.x() :][: seen.height(), : seen.width()]
                contrasts[text] = (drawn.max() + 0.05) / (drawn.min() + 0.05)
        assert len(contrasts) > 10
        assert min(contrasts.values()) >= LEAST_CONTRAST, (theme, contrasts)
