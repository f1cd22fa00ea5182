"""Outlines of the prior's lesions, in the view of the prior and carried over."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from numpy.testing import assert_allclose

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.layers.pairing.pairing_layers import PairedStudies
from napari_medvlm.layers.pairing.prior_outlines import TITLE, PriorOutlines, moved_lesions
from napari_medvlm.layers.views.prior_view import PriorView

DATA = np.random.default_rng(0).normal(size=(12, 16, 18)).astype(np.float32)
SHIFT_MM = (2.0, -1.0, 3.0)
CURRENT = Volume(DATA, name="current")
PRIOR = Volume(DATA, name="prior")


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(CURRENT)))
    show_plane(viewer, Plane.AXIAL)
    return viewer


def studies(**displacement):
    affine = np.eye(4)
    affine[:3, 3] = SHIFT_MM
    return PairedStudies.of(CURRENT, PRIOR, Pairing(PairingKind.RIGID, affine, **displacement))


def lesions():
    values = np.zeros(DATA.shape, np.uint8)
    values[4:7, 6:9, 5:9] = 3
    return Labels(values, name="lesions")


def outline(viewer, source, pair):
    return PriorOutlines(viewer, moved_lesions(source, pair), CURRENT, source.colormap)


def outlined(view):
    return [layer for layer in view.layers if layer.name == TITLE]


def test_outlines_lie_at_the_registered_place_in_both_views_and_are_not_copied(viewer):
    source = lesions()
    shown = outline(viewer, source, studies())
    view = PriorView(viewer, studies().moved, (-2, 2))
    (here,), (there,) = outlined(viewer), outlined(view.model)
    assert np.shares_memory(here.data, source.data)
    assert np.shares_memory(there.data, source.data)
    for layer in (here, there):
        assert_allclose(layer.data_to_world((5, 7, 6)), np.add((5, 7, 6), SHIFT_MM))
        assert layer.contour == 1
        assert not layer.editable
        assert_allclose(layer.get_color(3), source.get_color(3))
    assert viewer.layers.selection.active is not here
    view.close()
    assert outlined(viewer) == [here]
    shown.close()
    assert not outlined(viewer)


def test_outlines_are_in_a_prior_view_that_was_open_before_and_leave_with_the_lesions(viewer):
    view = PriorView(viewer, studies().moved, (-2, 2))
    shown = outline(viewer, lesions(), studies())
    assert len(outlined(view.model)) == 1
    shown.close()
    assert not outlined(view.model)
    view.close()


def test_a_deformable_pairing_resamples_the_outlines(viewer):
    shift = np.zeros((3, *DATA.shape))
    pair = studies(displacement_mm=shift, displacement_affine=np.eye(4))
    outline(viewer, lesions(), pair)
    (layer,) = outlined(viewer)
    expected = np.zeros(DATA.shape, np.uint8)
    expected[6:9, 5:8, 8:12] = 3
    assert np.array_equal(layer.data, expected)
