"""The Ground dock in a real window: words, what is found, and where it is shown."""

import json
from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Labels, Layer
from numpy.testing import assert_allclose, assert_array_equal
from qtpy.QtCore import Qt

from benchmarks.tasks import mni_truths
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.widgets.ground.scope import SLICE
from tests.conftest import dice, make_phantom
from tests.e2e.grounding import Asker, ground_docks
from tests.worker import fork_server

SHARES_WINDOWS = True


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    with ground_docks(make_napari_viewer, qtbot) as open_dock:
        yield open_dock


@pytest.fixture
def asker(open_dock):
    """A phantom whose ellipsoids are labelled and named."""
    volume, left, right = make_phantom()
    asker = open_dock(volume)
    values = np.zeros(left.shape, np.uint8)
    values[left], values[right] = 1, 2
    asker.viewer.add_layer(
        Labels(
            values,
            name="organs",
            affine=volume.affine,
            features={"index": [0, 1, 2], "name": ["none", "liver", "spleen"]},
        )
    )
    return asker


def test_words_are_found_in_a_brain_and_shown_where_they_are(open_dock):
    volume, truths = mni_truths(2)
    asker = open_dock(volume)
    asker.asks("left lateral ventricle", "right putamen", "spleen")
    assert [row[0] for row in asker.rows()] == ["left lateral ventricle", "right putamen", "spleen"]
    assert asker.rows()[2][2] == "not found"
    masks = asker.layer("found masks")
    shown = np.asarray(masks.data) > 0
    inside = np.argwhere(shown)
    worlds = np.array([masks.data_to_world(at) for at in inside[::20]])
    assert (worlds[:, 2] > 0).all()
    zyx = np.round(volume.grid.to_index(worlds)).astype(int)
    assert truths["left ventricle"][tuple(zyx.T)].mean() > 0.7
    boxes = asker.layer("found boxes")
    assert list(boxes.features["phrase"]) == ["left lateral ventricle", "right putamen"]
    for plane in Plane:
        show_plane(asker.viewer, plane)
        putamen = np.array([boxes.data_to_world(at) for at in boxes.data[1]])
        assert (putamen[:, 2] <= 0).all()


def test_a_row_leads_to_the_place_and_a_box_to_the_row(asker):
    asker.asks("liver", "spleen")
    table = asker.dock.table
    table.setCurrentItem(table.topLevelItem(1))
    region = asker.dock._shown[1].region
    assert_allclose(asker.viewer.dims.point, region.center_mm, atol=2)
    assert "spleen" in asker.dock.details.text()
    asker.layer("found boxes").selected_data = {0}
    assert table.currentItem().text(0) == "liver"


def test_the_threshold_hides_without_asking_again(asker):
    asker.asks("liver", "livr")
    records = len(asker.dock.session.ledger.records)
    scores = {row[0]: row[1] for row in asker.rows()}
    assert scores["livr"] == "0.85"
    asker.sees_from(0.95)
    rows = {row[0]: row for row in asker.rows()}
    assert rows["livr"][2] == "not found"
    assert "0.85" in rows["livr"][1]
    assert len(asker.layer("found boxes").data) == 1
    asker.sees_from(0)
    assert len(asker.layer("found boxes").data) == 2
    assert len(asker.dock.session.ledger.records) == records


def test_a_region_goes_on_as_an_object_of_the_segment_dock(asker):
    from napari_medvlm.widgets.segment.commands import dock_of

    asker.asks("liver")
    asker.dock.table.setCurrentItem(asker.dock.table.topLevelItem(0))
    asker.dock.send_to_segment()
    segment = dock_of(asker.viewer)
    asker.waits(lambda: segment.session is not None and bool(segment.session.now.objects))
    asker.waits(lambda: not segment.session.pending_prompts())
    (live,) = segment.session.now.objects.values()
    assert live.info.name == "liver"
    volume, left, _ = make_phantom()
    assert dice(segment.session.mask, left) > 0.99
    (entry,) = segment.session.ledger.entries
    assert "found by embedded" in entry.events[-1].origin
    segment.close_dock()


