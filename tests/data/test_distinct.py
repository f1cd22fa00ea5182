"""Of regions that overlap, the best stays: non-maximum suppression as torchvision's."""

import numpy as np
import pytest
import torch
from torchvision.ops import nms

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.iou import distinct
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region

GRID = Grid((4, 60, 80), np.diag([2.0, 1.0, 1.5, 1.0]))


def regions_of(boxes, scores, phrase="mass"):
    """Regions on slice 2 of boxes ``x0, y0, x1, y1``."""
    return [
        Region(phrase, Box.at_index(GRID, (2, y0, x0), (3, y1, x1)), float(score))
        for (x0, y0, x1, y1), score in zip(boxes.tolist(), scores, strict=True)
    ]


@pytest.mark.parametrize("limit", [0.0, 0.213, 0.517, 0.613])
def test_the_regions_are_those_of_torchvision(limit):
    generator = np.random.default_rng(5)
    low = generator.integers(0, 30, (60, 2))
    boxes = np.hstack([low, low + generator.integers(5, 30, (60, 2))])
    scores = generator.permutation(60) / 60
    regions = regions_of(boxes, scores)
    wanted = nms(torch.tensor(boxes).float(), torch.tensor(scores).float(), limit).tolist()
    assert distinct(regions, limit, GRID) == [regions[number] for number in wanted]
    assert 1 < len(wanted) < 60


def test_regions_of_other_phrases_stay_and_phrases_keep_their_order():
    boxes = np.array([[0, 0, 20, 20], [1, 0, 20, 20]])
    first, second = regions_of(boxes, (0.4, 0.6)), regions_of(boxes, (0.9, 0.8), "nodule")
    grounding = Grounding((*first, *second)).distinct(0.5, GRID)
    assert grounding.regions == (first[1], second[0])


def test_a_limit_of_1_leaves_equal_boxes():
    regions = regions_of(np.array([[0, 0, 20, 20]] * 2), (0.4, 0.6))
    assert distinct(regions, 1, GRID) == regions[::-1]


@pytest.mark.parametrize("limit", [-0.1, 1.1, float("nan")])
def test_other_limits_are_refused(limit):
    with pytest.raises(InvalidPrompt, match="no overlap of"):
        distinct([], limit, GRID)
