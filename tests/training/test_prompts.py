"""Prompts as channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from training.prompts import CHANNELS, REACH, Prompts, encode, local_mean, truncated_distance


def test_truncated_distances_are_those_of_scipy():
    voxels = torch.rand(2, 20, 20, 20, generator=torch.Generator().manual_seed(0)) > 0.997
    expected = [np.minimum(ndimage.distance_transform_edt(~v.numpy()), REACH) for v in voxels]
    assert truncated_distance(voxels).numpy() == pytest.approx(np.stack(expected), abs=1e-5)


def test_channels_without_prompts_are_empty():
    image = torch.zeros(1, 8, 8, 8)
    channels = encode(image, Prompts.none(image), torch.zeros_like(image))
    assert channels.shape == (1, len(CHANNELS), 8, 8, 8)
    assert not channels.any()


def test_a_point_is_near_itself_and_like_its_own_intensity():
    image = torch.zeros(1, 8, 8, 8)
    image[..., 4:] = 0.8
    prompts = Prompts.none(image)
    prompts.positive[0, 2, 2, 6] = True
    prompts.refer(local_mean(image)[:, 2, 2, 6], torch.tensor([True]))
    channels = dict(zip(CHANNELS, encode(image, prompts, torch.zeros_like(image))[0], strict=True))
    assert channels["positive"][2, 2, 6] == 1
    assert channels["positive"][2, 2, 4] == pytest.approx(1 - 2 / REACH)
    assert channels["like_positive"][0, 0, 7] == pytest.approx(1)
    assert channels["like_positive"][0, 0, 0] == pytest.approx(np.exp(-4), rel=1e-4)
    assert not channels["negative"].any()
    assert not channels["like_negative"].any()