def test_a_report_is_read_its_findings_grounded_and_coloured(asker):
    report = "FINDINGS: There is a hepatic cyst. No pleural effusion. Splenomegaly."
    asker.dock.report.edit.setPlainText(report)
    asker.dock.report.read()
    asker.waits(lambda: not asker.dock.session.pending)
    asker.waits(lambda: len(asker.rows()) >= 2)
    asked = [row[0] for row in asker.rows()]
    assert not any("effusion" in phrase for phrase in asked)
    assert "effusion" in asker.dock.report.denied.text()
    marked = [mark.cursor.selectedText() for mark in asker.dock.report.edit.extraSelections()]
    assert len(marked) == 3
    assert all(text in report for text in marked)


def test_a_reference_is_shown_and_compared(asker, tmp_path):
    asker.asks("liver", "spleen")
    volume, left, _ = make_phantom()
    inside = np.argwhere(left)
    low, high = inside.min(0), inside.max(0) + 1
    path = tmp_path / "boxes.csv"
    text = ",".join(str(int(v)) for v in (*low, *high))
    path.write_text(f"phrase,z0,y0,x0,z1,y1,x1\nliver,{text}\n")
    asker.dock.reference.load(path)
    rows = {row[0]: row[5] for row in asker.rows()}
    assert rows["liver"] == "1.00"
    assert "mIoU 1.00" in asker.dock.reference.summary.text()
    names = [layer.name for layer in asker.viewer.layers]
    assert "Reference: boxes" in names


def test_phrases_are_remembered(asker, open_dock, home):
    asker.asks("liver", "spleen")
    assert (home / "phrases.txt").read_text("utf-8").splitlines() == ["liver", "spleen"]
    again = open_dock(make_phantom(seed=3)[0])
    assert again.dock.phrases.phrases == ["liver", "spleen"]


def test_every_control_fits_beside_another_dock_on_a_small_screen(asker):
    assert asker.dock.body.minimumSizeHint().width() <= 440


def test_nothing_to_look_for_is_reported_in_a_sentence(asker, monkeypatch):
    reported = []
    monkeypatch.setattr(
        "napari_medvlm.widgets.runtime.notify.show", lambda error: reported.append(str(error))
    )
    asker.dock.phrases.set_phrases([])
    asker.dock.run.run.click()
    assert reported == ["There is no phrase to find. Enter one phrase per line."]


