"""Names, a second model, measurements, distances and angles in the Segment dock."""

import csv

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

import napari_medvlm as nmv
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.layers.convert import labels_data
from napari_medvlm.layers.ruler_layer import RulerLayer
from napari_medvlm.widgets.parts import dialogs
from napari_medvlm.widgets.segment import by_name, commands
from tests.conftest import dice, make_phantom
from tests.e2e.conftest import LEFT, RIGHT

SHARES_WINDOWS = True

NAMES, OTHER, MEASURE = range(3)


@pytest.fixture
def oblique(open_dock):
    """The dock on an oblique phantom, with an object that is the left thing."""
    volume, left, right = make_phantom(degrees=(20, 15, 30))
    person = open_dock(volume)
    person.left, person.right = left, right
    person.session.add(nmv.InitialMask.of(volume, left))
    person.waits_for_mask()
    return person


def test_a_name_becomes_an_object_and_what_is_not_there_is_reported(person, monkeypatch):
    reported = []
    monkeypatch.setattr(by_name, "show_message", reported.append)
    volume, left, _ = make_phantom()
    named = NamedLabels(left.astype(np.uint8), volume.grid, {1: "liver"}, "organs")
    person.viewer.add_layer(Layer.create(*labels_data(named)))
    names = person.dock.folds.by_name
    person.dock.folds.folds[NAMES].expand()
    names.edit.setText("liver; spleen")
    names.edit.returnPressed.emit()
    person.waits(lambda: bool(reported) and not names.run.cancel.isEnabled())
    person.waits_for_mask()
    (live,) = person.session.now.objects.values()
    assert live.info.name == "liver"
    np.testing.assert_array_equal(person.session.mask_of(1), left)
    (added,) = [e for e in person.session.ledger.entries[-1].events if hasattr(e, "origin")]
    assert added.origin == "liver, found by embedded"
    assert "spleen was not found" in reported[0]


def test_names_are_completed_as_the_chosen_model_knows_them(person):
    names = person.dock.folds.by_name
    person.waits(lambda: "Left Hippocampus".lower() in [w.lower() for w in names.words])
    names.edit.setText("liver; hippocam")
    completer = names.completer
    completer.setCompletionPrefix("liver; hippocam")
    offered = [
        completer.pathFromIndex(completer.completionModel().index(row, 0))
        for row in range(completer.completionCount())
    ]
    assert any("left hippocampus" in line.lower() for line in offered)
    assert all(line.startswith("liver; ") for line in offered)
    assert not names.everything.isEnabled()
    names.backend.setCurrentIndex(names.backend.findData("vista3d"))
    names.backend.chosen.emit("vista3d")
    assert names.everything.isEnabled()
    person.waits(lambda: "liver" in names.words and "Left Hippocampus" not in names.words)


def test_another_model_gets_the_same_prompts_and_its_mask_can_be_kept(foreign, open_dock):
    person = open_dock(make_phantom()[0])
    for where in (LEFT, RIGHT):
        person.session.add_object()
        person.session.add(nmv.Point.at_index(person.session.volume, where))
    person.waits_for_mask()
    person.session.activate(1)
    other = person.dock.folds.other
    other.backend.setCurrentIndex(other.backend.findData("threshold"))
    other.compare_button.click()
    person.waits(lambda: other.result is not None)
    layer = person.layer("other mask")
    shown = np.asarray(layer.data) > 0
    then = person.session.own_mask(1).full()
    assert other.result.dice == pytest.approx(dice(then, other.result.now.full()))
    assert "Dice" in other.text.text()
    assert shown.sum() == other.result.now.voxels
    kept = other.result.now
    other.keep_button.click()
    person.waits_for_mask()
    assert person.session.own_mask(1).digest == kept.digest
    assert person.layer("other mask") is None
    origin = person.session.ledger.entries[-1].events[0].origin
    assert origin == "the same prompts, by threshold"


def test_the_table_follows_the_masks_and_is_copied_and_written(oblique, monkeypatch, tmp_path):
    panel = oblique.dock.folds.measure
    oblique.dock.folds.folds[MEASURE].expand()
    oblique.waits(lambda: len(panel.rows) == 1)
    assert panel.rows[1].voxels == oblique.left.sum()
    oblique.session.add_object("right one")
    oblique.session.add(nmv.InitialMask.of(oblique.session.volume, oblique.right))
    oblique.waits(lambda: len(panel.rows) == 2 and panel.rows[2].voxels == oblique.right.sum())
    assert panel.objects.item(1, 0).text() == "right one"
    panel.copy()
    lines = QApplication.clipboard().text().splitlines()
    assert lines[0].startswith("name\tvoxels\tvolume_ml")
    assert lines[2].startswith(f"right one\t{oblique.right.sum()}")
    panel.draw_diameters()
    oblique.waits(lambda: panel.rulers.rowCount() == 2)
    path = tmp_path / "measured.csv"
    monkeypatch.setattr(dialogs, "ask_where_to_save", lambda *_: path)
    panel.export_csv()
    beside = tmp_path / "measured_lines.csv"
    oblique.waits(beside.exists)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["Object 1", "right one"]
    longest = float(rows[1]["longest_axial_mm"])
    oblique.waits(lambda: len(beside.read_text().splitlines()) == 3)
    with beside.open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == [
        "right one, longest axial",
        "right one, perpendicular",
    ]
    assert float(lines[0]["length_mm"]) == pytest.approx(longest, abs=1e-3)


