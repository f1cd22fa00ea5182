"""The prior next to the current image: the same position, plane and zoom, a window of its own."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, go_to, position_in_view, show_plane
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.prior_view import PriorView

DATA = np.random.default_rng(0).normal(size=(12, 16, 18)).astype(np.float32)
SHIFTED = np.eye(4)
SHIFTED[:3, 3] = (1, 2, 3)
PRIOR = Volume(DATA, SHIFTED, name="prior")


@pytest.fixture
def opened():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(Volume(DATA, name="current"))))
    show_plane(viewer, Plane.AXIAL)
    go_to(viewer, (9, 12, 14))
    view = PriorView(viewer, PRIOR, (-1, 1))
    yield viewer, view
    view.close()


def test_the_array_is_shared_and_the_window_is_its_own(opened):
    viewer, view = opened
    image = view.model.layers[0]
    assert np.may_share_memory(image.data, DATA)
    assert tuple(image.contrast_limits) == (-1, 1)
    viewer.layers["current"].contrast_limits = (-3, 3)
    assert tuple(image.contrast_limits) == (-1, 1)


def test_opening_moves_nothing_and_the_position_is_common(opened):
    viewer, view = opened
    assert position_in_view(viewer) == (9, 12, 14)
    assert view.model.dims.point[0] == 9
    go_to(viewer, (5, 8, 10))
    assert view.model.dims.point[0] == 5
    view.model.dims.point = (7, *view.model.dims.point[1:])
    assert viewer.dims.point[0] == 7


def test_zoom_center_and_plane_are_common(opened):
    viewer, view = opened
    camera, own = viewer.scene.camera, view.model.scene.camera
    camera.zoom, camera.center = 5.0, (0.0, 11.0, 13.0)
    assert own.zoom == 5.0
    assert_allclose(own.center[-2:], (11, 13))
    own.zoom = 3.0
    assert camera.zoom == 3.0
    show_plane(viewer, Plane.CORONAL)
    assert tuple(view.model.dims.order) == (1, 0, 2)
    assert [str(way) for way in own.orientation2d] == ["up", "right"]


def test_another_registration_keeps_window_and_position(opened):
    viewer, view = opened
    view.model.layers[0].contrast_limits = (-2, 2)
    affine = np.eye(4)
    affine[:3, 3] = (0, 1, 0)
    view.show(Volume(DATA, affine, name="prior"), (-5, 5))
    images = [layer for layer in view.model.layers if layer.name == "prior"]
    assert len(images) == 1
    assert tuple(images[0].contrast_limits) == (-2, 2)
    assert linked_views(viewer).cursor.position_mm == (9, 12, 14)
