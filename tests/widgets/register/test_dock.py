"""The Register dock: two studies in a real window."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Layer
from numpy.testing import assert_allclose
from scipy import ndimage

from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data, volume_of
from napari_medvlm.layers.orientation import Plane, go_to, position_in_view, show_plane
from napari_medvlm.layers.pairing.pairing_layers import CHECKERBOARD, PRIOR, SUBTRACTION
from napari_medvlm.widgets.commands import named_dock
from napari_medvlm.widgets.register import commands
from napari_medvlm.widgets.register import dock as dock_module
from napari_medvlm.widgets.register.earlier_pairings import earlier_pairings
from napari_medvlm.widgets.register.quality_text import quality_text
from tests.io.dicom_objects.test_spatial_registration import TURN, registration
from tests.sessions.test_register import frame_of, series

WAIT_MS = 300_000
BLOBS = ndimage.gaussian_filter(np.random.default_rng(3).normal(size=(24, 32, 32)), 3)
CURRENT = Volume((4000 * BLOBS).astype(np.float32), name="current")
SHIFTED = np.eye(4)
SHIFTED[:3, 3] = 0, 6, 0
PRIOR_VOLUME = replace(CURRENT, affine=SHIFTED, name="prior")
"""The same image 6 mm further back."""


@pytest.fixture
def dock(make_napari_viewer):
    viewer = make_napari_viewer()
    for volume in (PRIOR_VOLUME, CURRENT):
        viewer.add_layer(Layer.create(*layer_data(volume)))
    dock = named_dock(viewer, "Register")
    yield dock
    dock.close_dock()


@pytest.fixture
def paired(dock, qtbot):
    dock.start()
    qtbot.waitUntil(lambda: not dock.job.busy and dock.studies is not None, timeout=WAIT_MS)
    return dock


def names(dock):
    return [layer.name for layer in dock.viewer.layers]


def test_the_last_two_images_are_chosen_and_nothing_is_paired(dock):
    assert (dock.controls.current.layer.name, dock.controls.prior.layer.name) == (
        "current",
        "prior",
    )
    assert not dock.comparison.blink_button.isEnabled()
    assert "then register" in dock.controls.quality.text()


def test_the_registered_prior_is_shown_without_resampling_and_removed_again(paired):
    assert names(paired) == ["prior", "current", "prior (registered)"]
    layer = paired.viewer.layers["prior (registered)"]
    assert volume_of(layer).data is PRIOR_VOLUME.data
    corner = volume_of(layer).affine[:3, 3]
    assert_allclose(corner, (0, 0, 0), atol=1.0)  # of a prior that lies 6 mm behind
    assert not paired.viewer.layers["prior"].visible
    assert "Rigid" in paired.controls.quality.text()
    assert [paired.controls.prior.itemText(k) for k in range(paired.controls.prior.count())] == [
        "prior",
        "current",
    ]
    paired.remove_pairing()
    assert names(paired) == ["prior", "current"]
    assert paired.viewer.layers["prior"].visible


def test_blink_checkerboard_and_subtraction(paired):
    commands.blink(paired.viewer)
    assert not paired.viewer.layers["prior (registered)"].visible
    paired.comparison.blink_button.click()
    assert paired.viewer.layers["prior (registered)"].visible
    paired.comparison.board.click()
    paired.comparison.difference.click()
    assert names(paired)[3:] == ["Checkerboard", "Current minus prior"]
    layer = paired.viewer.layers["Current minus prior"]
    paired.comparison.threshold.setValue(1e6)
    assert not np.asarray(layer.data).any()
    paired.comparison.board.click()
    assert not paired.comparison.layers.has(CHECKERBOARD)
    assert paired.comparison.layers.has(SUBTRACTION)


def test_the_prior_is_shown_side_by_side_with_a_window_of_its_own(paired):
    viewer = paired.viewer
    go_to(viewer, (9, 12, 14))
    paired.comparison.beside.click()
    assert position_in_view(viewer) == (9, 12, 14)
    panel = paired.comparison.panel
    (image,) = [layer for layer in panel.view.model.layers if layer.name.startswith("prior")]
    assert image.metadata["medvlm"]["volume"].data is PRIOR_VOLUME.data  # resliced, not copied
    assert not viewer.layers["prior (registered)"].visible
    image.contrast_limits = (-100, 100)
    viewer.layers["current"].contrast_limits = (-500, 500)
    assert tuple(image.contrast_limits) == (-100, 100)


def test_closing_the_side_by_side_view_frees_it_and_shows_the_prior_over_again(paired, qtbot):
    paired.comparison.beside.click()
    panel = paired.comparison.panel
    model = weakref.ref(panel.view.model)
    paired.viewer.window.remove_dock_widget(panel)
    assert not paired.comparison.beside.isChecked()
    assert paired.viewer.layers["prior (registered)"].visible
    del panel
    gc.collect()
    qtbot.waitUntil(lambda: gc.collect() is None or model() is None, timeout=WAIT_MS)
    paired.comparison.beside.click()
    paired.remove_pairing()
    assert paired.comparison.panel is None


def test_a_manual_shift_moves_the_prior_and_is_reported(paired, qtbot):
    before = paired.studies.pairing.affine_mm
    paired.correction.shifts[0].setValue(5)
    paired.correct()
    qtbot.waitUntil(lambda: paired.studies.pairing.kind is PairingKind.MANUAL, timeout=WAIT_MS)
    shift = paired.studies.pairing.affine_mm @ np.linalg.inv(before)
    assert_allclose(shift[:3, 3], (5, 0, 0), atol=1e-9)
    assert "Corrected by hand" in paired.controls.quality.text()
    assert paired.correction.shifts[0].value() == 0


def test_a_correction_is_undone(paired, qtbot):
    assert not paired.controls.undo_button.isEnabled()
    before = paired.studies
    paired.correction.shifts[0].setValue(5)
    paired.correct()
    qtbot.waitUntil(lambda: paired.controls.undo_button.isEnabled(), timeout=WAIT_MS)
    entries = paired.session.ledger.entries
    assert [entry.events[0].kind for entry in entries] == ["rigid", "manual"]
    paired.undo()
    assert paired.studies is before
    assert len(paired.session.ledger.entries) == 1
    layer = paired.viewer.layers["prior (registered)"]
    assert_allclose(volume_of(layer).affine, before.moved.affine)
    assert not paired.controls.undo_button.isEnabled()
    paired.controls.redo_button.click()
    assert paired.studies.pairing.kind is PairingKind.MANUAL
    assert not paired.controls.redo_button.isEnabled()


def test_keys_shift_and_turn_the_prior_in_the_plane_in_view_until_apply_or_reset(paired, qtbot):
    viewer, before = paired.viewer, paired.studies
    show_plane(viewer, Plane.CORONAL)
    commands.shift_prior_up(viewer)  # superior is up
    commands.shift_prior_right(viewer)
    commands.shift_prior_right(viewer)
    layer = viewer.layers["prior (registered)"]
    move = layer.affine.affine_matrix @ np.linalg.inv(display_grid(before.moved.grid).affine)
    assert_allclose(move[:3, 3], (1, 0, 2), atol=1e-9)
    assert paired.studies is before
    paired.correction.reset_button.click()
    for _ in range(5):
        commands.turn_prior_clockwise(viewer)
    turned = paired.correction.matrix(np.zeros(3))[:3, :3] @ (0, 0, 1)  # what is at the right
    angle = np.deg2rad(5)
    assert_allclose(turned, (-np.sin(angle), 0, np.cos(angle)), atol=1e-9)  # comes down
    commands.turn_prior_counterclockwise(viewer)
    assert [spin.value() for spin in paired.correction.turns] == [0, -4, 0]
    paired.correction.apply_button.click()
    qtbot.waitUntil(lambda: paired.studies is not before, timeout=WAIT_MS)
    assert paired.studies.pairing.kind is PairingKind.MANUAL
    assert paired.correction.is_empty


def test_keys_without_a_registration_are_reported(dock, reported):
    commands.shift_prior_left(dock.viewer)
    assert "Nothing is registered." in reported[0]


def test_an_earlier_registration_of_the_two_images_is_offered_and_resumed(paired, qtbot):
    before = paired.studies.pairing.affine_mm
    paired.correction.step((5, 0, 0), (0, 0, 0))
    paired.correction.apply_button.click()
    qtbot.waitUntil(lambda: paired.controls.undo_button.isEnabled(), timeout=WAIT_MS)
    paired.remove_pairing()
    layers = [paired.viewer.layers[name] for name in ("prior", "current")]
    paired.controls.current.choose(layers[0])
    assert not paired.earlier.isVisibleTo(paired)
    paired.controls.current.choose(layers[1])
    qtbot.waitUntil(lambda: paired.earlier.isVisibleTo(paired), timeout=WAIT_MS)
    paired.earlier.resume.click()
    qtbot.waitUntil(lambda: paired.controls.undo_button.isEnabled(), timeout=WAIT_MS)
    shift = paired.studies.pairing.affine_mm @ np.linalg.inv(before)
    assert_allclose(shift[:3, 3], (5, 0, 0), atol=1e-9)
    assert "Corrected by hand" in paired.controls.quality.text()
    paired.controls.undo_button.click()
    assert_allclose(paired.studies.pairing.affine_mm, before)


def test_a_registration_with_another_prior_is_not_offered(paired):
    viewer, current = paired.viewer, paired.controls.current.layer
    other = Layer.create(*layer_data(replace(CURRENT, data=CURRENT.data[::-1].copy())))
    viewer.add_layer(other)
    assert [str(s) for s in earlier_pairings(current, other)] == []


def test_landmarks_show_their_error_and_register_the_prior(paired, qtbot):
    form, viewer = paired.landmarks, paired.viewer
    assert not form.current_button.isEnabled()
    for start in ((8, 10, 10), (14, 20, 12), (9, 12, 25)):
        go_to(viewer, start)
        form.mark_prior()
        go_to(viewer, np.add(start, (0, 2, 0)))
        form.mark_current()
    assert "1: 2.0, 2: 2.0, 3: 2.0; mean 2.0 mm" in form.errors.text()
    before = paired.studies.pairing
    form.fit()
    qtbot.waitUntil(lambda: paired.controls.undo_button.isEnabled(), timeout=WAIT_MS)
    moved = paired.studies.pairing.to_current((10, 10, 10)) - before.to_current((10, 10, 10))
    assert_allclose(moved, (0, 2, 0), atol=1e-6)
    assert "Fitted to 3 landmark pairs: mean error 0.0 mm." in paired.controls.quality.text()
    assert "mean 0.0 mm" in form.errors.text()
    form.remove_last()
    assert len(form.pairs) == 2
    paired.remove_pairing()
    assert not form.pairs


def test_the_same_point_in_the_other_study(paired):
    paired.viewer.dims.point = (10, 10, 10)
    paired.go_to_prior()
    assert_allclose(paired.viewer.dims.point, (10, 16, 10), atol=1.0)
    assert paired.viewer.layers["prior"].visible
    assert not paired.comparison.layers.layer(PRIOR).visible
    paired.go_to_current()
    assert_allclose(paired.viewer.dims.point, (10, 10, 10), atol=1.0)


def test_points_boxes_and_labels_of_the_prior_are_carried_over(paired):
    viewer = paired.viewer
    viewer.add_points([[10, 16, 10]], name="nodule")
    paired.carry()
    assert_allclose(viewer.layers["nodule (carried over)"].data, [[10, 10, 10]], atol=0.6)
    viewer.add_shapes([[[5, 10, 10], [5, 10, 14], [5, 14, 14], [5, 14, 10]]], name="box")
    paired.carry()
    carried = viewer.layers["box (carried over)"].data[0]
    assert_allclose(carried, [[5, 4, 10], [5, 4, 14], [5, 8, 14], [5, 8, 10]], atol=0.6)
    values = np.zeros(CURRENT.shape, np.uint8)
    values[8:12, 10:14, 10:14] = 3
    viewer.add_labels(values, name="lesion", translate=(0, 6, 0))
    paired.carry()
    moved = viewer.layers["lesion (carried over)"].data
    overlap = ((moved == 3) & (values == 3)).sum() / (values == 3).sum()
    assert overlap > 0.7


def test_removing_an_image_ends_the_pairing(paired, qtbot):
    paired.viewer.layers.remove("prior")
    qtbot.waitUntil(lambda: names(paired) == ["current"], timeout=WAIT_MS)
    assert paired.studies is None


def test_a_cancelled_registration_leaves_nothing(dock, qtbot):
    dock.start()
    dock.job.cancel()
    qtbot.waitUntil(lambda: not dock.job.busy, timeout=WAIT_MS)
    assert dock.studies is None
    assert names(dock) == ["prior", "current"]


def test_quality_in_words():
    pairing = Pairing(PairingKind.AFFINE, np.eye(4), 0.3, 0.9, 0.95, 12.4, notes=("Note.",))
    assert quality_text(pairing) == (
        "Affine, 12 s. Agreement (mutual information) changed from 0.30 to 0.90. "
        "Bodies overlap by 95%.\nNote."
    )


def test_the_transform_of_a_dicom_file_is_used(make_napari_viewer, qtbot, tmp_path, monkeypatch):
    viewer = make_napari_viewer()
    prior, current = series(tmp_path / "prior"), series(tmp_path / "current")
    for volume in (prior, current):
        viewer.add_layer(Layer.create(*layer_data(volume)))
    path = registration(tmp_path / "reg.dcm", frame_of(current), {frame_of(prior): TURN})
    dock = named_dock(viewer, "Register")
    monkeypatch.setattr(dock_module, "ask_what_to_open", lambda *_: path)
    dock.controls.kind_choice.setCurrentText("DICOM registration…")
    dock.start()
    qtbot.waitUntil(lambda: dock.studies is not None, timeout=WAIT_MS)
    assert dock.studies.pairing.kind is PairingKind.SPATIAL_REGISTRATION
    assert_allclose(dock.studies.pairing.to_current((3, 2, 1)), (33, 21, 8))
    dock.close_dock()
