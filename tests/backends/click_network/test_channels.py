"""The channels of the bundled network are those that it was trained with."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from napari_medvlm.backends.click_network.channels import channels, normalised, voxels_of
from napari_medvlm.backends.click_network.crops import Crop
from napari_medvlm.backends.click_network.gestures import Box, Line, Point, Stroke
from training import imaging
from training.prompts import Prompts, encode, local_mean

SPACING = (2.0, 1.0, 1.0)
CROP = Crop((20.0, 20.0, 20.0), 32.0, 16)
RNG = np.random.default_rng(3)
IMAGE = RNG.normal(50, 12, (16, 16, 16)).astype(np.float32)
LAST = RNG.random((16, 16, 16)).astype(np.float32)
POINT, NEGATIVE = Point((10, 20, 20)), Point((13, 25, 12), positive=False)
LINE, BOX = Line((10, 14, 16), (10, 26, 24)), Box((8, 14, 14), (13, 27, 27))
FLAT = Box((8, 14, 20), (13, 27, 21))
STROKE = Stroke(((10, 20, 20), (10, 20, 21), (10, 21, 22)))


def by_torch(gestures):
    """The channels as the training computes them, on torch tensors."""
    images = imaging.normalised(torch.from_numpy(IMAGE)[None])
    prompts = Prompts.none(images)
    means = local_mean(images)[0]
    for gesture in gestures:
        voxels = torch.from_numpy(voxels_of(gesture, CROP, SPACING))
        positive = getattr(gesture, "positive", True)
        target = {Line: prompts.line, Box: prompts.box}.get(
            type(gesture), prompts.positive if positive else prompts.negative
        )
        target[0] |= voxels
        at = voxels.nonzero().float()
        distance = (at - at.mean(0)).norm(dim=1)
        near = at[distance <= distance.mean() + 1e-3].long()
        reference = means[near[:, 0], near[:, 1], near[:, 2]].median()
        prompts.refer(reference[None], torch.tensor([positive]))
    return encode(images, prompts, torch.from_numpy(LAST)[None]).numpy()


@pytest.mark.parametrize(
    "gestures",
    [
        (),
        (POINT,),
        (POINT, NEGATIVE),
        (LINE,),
        (BOX,),
        (FLAT, POINT),
        (STROKE, NEGATIVE),
        (LINE, BOX, POINT, NEGATIVE, STROKE),
    ],
    ids=["none", "point", "two points", "line", "box", "flat box", "stroke", "all"],
)
def test_channels_equal_those_of_the_training(gestures):
    assert_allclose(channels(IMAGE, LAST, gestures, CROP, SPACING), by_torch(gestures), atol=2e-5)


def test_a_constant_crop_is_normalised_to_zero():
    assert not normalised(np.full((4, 4, 4), 7.0, np.float32)).any()
