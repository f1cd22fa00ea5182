"""What a clinician does in the window."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import napari_medvlm as nmv
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.orientation import Plane, show_3d, show_plane
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import dice, make_phantom
from tests.e2e.conftest import LEFT, OUTSIDE, RIGHT

SHARES_WINDOWS = True


def test_the_first_click_in_the_image_gives_a_mask_of_the_object(person):
    assert person.dock.tools.tool is Tool.POINT
    person.clicks(LEFT)
    person.waits_for_mask()
    assert person.sees(LEFT) == 1
    assert person.sees(RIGHT) == 0
    person.waits(lambda: "mL" in person.dock.objects.measure.text())


def test_a_negative_click_takes_away_and_is_red(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.dock.tools.toggle_polarity()
    person.clicks(LEFT[:2] + (15,))
    person.waits_for_mask()
    assert person.sees(LEFT[:2] + (15,)) == 0
    points = person.layer("points")
    assert points.face_color[0][1] > points.face_color[0][0]
    assert points.face_color[1][0] > points.face_color[1][1]


def test_a_prompt_is_seen_as_pending_until_its_mask_is_there(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    points, (worker,) = person.layer("points"), person.dock._runner.pids.values()
    os.kill(worker, signal.SIGSTOP)
    try:
        points.add(points.world_to_data(person.world(RIGHT)))
        person.waits(lambda: len(points.data) == 2)
        person.waits(lambda: not np.allclose(*points.border_color))
        answered = points.border_color[0].copy()
    finally:
        os.kill(worker, signal.SIGCONT)
    person.waits_for_mask()
    person.waits(lambda: np.allclose(points.border_color, [answered, answered]))


def test_a_point_that_is_not_drawn_yet_outlives_the_removal_of_another(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    points = person.layer("points")
    points.add(points.world_to_data(person.world(RIGHT)))
    points.selected_data = {0}
    points.remove_selected()
    person.waits_for_mask()
    (left_over,) = person.session.now.objects[1].prompts.values()
    assert_allclose(left_over.position_mm, person.world(RIGHT), atol=1e-3)
    assert person.sees(RIGHT) == 1
    assert len(points.data) == 1


def test_dragging_a_point_and_deleting_it_are_edits_of_the_ledger(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    points = person.layer("points")
    points.mode = "select"
    person.draws([LEFT, (12, 20, 14), RIGHT])
    person.waits_for_mask()
    (moved,) = person.session.now.objects[1].prompts.values()
    assert_allclose(moved.position_mm, person.world(RIGHT), atol=2)
    assert person.sees(RIGHT) == 1
    points.selected_data = {0}
    points.remove_selected()
    person.waits(lambda: not person.session.mask.any())
    person.dock.row.undo()
    person.waits_for_mask()
    assert person.sees(RIGHT) == 1
    assert len(points.data) == 1


def test_taking_a_layer_of_prompts_away_takes_its_prompts_and_undo_brings_them_back(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.viewer.layers.remove(person.layer("points"))
    person.waits(lambda: not person.session.mask.any())
    person.dock.row.undo()
    person.waits_for_mask()
    assert len(person.layer("points").data) == 1


def test_removing_all_layers_at_once_leaves_the_prompts_in_the_ledger(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    ledger, layers = person.session.ledger, person.viewer.layers
    layers.select_all()
    layers.remove_selected()
    person.waits(lambda: person.session is None)
    assert not layers
    assert len(ledger.now.objects[1].prompts) == 1


def test_an_image_taken_away_while_its_masks_are_drawn_leaves_no_layer(person, monkeypatch):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    ledger, layers, shown = person.session.ledger, person.viewer.layers, person.dock._layers
    redraw = shown.redraw

    def redraw_and_lose_the_image():
        redraw()
        layers.remove(person.dock.image.layer)
        person.waits(lambda: person.session is None)  # as events are handled meanwhile

    monkeypatch.setattr(shown, "redraw", redraw_and_lose_the_image)
    layers.remove(person.layer("mask"))
    person.session.changed.emit((slice(0, 2),) * 3)
    person.waits(lambda: person.session is None)
    person.waits(lambda: not layers)
    assert len(ledger.now.objects[1].prompts) == 1


def test_a_click_outside_the_image_is_reported_and_taken_back(person, monkeypatch):
    reported = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", reported.append)
    person.dock.tools.choose(Tool.POINT)
    person.clicks((12, -5, 20))
    person.waits(lambda: len(person.layer("points").data) == 0)
    assert "outside the image" in reported[0]
    assert not person.session.now.objects


def test_quick_clicks_are_one_prompt_each(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.clicks_at_once((12, 21, 13), (12, 17, 13))
    person.dock.new_object()
    person.clicks_at_once(RIGHT, (12, 17, 33))
    person.waits_for_mask()
    entries = [r for r in person.session.ledger.records if r.record == "entry"]
    reported = [event.event for entry in entries for event in entry.events]
    assert (reported.count("prompt_added"), reported.count("prompt_removed")) == (5, 0)
    assert [len(live.prompts) for live in person.session.now.objects.values()] == [3, 2]


def test_switching_objects_shows_the_prompts_of_the_active_one(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.dock.new_object()
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert_allclose(person.layer("points").data[0], RIGHT, atol=0.6)
    rows = person.dock.objects.list
    rows.setCurrentItem(rows.topLevelItem(0))
    person.waits(lambda: np.allclose(person.layer("points").data[0], LEFT, atol=0.6))
    assert person.session.active == 1


def test_keys_undo_and_redo_also_where_napari_has_its_own(person):
    person.dock.tools.choose(Tool.SCRIBBLE)
    person.draws([(12, 20, 10), (12, 20, 14)])
    person.waits_for_mask()
    from napari._app_model import get_app_model  # noqa: F401  # the window's keys need the app
    from napari.utils.key_bindings import coerce_keybinding

    press(person.layer("scribbles"), coerce_keybinding("Control-Z"))
    person.waits(lambda: not person.session.now.objects)
    press(person.viewer, coerce_keybinding("Control-Shift-Z"))
    person.waits_for_mask()
    assert person.sees(LEFT) == 1


def press(target, key):
    target.keymap[key](target)


def test_the_next_day_the_session_is_offered_and_comes_back(open_dock):
    volume = make_phantom()[0]
    first = open_dock(volume)
    first.dock.tools.choose(Tool.POINT)
    first.clicks(LEFT)
    first.waits_for_mask()
    labels = first.session.labels.copy()
    first.dock.close_dock()
    second = open_dock(volume)
    assert not second.dock.resume.isHidden()
    second.dock.resume.resume.click()
    second.waits(lambda: bool(second.session.now.objects))
    second.waits_for_mask()
    assert_array_equal(second.session.labels, labels)
    assert second.dock.resume.isHidden()


def test_a_session_of_another_image_is_reported_and_changes_nothing(person, foreign, reported):
    other = make_phantom(seed=1)[0]
    with nmv.SegmentationSession(other, "threshold", "inline") as session:
        session.add(nmv.Point.at_index(other, LEFT))
    before = person.session
    person.dock.row.opened.emit(session.ledger)
    assert "another image" in reported[0]
    assert person.session is before
    assert person.dock.backend.name == before.backend == "embedded"


def test_an_image_that_cannot_be_worked_on_is_reported_and_the_tools_stay_off(
    make_napari_viewer, qtbot, monkeypatch
):
    reported = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", reported.append)
    viewer = make_napari_viewer()
    viewer.add_image(np.ones((4, 5, 6)), name="blank")
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Segment")
    qtbot.waitUntil(lambda: bool(reported), timeout=300_000)
    assert "same value" in reported[0]
    assert dock.session is None
    dock.tools.choose(Tool.POINT)
    assert dock.tools.tool is Tool.LOOK
    viewer.add_image(np.zeros((2, 3, 4, 5)), name="four axes")
    dock.image.setCurrentIndex(1)
    qtbot.waitUntil(lambda: len(reported) > 1, timeout=300_000)
    assert "Split Stack" in reported[1]
    dock.close_dock()


def test_the_users_own_layer_is_not_touched(person):
    image = person.viewer.layers[0]
    before = np.asarray(image.data).copy(), np.asarray(image.affine), image.contrast_limits
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    assert_array_equal(image.data, before[0])
    assert_array_equal(np.asarray(image.affine), before[1])
    assert image.contrast_limits == before[2]


def test_on_an_oblique_scan_the_mask_is_where_the_click_was(open_dock):
    volume, left, _ = make_phantom(degrees=(0, 0, 30))
    person = open_dock(volume)
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    assert person.sees(LEFT) == 1
    assert dice(person.session.mask, left) > 0.85
    points = person.layer("points")
    assert_allclose(points.data_to_world(points.data[0]), person.world(LEFT), atol=1)


def test_left_is_on_the_right_anterior_and_superior_are_up_and_3d_is_no_mirror(person):
    viewer = person.viewer
    show_plane(viewer, Plane.AXIAL)
    assert tuple(map(str, viewer.scene.camera.orientation2d)) == ("down", "right")
    assert viewer.dims.order == (0, 1, 2)
    for plane in (Plane.CORONAL, Plane.SAGITTAL):
        show_plane(viewer, plane)
        assert tuple(map(str, viewer.scene.camera.orientation2d)) == ("up", "right")
        assert viewer.dims.order == plane.value
    assert "patient's left" not in viewer.canvas.overlays.text.text
    show_3d(viewer)
    assert tuple(map(str, viewer.scene.camera.orientation)) == ("away", "down", "right")


def test_masks_are_saved_with_the_scans_affine(person, tmp_path, monkeypatch):
    import SimpleITK as sitk

    path = tmp_path / "mask.nii.gz"
    monkeypatch.setattr(
        "napari_medvlm.widgets.parts.dialogs.ask_where_to_save", lambda *_: Path(path)
    )
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    person.dock.row.save_mask()
    person.waits(path.exists)
    saved = sitk.ReadImage(str(path))
    assert_array_equal(sitk.GetArrayFromImage(saved) == 1, person.session.mask)
    lps = saved.TransformIndexToPhysicalPoint(LEFT[::-1])
    assert_allclose(lps[::-1], person.world(LEFT), atol=1e-3)


def test_existing_labels_are_kept_and_a_layer_can_be_the_start(person):
    volume, left, right = make_phantom()
    labels = person.viewer.add_labels(
        right.astype(np.uint8),
        affine=volume.affine,
        name="from elsewhere",
        features={"index": [0, 1], "object": ["none", "cyst"]},
        metadata={KEY: {"tracking_uids": {1: "1.2.3"}}},
    )
    assert person.dock.labels.choice.layer is labels
    person.dock.labels.take.click()
    person.waits(lambda: len(person.session.now.objects) == 1)
    kept = person.session.now.objects[1].info
    assert (kept.name, kept.locked, kept.tracking_uid) == ("cyst", True, "1.2.3")
    person.dock.new_object()
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    assert_array_equal(person.session.mask_of(1), right)
    assert dice(person.session.mask_of(2), left) > 0.85


@pytest.mark.parametrize("dock", ["Segment", "Ground", "Evaluate"])
def test_opening_a_dock_loads_no_models_and_is_quick_beside_napari_itself(dock):
    code = f"""
import sys, time
import napari
viewer = napari.Viewer(show=False)
napari_s = time.process_time()  # of the processor: other work may run at the same time
viewer.window.add_plugin_dock_widget("napari-medvlm", {dock!r})
print((time.process_time() - napari_s) / napari_s)
heavy = {{"torch", "transformers", "SimpleITK", "nilearn", "pydicom"}} & set(sys.modules)
assert not heavy, heavy
viewer.close()
"""
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=untraced)
    assert done.returncode == 0, done.stderr
    # A third on a quiet machine, half on a busy one; torch alone would be more than once.
    assert float(done.stdout.splitlines()[-1]) < 1


def test_outside_is_background(person):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    assert person.sees(OUTSIDE) == 0


def test_a_click_never_waits_for_the_garbage_of_the_whole_window(person):
    assert gc.get_freeze_count()
    person.dock.close_dock()
    assert not gc.get_freeze_count()
