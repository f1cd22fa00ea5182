"""Editing prompts in napari's own way: copies, quick strokes, and drawing while an answer comes."""

import os
import signal
from contextlib import contextmanager

import numpy as np
from numpy.testing import assert_allclose
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.layers.orientation import show_3d
from napari_medvlm.widgets.segment import dock, timing
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.e2e.conftest import HAND_MS, LEFT, RIGHT, _drag

SHARES_WINDOWS = True

CTRL = Qt.KeyboardModifier.ControlModifier


def press(person, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(person.viewer.window._qt_viewer.canvas.native, key, modifier)
    person.qtbot.wait(1)


def prompts(person, object_id=1):
    return list(person.session.now.objects[object_id].prompts.values())


@contextmanager
def stopped(person):
    """The worker is busy with something."""
    (worker,) = person.dock._runner.pids.values()
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


@contextmanager
def drawing(person, path):
    """Press and draw over places; what happens in the body happens before the release."""
    canvas = person.viewer.window._qt_viewer.canvas.native
    worlds = [person.world(zyx) for zyx in path]
    person.viewer.dims.point = tuple(worlds[0])
    person.waits(lambda: person._is_drawn_as_said(worlds[0]))
    places = [person._pixel(world) for world in worlds]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=places[0])
    half = len(places) // 2 + 1
    for place in places[1:half]:
        person.qtbot.wait(HAND_MS)
        _drag(canvas, place)
    yield
    for place in places[half:]:
        person.qtbot.wait(HAND_MS)
        _drag(canvas, place)
    person.qtbot.wait(HAND_MS)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=places[-1])


