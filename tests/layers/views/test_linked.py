"""Side views open at the last click, and not at the middle of the image."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

import napari_medvlm as nmv
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, go_to, show_plane
from napari_medvlm.layers.prompts.points import PointsLayer
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.side_view import SideView
from napari_medvlm.worker.runner import InlineRunner


@pytest.fixture
def clicked():
    """A viewer on the slice at 12 mm, of a volume of 36 x 24 x 18 mm, with a click in it."""
    data = np.random.default_rng(0).normal(size=(12, 16, 18)).astype(np.float32)
    volume = Volume(data, np.diag([3.0, 1.5, 1, 1]))
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    show_plane(viewer, Plane.AXIAL)
    viewer.dims.point = (12, *viewer.dims.point[1:])
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        PointsLayer(viewer, session, pytest.fail)._add_points((4, 3, 5), True)
        yield viewer


def test_side_views_that_are_opened_show_the_last_click(clicked):
    linked_views(clicked).go_to_click()
    assert linked_views(clicked).cursor.position_mm == (12, 4.5, 5)
    coronal = SideView(clicked, Plane.CORONAL).model
    sagittal = SideView(clicked, Plane.SAGITTAL).model
    assert coronal.dims.point[1] == 4.5
    assert sagittal.dims.point[2] == 5
    assert clicked.dims.point[0] == 12


def test_a_click_on_a_slice_that_was_left_moves_no_view(clicked):
    go_to(clicked, (30, 9, 9))
    linked_views(clicked).go_to_click()
    assert linked_views(clicked).cursor.position_mm == (30, 9, 9)


def test_a_click_in_an_image_that_was_removed_is_forgotten(clicked):
    clicked.layers.clear()
    data = np.random.default_rng(1).normal(size=(12, 16, 18)).astype(np.float32)
    volume = Volume(data, np.diag([3.0, 1.5, 1, 1]))
    clicked.add_layer(Layer.create(*layer_data(volume)))
    before = linked_views(clicked).cursor.position_mm
    linked_views(clicked).go_to_click()
    assert linked_views(clicked).cursor.position_mm == before