def test_recist_lines_are_seen_on_the_object_and_keep_their_length(oblique):
    panel = oblique.dock.folds.measure
    oblique.dock.folds.folds[MEASURE].expand()
    panel.draw_diameters()
    oblique.waits(lambda: panel.rulers.rowCount() == 2)
    layer = oblique.layer("rulers")
    longest = panel.rulers_drawn[0]
    found = panel._measurements.diameters(1)
    assert longest.length_mm == pytest.approx(found.longest_mm, abs=1e-3)
    plane = round(layer.world_to_data(oblique.viewer.dims.point)[0])
    assert {z for line in layer.data for z in np.asarray(line)[:, 0]} == {plane}
    middle = oblique.session.volume.grid.to_index(longest.points_mm.mean(axis=0))
    assert oblique.left[tuple(np.round(middle).astype(int))]
    oblique.viewer.dims.point = tuple(longest.points_mm[0])
    assert panel.rulers_drawn[0].length_mm == pytest.approx(found.longest_mm, abs=1e-3)


def test_a_line_states_its_millimetres_while_it_is_drawn(oblique):
    panel = oblique.dock.folds.measure
    oblique.dock.folds.folds[MEASURE].expand()
    panel.draw("add_line")
    reported = []
    oblique.layer("rulers").events.features.connect(
        lambda: reported.append(list(oblique.layer("rulers").features["label"]))
    )
    path = [(12, 10, 10), (12, 15, 15), (12, 20, 18), (12, 25, 20)]
    flat = [oblique.world(zyx) for zyx in path]
    flat = [np.array([flat[0][0], *place[1:]]) for place in flat]
    index = [tuple(oblique.session.volume.grid.to_index(place)) for place in flat]
    oblique.draws(index)
    oblique.waits(lambda: panel.rulers.rowCount() == 1)
    (ruler,) = panel.rulers_drawn
    length = np.linalg.norm(flat[-1] - flat[0])
    assert ruler.length_mm == pytest.approx(length, abs=1.5)
    assert oblique.layer("rulers").features["label"][0] == f"{ruler.length_mm:.1f} mm"
    assert ruler.name == "Distance 1"
    assert len({tuple(t) for t in reported}) > 1


def test_three_places_are_an_angle_in_degrees(oblique):
    lines = RulerLayer(oblique.viewer, oblique.session.volume, lambda: None)
    center = oblique.world((12, 20, 20))
    corner = center + np.array([[0, 10, 0], [0, 0, 0], [0, 0, 10.0]])
    lines.add("corner", corner)
    assert lines.ready().features["label"][0] == "90.0°"
    lines.forget("corner")
    assert lines.rulers == ()
    lines.close()


def test_the_least_certain_slice_is_reported(person, monkeypatch):
    scored = Mask(
        np.ones((2, 2, 2), bool), (0, 0, 0), (24, 40, 44), 0.8, {(0, 44): 0.9, (0, 45): 0.612}
    )
    person.session.add(nmv.Point.at_index(person.session.volume, LEFT))
    person.waits_for_mask()
    monkeypatch.setattr(person.session, "own_mask", lambda _: scored)
    person.dock.objects.refresh()
    assert "lowest score 0.61 on slice 45" in person.dock.objects.measure.text()


def test_a_report_is_written_from_the_dock(oblique, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    monkeypatch.setattr(dialogs, "ask_where_to_save", lambda *_: path)
    oblique.dock.folds.measure.draw("add_line")
    ends = np.array([[0.0, 0, 0], [0, 0, 12.5]]) + oblique.world((12, 20, 20))
    oblique.dock.folds.measure._lines.add("by hand", ends)
    commands.save_report(oblique.viewer)
    oblique.waits(path.exists)
    text = path.read_text("utf-8")
    assert "<td>by hand</td><td>12.5</td>" in text
    assert text.count("data:image/png") == 3
    assert "It is oblique" in text
