"""Boxes of an answer that lie in the prior, without a window."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose

from napari_medvlm.data.answer import Answer, Claim
from napari_medvlm.data.conversation import State, Turn
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.answer_layers import AnswerLayers
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.layers.pairing.pairing_layers import (
    PairedStudies,
    PairingLayers,
    paired_studies,
)
from napari_medvlm.layers.pairing.prior_regions import in_current
from napari_medvlm.layers.views.prior_view import PriorView

DATA = np.random.default_rng(0).normal(size=(12, 16, 18)).astype(np.float32)
CURRENT = Volume(DATA, name="current")
SHIFT_MM = np.array([2.0, -1.0, 3.0])
AFFINE = np.eye(4)
AFFINE[:3, 3] = -SHIFT_MM
PRIOR = Volume(DATA, name="prior")
PAIRING = Pairing(PairingKind.RIGID, np.linalg.inv(AFFINE))
BOX = Box.at_index(PRIOR, (5, 4, 6), (6, 9, 12))
THERE = Region("nodule", BOX, name="nodule", image_name="prior")
HERE = Region("cyst", Box.at_index(CURRENT, (7, 2, 3), (8, 5, 6)), name="cyst")
ANSWER = Answer("Two.", (Claim("A nodule.", (THERE,)), Claim("A cyst.", (HERE,))))
TURN = Turn(1, "What is there?", "scripted", state=State.ANSWERED, answer=ANSWER)


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    for volume in (PRIOR, CURRENT):
        viewer.add_layer(Layer.create(*layer_data(volume)))
    show_plane(viewer, Plane.AXIAL)
    return viewer


@pytest.fixture
def paired(viewer):
    layers = PairingLayers(viewer, viewer.layers["current"], viewer.layers["prior"])
    layers.show(PairedStudies.of(CURRENT, PRIOR, PAIRING))
    yield layers
    layers.close()


def boxes(layers):
    return [layer for layer in layers if "boxes" in layer.name]


def test_a_box_of_the_prior_is_shown_at_its_registered_place(viewer, paired):
    moved = in_current(THERE, viewer, CURRENT)
    assert_allclose(moved.box.corners(), BOX.corners() + SHIFT_MM)
    assert in_current(HERE, viewer, CURRENT) is HERE
    paired.close()
    assert paired_studies(viewer) is None
    assert in_current(THERE, viewer, CURRENT) is THERE


def test_a_box_of_the_prior_is_drawn_in_its_view_while_that_is_open(viewer, paired):
    shown = AnswerLayers(viewer, CURRENT, lambda _: None)
    shown.show(TURN)
    assert [r.callout for r in shown.regions] == ["1 (prior)", "2"]
    assert [len(layer.data) for layer in boxes(viewer.layers)] == [1, 1]
    view = PriorView(viewer, PRIOR, (-1, 1))
    assert [layer.name for layer in boxes(viewer.layers)] == ["Answer: boxes"]
    (drawn,) = boxes(view.model.layers)
    assert drawn.name == "Answer in prior: boxes"
    view.close()
    assert len(boxes(viewer.layers)) == 2
    shown.close()
    assert not boxes(viewer.layers)
