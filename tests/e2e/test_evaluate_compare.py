"""Any two masks of the window: figures that follow them, and the layer of their difference."""

import numpy as np
import pytest
from napari.layers import Labels, Layer
from scipy import ndimage

from benchmarks.tasks import mni_maps
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.metrics.segmentation import scores
from napari_medvlm.layers import labels_data, labels_of, layer_data
from napari_medvlm.layers.difference_layer import BOTH, ONLY_A, ONLY_B
from napari_medvlm.widgets.commands import named_dock
from napari_medvlm.widgets.evaluate import commands
from napari_medvlm.widgets.evaluate.compare_panel import NONE
from tests.conftest import dice, make_phantom
from tests.e2e.conftest import LEFT

SHARES_WINDOWS = True

WAIT_MS = 300_000
CUT = (slice(20, 60), slice(30, 80), slice(20, 75))


@pytest.fixture(scope="module")
def brain():
    """A piece of the MNI152 brain at 2 mm, its white matter, and that a voxel too large."""
    volume, maps = mni_maps(2)
    white = maps["white"][CUT] > 0.5
    cut = Volume(volume.data[CUT], volume.affine, name="brain")
    return cut, white, ndimage.binary_dilation(white)


def named(values, grid, names, title):
    return Layer.create(*labels_data(NamedLabels(values.astype(np.uint8), grid, names, title)))


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


@pytest.fixture
def panel(viewer):
    commands.compare_masks(viewer)
    dock = named_dock(viewer, "Evaluate")
    yield dock.compare
    dock.close_dock()


@pytest.fixture
def compared(viewer, panel, brain, qtbot):
    """White matter as A, the larger one as B."""
    volume, white, larger = brain
    viewer.add_layer(Layer.create(*layer_data(volume)))
    a = viewer.add_layer(named(white, volume.grid, {1: "white matter"}, "truth"))
    b = viewer.add_layer(named(larger, volume.grid, {1: "found"}, "mine"))
    panel.a.choose(a, 1)
    panel.b.choose(b, 1)
    qtbot.waitUntil(lambda: panel.values["Volume B"].text() != NONE, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: panel.result.figures.dice < 1, timeout=WAIT_MS)
    return a, b


def difference(viewer):
    found = [x for x in viewer.layers if x.metadata.get("medvlm", {}).get("role") == "difference"]
    return found[0] if found else None


def test_the_figures_are_those_of_an_evaluation(panel, compared, brain):
    volume, white, larger = brain
    wanted = scores(larger, white, volume.spacing, 2.0)
    shown = {name: label.text() for name, label in panel.values.items()}
    assert shown["Dice"] == f"{wanted.dice:.4f}"
    assert shown["IoU"] == f"{wanted.iou:.4f}"
    assert shown["NSD"] == f"{wanted.nsd:.4f}"
    assert shown["HD95"] == f"{wanted.hd95_mm:.2f} mm"
    ml = np.prod(volume.spacing) / 1000
    assert shown["Volume A"] == f"{white.sum() * ml:.3f} mL"
    more = (larger.sum() - white.sum()) * ml
    assert shown["Difference"].startswith(f"B - A: {more:+.3f} mL (+")


def test_the_tolerance_is_the_persons(panel, compared, brain, qtbot):
    volume, white, larger = brain
    panel.tolerance.setValue(0.5)
    wanted = scores(larger, white, volume.spacing, 0.5).nsd
    assert wanted < 0.9
    qtbot.waitUntil(lambda: panel.values["NSD"].text() == f"{wanted:.4f}", timeout=WAIT_MS)


def test_figures_and_difference_follow_the_brush(viewer, panel, compared, brain, qtbot):
    _, white, larger = brain
    painted = viewer.add_labels(
        np.asarray(compared[1].data).astype(np.uint8), name="painted", affine=compared[1].affine
    )
    panel.b.choose(painted)
    qtbot.waitUntil(lambda: panel.b.value == 1, timeout=WAIT_MS)
    panel.difference.setChecked(True)
    qtbot.waitUntil(lambda: difference(viewer) is not None, timeout=WAIT_MS)
    before = panel.values["Dice"].text()
    assert before == f"{dice(white, larger):.4f}"
    at = tuple(np.argwhere(np.asarray(painted.data) == 1)[5000])
    painted.brush_size = 9
    painted.n_edit_dimensions = 3
    painted.paint(at, 0)
    qtbot.waitUntil(lambda: panel.values["Dice"].text() != before, timeout=WAIT_MS)
    now = dice(panel.result.pair.a.full(), painted_on(panel, painted))
    assert panel.values["Dice"].text() == f"{now:.4f}"
    assert (np.asarray(difference(viewer).data) == ONLY_A).any()


