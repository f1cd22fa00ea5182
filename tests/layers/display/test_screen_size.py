"""Markers of points are equally large on the screen at each zoom, in each view."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer, Points

import napari_medvlm as nmv
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.convert import role
from napari_medvlm.layers.display.screen_size import DIAMETER_PX, ScreenSize, diameter_px
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.layers.pairing.proposed_points import ProposedPoint, ProposedPoints
from napari_medvlm.layers.prompts.points import PointsLayer
from napari_medvlm.layers.views.side_view import SideView
from napari_medvlm.worker.runner import InlineRunner
from tests.conftest import make_phantom

SPACINGS = [(0.04, 0.02, 0.02), (3.0, 0.5, 0.75), (210.0, 70.0, 70.0)]


def on_screen(view, layer):
    """Diameter of each point in pixels along the axis to the right of the view."""
    axis = view.dims.displayed[-1] - view.dims.ndim
    ends = np.zeros((2, 3))
    ends[1, axis] = 1
    spacing_mm = np.linalg.norm(np.subtract(*(layer.data_to_world(end) for end in ends)))
    return layer.size * spacing_mm * view.scene.camera.zoom


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("plane", list(Plane))
def test_a_marker_has_its_pixels_at_each_zoom_spacing_and_plane(spacing, plane):
    viewer = ViewerModel()
    layer = Points([(1, 2, 3), (4, 5, 6)], affine=np.diag([*spacing, 1.0]))
    viewer.add_layer(layer)
    _held = ScreenSize(viewer, layer)
    show_plane(viewer, plane)
    for zoom in (0.05, 1.0, 37.0):
        viewer.scene.camera.zoom = zoom
        np.testing.assert_allclose(on_screen(viewer, layer), [DIAMETER_PX] * 2)
    layer.add((7, 8, 9))
    np.testing.assert_allclose(on_screen(viewer, layer), [DIAMETER_PX] * 3)


def test_the_mouse_picks_what_is_drawn_and_no_more():
    viewer = ViewerModel()
    layer = Points([(0, 10, 10)], affine=np.diag([1.0, 0.5, 0.5, 1.0]))
    viewer.add_layer(layer)
    _held = ScreenSize(viewer, layer)
    viewer.scene.camera.zoom = 40.0  # 12 px are .3 mm
    viewer.dims.point = (0, 5, 5)
    assert layer.get_value((0, 5.1, 5.1), world=True) == 0
    assert layer.get_value((0, 5.2, 5.1), world=True) is None


def test_answered_prompts_are_hollow_rings_and_pending_ones_filled():
    volume = make_phantom()[0]
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        points = PointsLayer(viewer, session, pytest.fail)
        session.add(nmv.Point(position_mm=tuple(volume.grid.to_world((9, 6, 5)))))
        points.pull()
        layer = points.ready()
        assert layer.face_color[0, 3] == 0
        np.testing.assert_allclose(layer.border_color, layer.face_color + [0, 0, 0, 1])
        prompts = points.mine()
        points._show(prompts, frozenset(prompts))
        assert 0.4 < layer.face_color[0, 3] < 0.6
        assert not np.allclose(layer.border_color[0, :3], layer.face_color[0, :3])
        viewer.scene.camera.zoom = 20
        np.testing.assert_allclose(on_screen(viewer, layer), DIAMETER_PX)


def test_proposed_points_have_their_pixels_in_a_side_view_of_another_zoom():
    volume = make_phantom()[0]
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    side = SideView(viewer, Plane.CORONAL)
    proposed = ProposedPoints(viewer, volume)
    proposed.show({1: ProposedPoint("Lesion 1", (20.0, 30.0, 20.0))})
    (twin,) = [layer for layer in side.model.layers if layer.name == "Proposed points"]
    viewer.scene.camera.zoom, side.model.scene.camera.zoom = 9.0, 2.0
    proposed.show({1: ProposedPoint("Lesion 1", (9.0, 7.0, 5.0))})
    px = diameter_px(proposed.layer)
    assert role(proposed.layer) == "follow-up proposed points"
    np.testing.assert_allclose(on_screen(viewer, proposed.layer), px)
    np.testing.assert_allclose(on_screen(side.model, twin), px)
    proposed.close()
    side.close()
