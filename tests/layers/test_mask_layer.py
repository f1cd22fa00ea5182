"""The masks of a session as a labels layer, without a window."""

from copy import deepcopy

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.colormaps.standardize_color import transform_color
from numpy.testing import assert_allclose

import napari_medvlm as nmv
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.convert import labels_and_grid, role
from napari_medvlm.layers.orientation import Plane, position_in_view, show_plane
from napari_medvlm.layers.session_layers import SessionLayers
from tests.conftest import make_phantom

BALL = (12, 20, 13)


def with_layers(viewer, session):
    return SessionLayers(viewer, session, pytest.fail, lambda _: None)


@pytest.fixture
def opened():
    """A viewer with a phantom, its session and the layers of that."""
    volume = make_phantom()[0]
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    show_plane(viewer, Plane.AXIAL)
    with nmv.SegmentationSession(volume, "embedded", "inline") as session:
        yield viewer, session, with_layers(viewer, session)


def segment(session, layers):
    session.add(nmv.Point.at_index(session.volume, BALL))
    session.wait()
    layers.redraw()
    return layers.mask.layer


def test_a_copy_of_the_masks_has_its_own_voxels_and_stays_when_the_session_is_opened_again(opened):
    viewer, session, layers = opened
    mask = segment(session, layers)
    shown, state, kind = mask.as_layer_data_tuple()
    copy = Layer.create(deepcopy(shown), {**state, "name": "corrected"}, kind)
    viewer.add_layer(copy)
    data = np.array(copy.data)
    data[0, :5, :5] = 1
    copy.data = data
    before, _ = labels_and_grid(mask)
    values, _ = labels_and_grid(copy)
    assert np.count_nonzero(values) == np.count_nonzero(before) + 25
    layers.close()
    again = with_layers(viewer, session)
    assert copy in viewer.layers
    again.close()


def test_masks_whose_data_type_was_converted_follow_the_session(opened):
    _, session, layers = opened
    mask = segment(session, layers)
    mask.data = np.asarray(mask.data).astype(np.uint32)
    session.add(nmv.Point.at_index(session.volume, (12, 20, 33)), session.add_object("second"))
    session.wait()
    layers.redraw()
    assert set(np.unique(mask.data)) == set(np.unique(session.labels)) == {0, 1, 2}


def test_a_new_object_has_its_colour_without_another_colormap(opened):
    _, session, layers = opened
    mask = segment(session, layers)
    before = mask.colormap
    session.add(nmv.Point.at_index(session.volume, (12, 20, 33)), session.add_object("second"))
    session.wait()
    layers.redraw()
    assert mask.colormap is before
    expected = transform_color([live.info.color for live in session.now.objects.values()])
    assert_allclose(mask.colormap.map(np.array([1, 2])), expected, atol=1e-6)


def test_an_object_is_hidden_shown_and_gone_to(opened):
    viewer, session, layers = opened
    mask = segment(session, layers)
    layers.mask.show_object(1, False)
    assert mask.colormap.map(np.array([1]))[0, 3] == 0
    layers.mask.show_object(1, True)
    assert mask.colormap.map(np.array([1]))[0, 3] > 0
    viewer.dims.set_current_step(0, 0)
    layers.mask.go_to(1)
    index = np.rint(session.volume.grid.to_index(position_in_view(viewer))).astype(int)
    assert session.mask[index[0]].any()
    layers.mask.toggle()
    assert not mask.visible


def test_without_objects_no_layer_stays_after_the_session(opened):
    viewer, session, layers = opened
    layers.use(layers.points, "add")
    assert {role(layer) for layer in viewer.layers} >= {"mask", "points"}
    layers.close()
    assert [layer.name for layer in viewer.layers] == [session.volume.name]
