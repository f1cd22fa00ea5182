"""Prompts off the slice with their distance, letters, the scale bar, and prompts of all views."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QCoreApplication

import napari_medvlm as nmv
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, go_to, show_plane
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers
from napari_medvlm.layers.ruler_layer import RulerLayer
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.off_slice import LABEL_PX, OffSliceMarks, dashed
from napari_medvlm.layers.views.off_slice_items import item_of
from napari_medvlm.layers.views.per_view import PerView
from napari_medvlm.layers.views.session_views import LinkedSessionLayers
from napari_medvlm.layers.views.side_view import SideView
from napari_medvlm.layers.views.view_labels import LENGTH_KEY, ViewLabels, letters_of
from napari_medvlm.worker.runner import InlineRunner


def drawn(layers):
    """Wait until all side views are drawn, each in a turn of the event loop of its own."""
    while layers.is_due:
        QCoreApplication.processEvents()


@pytest.fixture
def opened():
    data = np.random.default_rng(0).normal(size=(12, 16, 18)).astype(np.float32)
    volume = Volume(data, np.diag([3.0, 1.5, 1, 1]))
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    show_plane(viewer, Plane.AXIAL)
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        yield viewer, session


def test_points_and_boxes_within_the_reach_are_dashed_with_signed_distances(opened):
    viewer, session = opened
    linked = linked_views(viewer)
    layers = LinkedSessionLayers(viewer, session, lambda _: None, lambda _: None)
    marks = OffSliceMarks(viewer, linked)
    session.add(nmv.Point(position_mm=(9, 6, 5)))
    session.add(nmv.Point(position_mm=(18, 6, 8), positive=False))
    session.add(nmv.Box.at_index(session.volume.grid, (6, 2, 2), (8, 5, 6)))
    layers.pull()
    go_to(viewer, (12, 6, 5))
    assert not marks.near()  # the reach is 0
    assert "Off the slice" not in viewer.layers
    linked.reach_mm = 7
    # the box spans the voxels 6 and 7, thus 16.5 to 22.5 mm
    assert [distance for _, distance in marks.near()] == [-3, 4.5, 6]
    labels, dashes = viewer.layers["Distances to the slice"], viewer.layers["Off the slice"]
    shown = list(zip(*labels.features[["distance", "color"]].to_numpy().T, strict=True))
    assert [text for text, _ in shown[-3:]] == ["-3.0 mm", "+4.5 mm", "+6.0 mm"]
    assert shown[:12] == [(text, "#000000") for text, _ in shown[-3:]] * 4  # their dark outline
    down, right = labels.data[-2, 1:]  # the corner of the box that is up and left, or above
    assert right == 1.5
    assert down <= 2.25
    positions_px = labels.data[-3:, 1:] * viewer.scene.camera.zoom
    apart_px = np.abs(positions_px[:, None] - positions_px)[np.triu_indices(3, 1)]
    assert ((apart_px >= LABEL_PX) | np.isclose(apart_px, LABEL_PX)).any(axis=1).all()
    starts, directions = np.moveaxis(dashes.data * dashes.scale, 1, 0)
    assert (starts[:, 0] == 12).all()
    assert not directions[:, 0].any()
    positive = dashes.edge_color[:, 1] > 0.8
    box = np.concatenate([starts, starts + directions])
    assert box[:, 1:].min(axis=0) == pytest.approx([2.25, 1.5])
    np.testing.assert_allclose(box[:, 1:].max(axis=0), [6.75, 8.5], atol=0.6)
    drawn_mm = np.linalg.norm(directions[positive], axis=1).sum()
    assert 0.5 < drawn_mm / (2 * (4.5 + 4) + np.pi * 12 / viewer.scene.camera.zoom) < 0.7
    item, refreshed = marks.near()[0][0], []
    dashes.events.set_data.connect(refreshed.append)
    session.add(nmv.Point(position_mm=(27, 6, 5)))  # out of reach
    layers.pull()
    assert marks.near()[0][0] is item
    assert not refreshed
    records = len(session.ledger.records)
    go_to(viewer, (15, 6, 5))  # next to the box
    assert [distance for _, distance in marks.near()] == [1.5, 3, -6]
    go_to(viewer, (18, 6, 5))
    assert not marks.near()  # in the box, on a point, and 9 mm from the other
    assert not len(dashes.data)
    go_to(viewer, (27, 6, 5))
    assert [distance for _, distance in marks.near()] == [-4.5]
    assert len(session.ledger.records) == records
    linked.reach_mm = 0
    assert "Off the slice" not in viewer.layers
    marks.close()
    layers.close()


def test_rulers_and_boxes_of_answers_are_dashed_off_their_slice_in_every_view(opened):
    viewer, session = opened
    side = SideView(viewer, Plane.CORONAL)
    linked = linked_views(viewer)
    linked.reach_mm = 10
    marks = PerView(linked, lambda view: OffSliceMarks(view, linked))
    rulers = RulerLayer(viewer, session.volume, lambda: None)
    rulers.add("Distance 1", [(9, 6, 5), (9, 6, 15)])
    regions = RegionLayers(viewer, session.volume, "Found", lambda _: None)
    box = nmv.Box.at_index(session.volume.grid, (3, 4, 5), (5, 9, 12))
    regions.show([DisplayedRegion(0, Region("a box", box), "#0000ff", "embedded")])
    go_to(viewer, (15, 9, 8))
    in_viewer, in_side = ([round(d, 2) for _, d in mark.near()] for mark in marks)
    assert in_viewer == [-1.5, -6]  # the box ends at 13.5 mm
    assert in_side == [-3]  # the box spans 5.25 to 12.75 mm
    labels = side.model.layers["Distances to the slice"]
    assert list(labels.features["color"]) == ["#000000"] * 4 + ["#ff8c1a"]
    regions.layer("boxes").visible = False
    rulers.ready().visible = False
    assert [mark.near() for mark in marks] == [[], []]
    rulers.ready().visible = True
    assert [len(mark.near()) for mark in marks] == [1, 1]
    regions.close()
    rulers.close()
    marks.close()
    assert [x.name for x in side.model.layers] == [session.volume.name]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_dashes_follow_every_kind_of_prompt_and_are_limited(axis):
    line = nmv.Line(ends_mm=((0, 0, 0), (10, 20, 30)))
    lasso = nmv.Lasso(vertices_mm=((0, 0, 0), (0, 10, 0), (0, 10, 10)))
    scribble = nmv.Scribble(points_mm=((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    for prompt in (line, lasso, scribble, nmv.Point(position_mm=(1, 2, 3))):
        assert item_of(prompt, "#ffffff") == item_of(prompt, "#ffffff")
        assert item_of(prompt, "#ffffff") != item_of(prompt, "#ff0000")
        vertices = item_of(prompt, "#ffffff").vertices_mm(axis)
        assert len(dashed(vertices, 1e-6, 1e-6)) <= 200
    ends = dashed(np.array([(0.0, 0, 0), (0, 0, 10)]), 2, 1)
    assert ends[:, 0, 2].tolist() == [0, 3, 6, 9]
    assert ends[:, 1, 2].tolist() == [2, 2, 2, 1]


def test_points_of_single_view_are_drawn_in_all_and_their_layers_go_with_the_session(opened):
    viewer, session = opened
    sides = [SideView(viewer, Plane.CORONAL), SideView(viewer, Plane.SAGITTAL)]
    errors = []
    layers = LinkedSessionLayers(viewer, session, errors.append, lambda _: None)
    layers.use(layers.points, "add")
    in_side = sides[0].model.layers.selection.active
    assert in_side.mode == "add"
    assert in_side.name == layers.points.name
    in_side.add((4, 5, 6))
    layers.pull()
    drawn(layers)
    (prompt,) = session.now.objects[1].prompts.values()
    assert prompt.position_mm == (12, 7.5, 6)
    for view in (viewer, *(side.model for side in sides)):
        (points,) = [x for x in view.layers if x.name == layers.points.name]
        assert points.data.tolist() == [[4, 5, 6]]
    layers.close()
    assert not errors
    for side in sides:
        names = [x.name for x in side.model.layers]
        assert layers.points.name not in names
        assert names[0] == session.volume.name


def test_scribbles_of_all_views_share_one_array_and_are_drawn_in_all(opened):
    viewer, session = opened
    sides = [SideView(viewer, Plane.CORONAL), SideView(viewer, Plane.SAGITTAL)]
    errors = []
    layers = LinkedSessionLayers(viewer, session, errors.append, lambda _: None)
    go_to(viewer, (12, 12, 5))
    layers.use(layers.scribbles, "paint")
    views = (viewer, *(side.model for side in sides))
    shown = [next(x for x in v.layers if x.name == layers.scribbles.name) for v in views]
    assert all(layer.data is shown[0].data for layer in shown)
    refreshed = []
    shown[2].events.set_data.connect(lambda _: refreshed.append(2))
    layer = shown[1]  # coronal, at row 8
    layer.data_setitem((np.array([4, 4]), np.array([8, 8]), np.array([5, 6])), 1)
    layer.events.paint(value=[])
    layers.pull()
    drawn(layers)
    (scribble,) = session.now.objects[1].prompts.values()
    assert sorted(scribble.voxels(session.volume.grid).tolist()) == [[4, 8, 5], [4, 8, 6]]
    assert refreshed
    session.undo()
    layers.pull()
    drawn(layers)
    assert not any(layer.data.any() for layer in shown)
    session.redo()
    layers.pull()
    drawn(layers)
    assert np.argwhere(shown[0].data).tolist() == [[4, 8, 5], [4, 8, 6]]
    layers.close()
    assert not errors


def test_letters_say_which_way_is_which_in_each_plane(opened):
    viewer, _ = opened
    wanted = {
        Plane.AXIAL: {"up": "A", "down": "P", "left": "R", "right": "L"},
        Plane.CORONAL: {"up": "S", "down": "I", "left": "R", "right": "L"},
        Plane.SAGITTAL: {"up": "S", "down": "I", "left": "A", "right": "P"},
    }
    labels = PerView(linked_views(viewer), ViewLabels)
    for plane, letters in wanted.items():
        show_plane(viewer, plane)
        assert letters_of(viewer) == letters
        shown = {side: viewer.canvas.overlays[f"orientation {side}"].text for side in letters}
        assert shown == letters
    viewer.scene.camera.zoom = 4.0  # pixels per mm: 20 mm are 80, 50 mm are 200
    viewer.canvas.size = (300, 600)
    assert viewer.canvas.overlays[LENGTH_KEY].text == "20 mm"
    assert viewer.canvas.overlays.scale_bar.length == 20
    overlays = viewer.canvas.overlays
    overlays.text.visible = True
    assert overlays["orientation down"].visible
    viewer.canvas.size = (600, 250)  # the text at the bottom right would lie under the letter
    assert [overlays[f"orientation {side}"].visible for side in ("up", "down")] == [True, False]
    labels.close()
    assert not viewer.canvas.overlays.scale_bar.visible
    assert LENGTH_KEY not in viewer.canvas.overlays


def test_boxes_of_regions_are_drawn_on_the_plane_of_each_view(opened):
    viewer, session = opened
    side = SideView(viewer, Plane.CORONAL)
    layers = RegionLayers(viewer, session.volume, "Found", lambda _: None)
    box = nmv.Box.at_index(session.volume.grid, (3, 4, 5), (7, 9, 12))
    layers.show([DisplayedRegion(0, Region("a box", box), "#ff0000", "embedded")])
    go_to(viewer, (15, 9, 8))
    (in_viewer,) = [x for x in viewer.layers if x.name == "Found: boxes"]
    (in_side,) = [x for x in side.model.layers if x.name == "Found: boxes"]
    assert set(in_viewer.data[0][:, 0]) == {5}  # S 15 mm
    assert set(in_side.data[0][:, 1]) == {6}  # P 9 mm
    layers.close()
    assert [x.name for x in side.model.layers] == [session.volume.name]
