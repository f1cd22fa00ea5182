"""The scores are the field's, to one in a million."""

import monai.metrics
import numpy as np
import pytest
import surface_distance
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from napari_medvlm.evaluation.metrics import segmentation
from tests.evaluation.segment.test_simulated_user import blobs

# They warn of their own old spellings.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
SINGLE = 5e-6
"""MONAI takes percentiles in single precision."""
EXACT = 1e-6


def tensor(mask):
    return torch.tensor(mask[None, None].astype(np.float32))


def by_monai(mask, truth, spacing, tolerance_mm):
    pair = tensor(mask), tensor(truth)
    common = {"include_background": True, "spacing": spacing}
    return (
        monai.metrics.compute_dice(*pair).item(),
        monai.metrics.compute_iou(*pair).item(),
        monai.metrics.compute_surface_dice(
            *pair, [tolerance_mm], use_subvoxels=True, **common
        ).item(),
        monai.metrics.compute_hausdorff_distance(*pair, percentile=95, **common).item(),
    )


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(*[st.integers(2, 16)] * 3),
    st.tuples(*[st.floats(0.5, 4).map(lambda v: round(v, 3))] * 3),
    st.integers(0, 10_000),
    st.sampled_from([0.0, 1.0, 2.0]),
)
def test_scores_equal_monais(shape, spacing, seed, tolerance_mm):
    truth, mask = blobs(shape, seed), blobs(shape, seed + 1)
    if not (truth.any() and mask.any()):
        return
    found = segmentation.scores(mask, truth, spacing, tolerance_mm)
    dice, iou, nsd, hd95 = by_monai(mask, truth, spacing, tolerance_mm)
    assert found.dice == pytest.approx(dice, abs=EXACT)
    assert found.iou == pytest.approx(iou, abs=EXACT)
    assert found.nsd == pytest.approx(nsd, abs=EXACT)
    assert found.hd95_mm == pytest.approx(hd95, rel=SINGLE, abs=EXACT)


@pytest.mark.parametrize("seed", range(10))
def test_surface_dice_equals_deepminds(seed):
    spacing = (3.0, 0.8, 1.1)
    truth, mask = blobs((9, 14, 12), seed), blobs((9, 14, 12), seed + 50)
    between = surface_distance.compute_surface_distances(truth, mask, spacing)
    wanted = surface_distance.compute_surface_dice_at_tolerance(between, 1.0)
    assert segmentation.surface_dice(mask, truth, spacing, 1.0) == pytest.approx(wanted, abs=1e-12)


def bar(start, stop):
    mask = np.zeros((3, 3, 30), bool)
    mask[1, 1, start:stop] = True
    return mask


def test_scores_of_two_bars_by_hand():
    found = segmentation.scores(bar(4, 14), bar(9, 19), (1, 1, 2), 0.0)
    assert found.dice == 0.5
    assert found.iou == pytest.approx(1 / 3)
    # Distances 0 for five voxels, then 2, 4, 6, 8, 10 mm, and the same the other way round.
    assert found.hd95_mm == pytest.approx(np.percentile([0] * 5 + [2, 4, 6, 8, 10], 95))


def test_empty_masks():
    full, empty = bar(4, 14), bar(4, 4)
    assert segmentation.scores(empty, full, (1, 1, 1), 2) == segmentation.Scores(
        0.0, 0.0, 0.0, None
    )
    assert segmentation.scores(empty, empty, (1, 1, 1), 2) == segmentation.Scores(
        1.0, 1.0, 1.0, 0.0
    )
    assert segmentation.scores(full, full, (1, 1, 1), 0) == segmentation.Scores(1.0, 1.0, 1.0, 0.0)


def test_the_area_is_the_challenges():
    dice = [0.3, 0.5, 0.8, 0.82, 0.9]
    wanted = integrate.cumulative_trapezoid(np.array(dice), np.arange(5))[-1]
    assert segmentation.area_under(dice) == pytest.approx(wanted, abs=1e-12)
    assert segmentation.area_under([1.0] * 5) == 4
    assert segmentation.area_under([0.7]) == 0
    assert segmentation.challenge_nsd([0.9, 0.9], [0.2, 0.21]) == [0.0, 0.9]


def test_interactions_to_a_dice():
    assert segmentation.interactions_to([0.3, 0.85, 0.84], 0.85) == 2
    assert segmentation.interactions_to([0.3, 0.85, 0.84], 0.9) is None