def test_what_was_found_is_on_the_disk(asker, home):
    asker.asks("liver")
    asker.dock.close_dock()
    (journal,) = (home / "sessions" / "ground").glob("*.jsonl")
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    assert lines[1]["phrase"] == "liver"
    assert lines[1]["regions"][0]["name"] == "liver"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Made by another process: torch does not load in that of a window with software OpenGL."""
    folder = str(tmp_path_factory.mktemp("clip"))
    fork_server.run("tests.backends.clip.tiny_clip:save_clip", folder)
    return folder


def test_of_overlapping_boxes_only_the_best_is_shown_below_a_limit(asker):
    asker.asks("liver", "livr")
    dock = asker.dock
    assert dock.filters.overlap.isHidden()
    located = dock.session.located["liver"]
    (region,) = located.grounding.regions
    weaker = replace(region, score=0.4)
    two = replace(located, grounding=replace(located.grounding, regions=(weaker, region)))
    dock.session._located["liver"] = two
    dock.filters.overlap.changed.emit()
    asker.waits(lambda: len(asker.layer("found boxes").data) == 3)
    assert not dock.filters.overlap.isHidden()
    dock.filters.overlap.slider.setValue(0.5)
    asker.waits(lambda: len(asker.layer("found boxes").data) == 2)
    assert {row[0]: row[1] for row in asker.rows()}["liver"] != "0.40"


def test_a_heatmap_lies_on_the_image_and_names_the_slices_read(asker, clip):
    dock = asker.dock
    dock.backend.setCurrentIndex(dock.backend.findData("similarity"))
    dock.model.edit.setText(clip)
    dock.scope.where.setCurrentIndex(SLICE)
    volume = dock.session.volume
    asker.viewer.dims.point = tuple(volume.grid.to_world((12, 20, 22)))
    asker.asks("a bright thing", "xyz")
    found = [row for row in asker.rows() if row[2] != "not found"]
    assert found, "small models see something in anything"
    heat = asker.layer(f"found heatmap: {found[0][0]}")
    assert heat.blending == "additive"
    data = np.asarray(heat.data)
    assert data.shape == np.asarray(asker.viewer.layers[0].data).shape
    assert_allclose(heat.data_to_world((0, 0, 0)), asker.viewer.layers[0].data_to_world((0, 0, 0)))
    lit = np.unique(np.argwhere(data > 0)[:, 0])
    worlds = [heat.data_to_world((int(at), 0, 0))[0] for at in lit]
    assert_allclose(worlds, volume.grid.to_world((12, 0, 0))[0])
    dock.table.setCurrentItem(dock.table.topLevelItem(0))
    assert "Prompt:" in dock.details.text()
    assert "1 slice" in dock.details.text()
    dock.filters.heatmap_threshold.slider.setValue(0.6)
    asker.waits(lambda: asker.layer("found masks") is not None)
    regions = dock.session.grounding.regions
    limit = dock.filters.heatmap_threshold.slider.value()
    wanted = np.any([region.heatmap.full() >= limit for region in regions], axis=0)
    assert_array_equal(np.asarray(asker.layer("found masks").data) > 0, wanted)
    assert wanted.any()
    dock.filters.heatmap_threshold.slider.setValue(0)
    asker.waits(lambda: asker.layer("found masks") is None)


def test_labels_are_shown_as_bars_and_a_descriptor_can_be_switched_off(asker, clip):
    tab = asker.dock.labels
    asker.dock.model.edit.setText(clip)
    asker.dock.scope.where.setCurrentIndex(SLICE)
    tab.edit.setPlainText("pneumothorax\nno finding")
    tab.describe.setChecked(True)
    tab.run.run.click()
    asker.waits(lambda: tab.session.labelling is not None and not tab.session.pending)
    asker.waits(lambda: tab.tree.topLevelItemCount() == 2)
    item = tab.tree.topLevelItem(0)
    assert item.text(0) == "pneumothorax"
    assert item.childCount() >= 4
    before = tab.tree.itemWidget(item, 1).text()
    item.child(0).setCheckState(0, Qt.CheckState.Unchecked)
    asker.waits(lambda: tab.tree.itemWidget(tab.tree.topLevelItem(0), 1).text() != before)
    assert tab.tree.topLevelItem(0).child(0).checkState(0) == Qt.CheckState.Unchecked


def test_a_picture_alone_can_be_asked_about(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.random.default_rng(0).random((64, 80)))
    _, dock = viewer.window.add_plugin_dock_widget("napari-medvlm", "Ground")
    asker = Asker(viewer, dock, qtbot)
    asker.waits(lambda: dock.session is not None)
    for where in range(3):
        dock.scope.where.setCurrentIndex(where)
        asker.asks("left hippocampus")
    assert "head" in asker.rows()[0][4]
    viewer.layers.clear()
    asker.waits(lambda: dock.session is None)
    dock.close_dock()


def test_closing_the_dock_leaves_no_layers_and_no_worker(asker):
    asker.asks("liver")
    runner = asker.dock._runner
    assert asker.layer("found boxes") is not None
    docks = asker.viewer.window._wrapped_dock_widgets
    next(dock for name, dock in docks.items() if name.startswith("Ground")).destroyOnClose()
    asker.waits(lambda: asker.layer("found boxes") is None and not runner.pids)
    with asker.qtbot.waitSignal(asker.dock.destroyed):
        asker.dock.deleteLater()


def test_a_region_goes_to_the_image_that_it_was_found_in(asker):
    from napari_medvlm.widgets.segment.commands import dock_of

    other = make_phantom(seed=5, shape=(10, 30, 30))[0]
    asker.asks("liver")
    viewer = asker.viewer
    viewer.add_layer(Layer.create(*layer_data(other)))
    segment = dock_of(viewer)
    segment.image.choose(viewer.layers[-1])
    asker.waits(lambda: segment.session is not None and segment.session.volume is other)
    asker.dock.table.setCurrentItem(asker.dock.table.topLevelItem(0))
    asker.dock.send_to_segment()
    volume = asker.dock.session.volume
    asker.waits(lambda: segment.session is not None and segment.session.volume is volume)
    asker.waits(lambda: bool(segment.session.now.objects))
    segment.close_dock()


def test_resuming_a_session_retains_transferred_objects(asker):
    from napari_medvlm.data.prompts import Point
    from napari_medvlm.widgets.segment.commands import dock_of

    segment = dock_of(asker.viewer)
    asker.waits(lambda: segment.session is not None)
    volume = segment.session.volume
    segment.session.add(Point.at_index(volume, (12, 20, 33)))
    asker.waits(lambda: not segment.session.pending_prompts())
    layer = segment.image.layer
    segment._open(None)
    segment._open(layer)
    asker.waits(lambda: segment.session is not None)
    asker.waits(lambda: segment.resume._offered is not None)
    asker.asks("liver")
    asker.dock.table.setCurrentItem(asker.dock.table.topLevelItem(0))
    asker.dock.send_to_segment()
    segment.resume.resume.click()
    asker.waits(lambda: segment.session is not None and len(segment.session.now.objects) == 2)
    names = [live.info.name for live in segment.session.now.objects.values()]
    assert "liver" in names
    segment.close_dock()


def test_choosing_another_image_and_back_at_once_loses_nothing(asker):
    viewer = asker.viewer
    viewer.add_layer(Layer.create(*layer_data(make_phantom(seed=5)[0])))
    first, second = (
        layer for layer in viewer.layers if layer.name == "phantom" or "phantom [" in layer.name
    )
    for layer in (second, first, second, first):
        asker.dock.image.choose(layer)
    asker.waits(lambda: asker.dock.session is not None)
    asker.asks("liver")
    assert asker.rows()[0][0] == "liver"


def test_labels_on_another_grid_answer_in_the_window(asker):
    volume, left, _ = make_phantom()
    asker.viewer.layers.remove("organs")
    affine = volume.affine @ np.diag([2.0, 2, 2, 1])
    asker.viewer.add_layer(
        Labels(
            left[::2, ::2, ::2].astype(np.uint8),
            affine=affine,
            features={"index": [0, 1], "name": ["none", "liver"]},
        )
    )
    asker.asks("liver")
    region = asker.dock._shown[min(asker.dock._shown)].region
    assert dice(region.mask.full(), left) > 0.75


def test_the_chosen_row_stays_chosen_when_more_is_found(asker):
    asker.asks("liver", "spleen")
    table = asker.dock.table
    table.setCurrentItem(table.topLevelItem(1))
    asker.asks("kidney", "livr")
    assert table.topLevelItemCount() == 4
    assert table.currentItem().text(0) == "spleen"


def test_a_report_without_findings_leaves_the_phrases(asker):
    asker.dock.phrases.set_phrases(["my own phrase"])
    asker.dock.report.edit.setPlainText("No haemorrhage.")
    asker.dock.report.read()
    assert asker.dock.phrases.phrases == ["my own phrase"]


def test_marks_of_a_report_stand_where_its_findings_are(asker):
    report = asker.dock.report
    report.edit.setPlainText("\U0001f600\U0001f600 There is a hepatic cyst.")
    report.read()
    (mark,) = report.edit.extraSelections()
    assert mark.cursor.selectedText() == "hepatic cyst"
    asker.waits(lambda: not asker.dock.session.pending)
    report.edit.setPlainText("Something else.")
    assert report.edit.extraSelections() == []
    report.color({"hepatic cyst": "#ff0000"})
    assert report.edit.extraSelections() == []
