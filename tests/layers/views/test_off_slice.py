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
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.off_slice import OffSlicePrompts
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


def test_points_and_boxes_within_the_reach_are_drawn_with_signed_distances(opened):
    viewer, session = opened
    off_slice = OffSlicePrompts(viewer, session)
    session.add(nmv.Point(position_mm=(9, 6, 5)))
    session.add(nmv.Point(position_mm=(18, 6, 8), positive=False))
    session.add(nmv.Box.at_index(session.volume.grid, (6, 2, 2), (8, 5, 6)))
    go_to(viewer, (12, 6, 5))
    assert off_slice.prompts() == ()  # the reach is 0
    linked_views(viewer).reach_mm = 7
    # the box spans the voxels 6 and 7, thus 16.5 to 22.5 mm
    assert [p.distance_mm for p in off_slice.prompts()] == [-3, 6, 4.5]
    assert [p.is_box for p in off_slice.prompts()] == [False, False, True]
    (layer,) = [x for x in viewer.layers if x.name == "Prompts off the slice"]
    assert list(layer.features["distance"]) == ["-3.0 mm", "+6.0 mm", "+4.5 mm"]
    assert layer.data[:, 0].tolist() == [4, 4, 4]  # on the slice at 12 mm
    assert (layer.face_color[:, 3] == 0).all()
    go_to(viewer, (9, 6, 5))
    assert [p.distance_mm for p in off_slice.prompts()] == []  # 9 mm and 7.5 mm are too far
    off_slice.close()
    assert [x.name for x in viewer.layers] == [session.volume.name]


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