def test_points_that_are_copied_or_cut_and_pasted_are_prompts_also_in_another_object(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    points = person.layer("points")
    show_3d(person.viewer)  # on a plane napari fails itself
    points.mode = "select"
    points.selected_data = {0}
    press(person, Qt.Key.Key_C, CTRL)
    press(person, Qt.Key.Key_V, CTRL)
    person.waits_for_mask()
    assert len(prompts(person)) == len(points.data) == 2
    points.selected_data = {0, 1}
    press(person, Qt.Key.Key_Delete)
    person.waits_for_mask()
    assert not prompts(person)
    press(person, Qt.Key.Key_V, CTRL)
    person.waits_for_mask()
    assert len(prompts(person)) == 1
    person.dock.new_object()
    person.waits_for_mask()
    press(person, Qt.Key.Key_V, CTRL)
    person.waits_for_mask()
    assert [len(prompts(person, i)) for i in (1, 2)] == [1, 1]
    assert len(points.data) == 1


def drawn_with_the_mask(person):
    """A list that gets how many points are drawn when the mask follows all of them."""
    points, drawn = person.layer("points"), []
    person.layer("mask").events.set_data.connect(
        lambda _: person.session.pending_prompts() or drawn.append(len(points.data))
    )
    return drawn


def test_the_mask_of_a_fast_model_comes_before_the_click_is_drawn(person, monkeypatch):
    monkeypatch.setattr(timing, "FAST_S", 60)
    monkeypatch.setattr(dock, "SOON_MS", 60_000)
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    drawn = drawn_with_the_mask(person)
    person.clicks_at_once(RIGHT)
    person.waits_for_mask()
    assert drawn[0] == 1
    assert len(person.layer("points").data) == 2


def test_a_click_is_drawn_at_once_where_the_model_is_slow(person, monkeypatch):
    monkeypatch.setattr(timing, "FAST_S", 0)
    monkeypatch.setattr(dock, "SOON_MS", 60_000)
    monkeypatch.setattr(dock, "PENDING_MS", 60_000)
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    with stopped(person):
        person.clicks_at_once(RIGHT)
        person.waits(lambda: len(person.layer("points").data) == 2)
        assert len(person.session.pending_prompts()) == 1
    person.waits_for_mask()


def test_a_copy_of_a_box_on_another_slice_is_a_second_box(person):
    person.dock.tools.choose(Tool.BOX)
    person.draws([(12, 10, 6), (12, 20, 10), (12, 30, 20)])
    person.waits_for_mask()
    shapes = person.layer("shapes")
    shapes.mode = "select"
    shapes.selected_data = {0}
    press(person, Qt.Key.Key_C, CTRL)
    person.viewer.dims.point = tuple(person.world((10, 20, 13)))
    press(person, Qt.Key.Key_V, CTRL)
    person.waits(lambda: len(prompts(person)) == 2)
    person.waits_for_mask()
    slices = [int(box.bounds(person.session.volume.grid)[0][0]) for box in prompts(person)]
    assert slices == [12, 10]
    assert shapes.nshapes == 2


def test_an_answer_does_not_break_off_the_box_that_is_being_drawn(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.dock.tools.choose(Tool.BOX)
    with drawing(person, [(12, 8, 4), (12, 20, 10), (12, 34, 22)]):
        person.session.add(Point.at_index(person.session.volume, (12, 22, 13)))
        person.waits_for_mask()
    person.waits(lambda: len(prompts(person)) == 3)
    person.waits_for_mask()
    start, stop = prompts(person)[2].bounds(person.session.volume.grid)
    assert_allclose(start, (12, 8, 4), atol=1)
    assert_allclose(stop, (13, 35, 23), atol=1)
    assert person.layer("shapes").nshapes == 1


def test_a_box_dragged_while_an_answer_arrives_stays_where_it_was_dropped(person):
    person.dock.tools.choose(Tool.BOX)
    person.draws([(12, 10, 6), (12, 20, 10), (12, 30, 20)])
    person.waits_for_mask()
    person.layer("shapes").mode = "select"
    with drawing(person, [(12, 10, 13), (12, 10, 20), (12, 10, 33)]):
        person.session.add(Point.at_index(person.session.volume, (12, 22, 13)))
        person.waits_for_mask()
    person.waits(lambda: prompts(person)[0].bounds(person.session.volume.grid)[0][2] > 20)
    person.waits_for_mask()


def test_boxes_of_another_object_outlive_a_box_that_is_drawn_right_after_the_switch(person):
    person.session.add(Box.at_index(person.session.volume, (12, 10, 6), (13, 30, 20)))
    person.dock.new_object()
    person.session.add(Box.at_index(person.session.volume, (12, 10, 28), (13, 30, 40)))
    person.dock.tools.choose(Tool.BOX)
    person.waits_for_mask()
    shapes = person.layer("shapes")
    person.session.activate(1)
    shapes.add(
        np.array([(12, 12, 8), (12, 12, 18), (12, 28, 18), (12, 28, 8)]), shape_type="rectangle"
    )
    person.waits_for_mask()
    assert [len(prompts(person, i)) for i in (1, 2)] == [2, 1]
    person.session.remove(*list(person.session.now.objects[1].prompts)[1:])
    person.waits_for_mask()
    assert shapes.nshapes == 1


def test_a_box_that_is_taken_away_before_it_is_answered_stays_away(person):
    person.dock.tools.choose(Tool.BOX)
    person.draws([(12, 10, 6), (12, 20, 10), (12, 30, 20)])
    person.waits_for_mask()
    shapes = person.layer("shapes")
    with stopped(person):
        person.draws([(12, 10, 28), (12, 20, 32), (12, 30, 40)])
        shapes.selected_data = {1}
        shapes.remove_selected()
        assert len(prompts(person)) == 1
    person.waits_for_mask()
    assert shapes.nshapes == 1


def test_quick_strokes_are_all_whole(person):
    person.dock.tools.choose(Tool.SCRIBBLE)
    person.draws([(12, 20, 10), (12, 20, 14)])
    with drawing(person, [(12, 24, 8), (12, 24, 12), (12, 24, 16), (12, 24, 18)]):
        person.waits_for_mask()
    person.waits(lambda: len(prompts(person)) == 2)
    person.waits_for_mask()
    across = prompts(person)[1].voxels(person.session.volume.grid)[:, 2]
    assert across.min() <= 8
    assert across.max() >= 17


def test_a_click_in_3d_which_has_no_depth_is_reported_and_says_nothing(person, reported):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    show_3d(person.viewer)
    canvas = person.viewer.window._qt_viewer.canvas.native
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    assert "no depth" in reported[0]
    person.waits_for_mask()
    assert len(prompts(person)) == len(person.layer("points").data) == 1


def test_a_polygon_that_is_painted_is_one_scribble(person):
    person.dock.tools.choose(Tool.SCRIBBLE)
    person.viewer.dims.point = tuple(person.world((12, 20, 13)))
    scribbles = person.layer("scribbles")
    scribbles.paint_polygon([(12, 14, 8), (12, 14, 18), (12, 26, 13)], 1)
    person.waits_for_mask()
    (scribble,) = prompts(person)
    said = scribble.voxels(person.session.volume.grid)
    assert len(said) == (np.asarray(scribbles.data) == 1).sum() > 30
