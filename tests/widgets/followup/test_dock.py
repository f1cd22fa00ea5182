"""The Follow-up dock: lesions of a prior proposed, accepted and measured in a real window."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog
from scipy import ndimage

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import position_in_view
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.layers.pairing.proposed_points import ProposedPoint
from napari_medvlm.widgets.commands import named_dock
from napari_medvlm.widgets.followup import exports
from napari_medvlm.widgets.followup.controls import FollowUpControls
from napari_medvlm.widgets.followup.table import CHANGE, LONGEST, STATE, VOLUME

WAIT_MS = 300_000
SHAPE = (30, 40, 40)
TEXTURE = ndimage.gaussian_filter(np.random.default_rng(5).normal(size=SHAPE), 2) * 60
SHIFT_MM = (0, 6, 0)
"""From a position in the current image to the same one in the prior."""
CENTERS = {"a": (15, 12, 12), "b": (15, 12, 28), "c": (15, 28, 28)}


def ball(center, radius):
    zyx = np.indices(SHAPE) - np.reshape(center, (3, 1, 1, 1))
    return np.sqrt((zyx**2).sum(axis=0)) <= radius


def study(radii, name, offset=(0, 0, 0)):
    """Bright balls in texture; the affine puts voxel 0 at `offset` mm."""
    data = TEXTURE.copy()
    for key, radius in radii.items():
        data[ball(CENTERS[key], radius)] += 150
    affine = np.eye(4)
    affine[:3, 3] = offset
    return Volume(data.astype(np.float32), affine, name=name)


PRIOR = study({"a": 4, "b": 4, "c": 4}, "prior", SHIFT_MM)
CURRENT = study({"a": 4, "b": 5}, "current")
LESIONS = np.zeros(SHAPE, np.uint8)
for number, key in enumerate(CENTERS, 1):
    LESIONS[ball(CENTERS[key], 4)] = number


@pytest.fixture
def dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer()
    for volume in (PRIOR, CURRENT):
        viewer.add_layer(Layer.create(*layer_data(volume)))
    names = {"index": [0, 1, 2, 3], "name": ["none", "a", "b", "c"]}
    viewer.add_labels(LESIONS, name="lesions", translate=SHIFT_MM, features=names)
    register = named_dock(viewer, "Register")
    register.start()
    qtbot.waitUntil(lambda: not register.job.busy and bool(register.studies), timeout=WAIT_MS)
    dock = named_dock(viewer, "Follow-up")
    dock.controls.backtest.setChecked(False)
    assert dock.controls.propose_button.isEnabled()
    yield dock
    dock.close_dock()
    dock._segment.close_dock()
    register.close_dock()


@pytest.fixture
def proposed(dock, qtbot):
    dock.controls.propose_button.click()
    qtbot.waitUntil(
        lambda: dock.result is not None and dock._objects.session is not None, timeout=WAIT_MS
    )
    return dock


def column(dock, number):
    items = [dock.table.topLevelItem(row) for row in range(dock.table.topLevelItemCount())]
    return {item.text(0): item.text(number) for item in items}


def waits_for(dock, qtbot, states):
    qtbot.waitUntil(lambda: column(dock, STATE) == states, timeout=WAIT_MS)


def select(dock, *names):
    dock.table.clearSelection()
    for row in range(dock.table.topLevelItemCount()):
        item = dock.table.topLevelItem(row)
        item.setSelected(item.text(0) in names)


def accept_all(dock, qtbot):
    dock.controls.all_button.click()
    waits_for(dock, qtbot, {"a": "stable", "b": "grown", "c": "gone"})


def test_lesions_of_the_prior_are_proposed_as_hollow_points_and_nothing_is_accepted(proposed):
    assert column(proposed, STATE) == {"a": "proposed", "b": "proposed", "c": "gone?"}
    assert set(column(proposed, CHANGE).values()) == {""}
    layer = proposed._points.layer
    assert list(layer.features["name"]) == ["a", "b", "c (gone?)"]
    assert_allclose(layer.data[:2], [CENTERS["a"], CENTERS["b"]], atol=1.0)
    assert_allclose(layer.face_color[:, 3], 0)
    assert not proposed.viewer.layers["prior (registered)"].visible
    outlines = proposed.viewer.layers["Outlines in the prior"]
    assert_allclose(outlines.world_to_data(CENTERS["a"]), CENTERS["a"], atol=1.0)
    assert outlines.contour == 1
    assert not proposed._objects.session.now.objects
    assert "not measured" in proposed.controls.summary.text()


def test_accepted_points_are_segmented_measured_and_undone_with_the_session(proposed, qtbot):
    accept_all(proposed, qtbot)
    session = proposed._objects.session
    assert [live.info.name for live in session.now.objects.values()] == ["a", "b"]
    uids = {proposed.review.proposal(v).lesion.tracking_uid for v in (1, 2)}
    assert {session.ledger.uid_of(i) for i in session.now.objects} == uids
    (grown,) = [row for row in proposed.result.lesions if row.name == "b"]
    truth = ball((0, 0, 0), 5), ball(CENTERS["b"], 5)
    assert grown.current.volume_ml == pytest.approx(truth[1].sum() / 1000, rel=0.1)
    assert column(proposed, VOLUME)["b"].startswith(f"{LESIONS[LESIONS == 2].size / 1000:.2f}\n→ ")
    assert column(proposed, LONGEST)["c"].endswith("→ 0.0")
    assert proposed._points.layer is None or not len(proposed._points.layer.data)
    session.undo()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "proposed", "c": "gone"})
    assert len(proposed._points.layer.data) == 2
    session.redo()
    waits_for(proposed, qtbot, {"a": "stable", "b": "grown", "c": "gone"})


def test_enter_accepts_and_delete_marks_the_selected_lesion_as_gone(proposed, qtbot):
    select(proposed, "b")
    QTest.keyClick(proposed.table, Qt.Key.Key_Return)
    waits_for(proposed, qtbot, {"a": "proposed", "b": "grown", "c": "gone?"})
    QTest.keyClick(proposed.table, Qt.Key.Key_Delete)
    waits_for(proposed, qtbot, {"a": "proposed", "b": "gone", "c": "gone?"})
    assert not proposed._objects.session.now.objects
    proposed._objects.session.undo()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "grown", "c": "gone?"})


def test_gone_is_undone_and_redone_in_turn_with_the_edits_of_the_session(proposed, qtbot):
    row = proposed._segment.row
    select(proposed, "b")
    proposed.controls.accept_button.click()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "grown", "c": "gone?"})
    select(proposed, "a")
    proposed.controls.gone_button.click()
    waits_for(proposed, qtbot, {"a": "gone", "b": "grown", "c": "gone?"})
    assert "mark a as gone" in row._buttons["Undo"].toolTip()
    row.undo()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "grown", "c": "gone?"})
    row.undo()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "proposed", "c": "gone?"})
    row.redo()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "grown", "c": "gone?"})
    row.redo()
    waits_for(proposed, qtbot, {"a": "gone", "b": "grown", "c": "gone?"})


def test_a_point_is_dragged_deleted_and_accepted_in_the_viewer(proposed, qtbot):
    layer = proposed._points.layer
    points = layer.data.copy()
    points[2] = np.add(CENTERS["b"], (1, 0, 0))
    layer.data = points
    qtbot.waitUntil(lambda: column(proposed, STATE)["c"] == "proposed", timeout=WAIT_MS)
    assert_allclose(proposed.review.proposal(3).point_mm, np.add(CENTERS["b"], (1, 0, 0)))
    layer.selected_data = {0}
    layer.remove_selected()
    qtbot.waitUntil(lambda: column(proposed, STATE)["a"] == "gone", timeout=WAIT_MS)
    assert list(proposed._points.layer.features["name"]) == ["b", "c"]


def test_while_the_mouse_drags_a_point_nothing_is_drawn_anew(proposed):
    points, layer, event = proposed._points, proposed._points.layer, SimpleNamespace(type="")
    layer.selected_data = {1}
    (drag,) = [c for c in layer.mouse_drag_callbacks if c == points._on_drag]
    steps = drag(layer, event)
    next(steps)
    event.type = "mouse_move"
    for offset in (1, 2):
        moved = layer.data.copy()
        moved[1] = np.add(CENTERS["b"], (offset, 0, 0))
        layer.data = moved
        points.show({1: ProposedPoint("a", (0, 0, 0))})
        next(steps)
    assert_allclose(layer.data[1], np.add(CENTERS["b"], (2, 0, 0)))
    event.type = "mouse_release"
    assert list(steps) == []
    assert_allclose(proposed.review.proposal(2).point_mm, np.add(CENTERS["b"], (2, 0, 0)))


def test_a_row_moves_the_planes_to_the_lesion(proposed):
    item = proposed.table.topLevelItem(1)
    proposed.table.setCurrentItem(item)
    assert_allclose(position_in_view(proposed.viewer), CENTERS["b"], atol=1.0)


def test_dates_give_doubling_times_and_nodes_count_by_their_short_axis(proposed, qtbot):
    proposed.controls.dates.setText("2026-01-01, 2026-03-02")
    accept_all(proposed, qtbot)
    (grown,) = [row for row in proposed.result.lesions if row.name == "b"]
    before, now = grown.prior.volume_ml, grown.current.volume_ml
    assert grown.doubling_days == pytest.approx(60 * np.log(2) / np.log(now / before))
    item = proposed.table.topLevelItem(0)
    item.setCheckState(item.columnCount() - 1, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: proposed.result.lesions[0].is_node, timeout=WAIT_MS)


def test_the_table_is_exported_and_reports_need_dicom(
    proposed, qtbot, tmp_path, monkeypatch, reported
):
    assert not proposed.controls.report_button.isEnabled()
    accept_all(proposed, qtbot)
    path = tmp_path / "lesions.csv"
    monkeypatch.setattr(exports, "ask_where_to_save", lambda *_: path)
    proposed.controls.csv_button.click()
    lines = path.read_text().splitlines()
    assert len(lines) == 1 + 2 * 3
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    proposed.controls.report_button.click()
    qtbot.waitUntil(lambda: any("DICOM" in text for text in reported), timeout=WAIT_MS)


def test_another_pairing_begins_anew(proposed, qtbot):
    proposed._register.remove_pairing()
    assert proposed.review is None
    assert proposed.table.topLevelItemCount() == 0
    assert "Proposed points" not in [layer.name for layer in proposed.viewer.layers]
    assert not proposed.controls.propose_button.isEnabled()


def test_the_reliability_of_a_change_is_measured_if_wanted(proposed, qtbot):
    proposed.controls.backtest.setChecked(True)
    select(proposed, "b")
    proposed.controls.accept_button.click()
    waits_for(proposed, qtbot, {"a": "proposed", "b": "grown", "c": "gone?"})
    (row,) = [row for row in proposed.result.lesions if row.name == "b"]
    assert row.reliability is not None
    assert row.reliability.planted_percent == 20


def test_labels_on_another_grid_are_refused(dock, qtbot, reported):
    dock.viewer.add_labels(LESIONS[:10], name="other")
    dock.controls.lesions.choose(dock.viewer.layers["other"])
    dock.controls.propose_button.click()
    qtbot.waitUntil(lambda: bool(reported), timeout=WAIT_MS)
    assert dock.review is None


def test_masks_of_the_current_image_are_not_taken_for_lesions_of_the_prior(qtbot):
    viewer, prior = ViewerModel(), replace(PRIOR, affine=CURRENT.affine)
    for name, volume in (("objects of today", CURRENT), ("lesions", prior)):
        layer = viewer.add_labels(LESIONS, name=name)
        layer.metadata["medvlm"] = {"role": "mask", "volume": volume, "labels": LESIONS}
    controls = FollowUpControls(viewer)
    qtbot.addWidget(controls)
    pairing = Pairing(PairingKind.IDENTITY, np.eye(4))
    controls.show_pair(PairedStudies.of(CURRENT, prior, pairing))
    assert controls.lesions.layer.name == "lesions"