def painted_on(panel, layer):
    """What a layer of the viewer shows, on the grid that is compared on."""
    grid = panel.result.pair.grid
    return labels_of(layer, Volume(np.zeros(grid.shape, np.uint8), grid.affine)) == 1


def test_the_difference_is_shown_named_and_goes_away(viewer, panel, compared, brain, qtbot):
    _, white, larger = brain
    active = viewer.layers.selection.active
    panel.difference.setChecked(True)
    layer = difference(viewer)
    values = layer.metadata["medvlm"]["labels"]
    assert np.array_equal(values == BOTH, white & larger)
    assert np.array_equal(values == ONLY_B, larger & ~white)
    assert not (values == ONLY_A).any()
    assert list(layer.features["object"])[1:] == [
        "only truth, white matter", "only mine, found", "both",
    ]  # fmt: skip
    assert "only B: " in panel.legend[ONLY_B].text()
    assert viewer.layers.selection.active is active
    colors = {tuple(np.round(layer.get_color(value), 2)) for value in (ONLY_A, ONLY_B, BOTH)}
    assert len(colors) == 3
    panel.difference.setChecked(False)
    assert difference(viewer) is None

    commands.toggle_difference(viewer)
    assert difference(viewer) is not None
    viewer.layers.remove(difference(viewer))  # by hand
    assert not panel.difference.isChecked()


def test_other_grids_are_resampled_with_a_note_or_refused(viewer, panel, compared, brain, qtbot):
    volume, white, _ = brain
    affine = volume.affine.copy()
    affine[:3, :3] /= 2
    fine = ndimage.zoom(white.astype(np.uint8), 2, order=0)
    finer = viewer.add_layer(named(fine, Grid(fine.shape, affine), {1: "fine"}, "finer"))
    panel.b.choose(finer, 1)
    qtbot.waitUntil(lambda: "different grid" in panel.note.text(), timeout=WAIT_MS)
    assert panel.result.figures.dice > 0.8
    far = volume.affine.copy()
    far[:3, 3] += 5000
    other = viewer.add_layer(named(white, Grid(white.shape, far), {1: "far"}, "far"))
    panel.b.choose(other, 1)
    qtbot.waitUntil(lambda: "lies outside the grid" in panel.note.text(), timeout=WAIT_MS)
    assert panel.result is None
    assert panel.values["Dice"].text() == NONE


def test_an_oblique_object_follows_clicks_also_while_it_is_hidden(open_dock, qtbot):
    volume, left, _ = make_phantom(degrees=(0, 0, 20))
    person = open_dock(volume)
    commands.compare_masks(person.viewer)
    dock = named_dock(person.viewer, "Evaluate")
    panel = dock.compare
    truth = person.viewer.add_layer(named(left, volume.grid, {1: "left"}, "truth"))
    person.session.add_object("mine")
    person.session.add(Point.at_index(volume, LEFT, True))
    person.waits(lambda: person.session.mask.any())
    qtbot.waitUntil(lambda: person.layer("mask") is not None, timeout=WAIT_MS)
    panel.a.choose(truth, 1)
    qtbot.waitUntil(lambda: panel.b.layers.findText(person.layer("mask").name) >= 0)
    panel.b.choose(person.layer("mask"))
    qtbot.waitUntil(lambda: panel.b.value == 1, timeout=WAIT_MS)
    shown = panel.values["Dice"]

    def is_right():
        return shown.text() == f"{dice(left, person.session.mask):.4f}"

    qtbot.waitUntil(is_right, timeout=WAIT_MS)
    assert not panel.note.text()
    before = shown.text()
    person.layer("mask").visible = False
    person.session.add(Point.at_index(volume, (12, 20, 33), True))
    qtbot.waitUntil(lambda: shown.text() != before and is_right(), timeout=WAIT_MS)
    dock.close_dock()


def test_labels_without_voxels_are_reported(viewer, panel, qtbot):
    layer = viewer.add_labels(np.zeros((4, 5, 6), np.uint8), name="empty")
    qtbot.waitUntil(lambda: "No label is selected" in panel.note.text(), timeout=WAIT_MS)
    layer.data_setitem((np.array([1]), np.array([2]), np.array([3])), 7)
    qtbot.waitUntil(lambda: panel.a.value == 7, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: panel.values["Dice"].text() == "1.0000", timeout=WAIT_MS)
    assert isinstance(panel.a.layer, Labels)
