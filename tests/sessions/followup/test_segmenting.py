"""Proposed points are segmented, guided by the masks of the prior."""

from dataclasses import replace

import numpy as np
import pytest

import napari_medvlm as nmv
from benchmarks.planted_lesions import EXPECTED
from benchmarks.user import dice
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Point, Scribble
from napari_medvlm.sessions.followup.prompt_forms import PromptForm, prompt_of, supported_forms
from napari_medvlm.sessions.followup.segmenting import joined, large_pieces


@pytest.fixture(scope="module")
def accepted(pair):
    """All points segmented by the embedded backend, with the masks that the prior guides."""
    return nmv.follow(
        pair.current, pair.prior, pair.prior_masks, pair.pairing, accept=True, backtest=False
    )


def test_every_lesion_is_named_rightly_from_its_segmentation(accepted) -> None:
    states = {row.name: row.state for row in accepted.lesions}
    assert states == {name: state for name, state in EXPECTED.items() if state != "new"}


@pytest.mark.parametrize(
    ("name", "change"),
    [("grown a", 20), ("grown b", 20), ("stable a", 0), ("stable b", 0), ("stable c", 0)],
)
def test_a_change_of_volume_is_measured_within_6_points(accepted, name, change) -> None:
    (row,) = [row for row in accepted.lesions if row.name == name]
    assert row.change_percent == pytest.approx(change, abs=5 if change else 6)


def test_the_masks_agree_with_the_planted_ones(accepted, pair) -> None:
    truth = pair.current_masks.values > 0
    truth &= pair.current_masks.values != 9  # the new one, which is not searched for
    assert dice(accepted.masks.values > 0, truth) > 0.9


def test_the_backtest_chooses_the_prompts_and_states_its_error(pair) -> None:
    (value,) = [v for v, name in pair.prior_masks.names.items() if name == "grown b"]
    values = np.where(pair.prior_masks.values == value, value, 0).astype(np.uint8)
    single = replace(pair.prior_masks, values=values)
    result = nmv.follow(pair.current, pair.prior, single, pair.pairing, accept=True)
    (row,) = result.lesions
    assert row.state == "grown"
    assert row.reliability.prompts in set(map(str, PromptForm))
    assert abs(row.reliability.error_points) < 10
    assert row.reliability.is_reliable


def test_a_backend_gets_only_prompts_that_it_supports(pair) -> None:
    assert supported_forms(frozenset({Point, Box})) == (PromptForm.POINT, PromptForm.BOX)
    full = np.zeros(pair.current.shape, bool)
    full[40:47, 40:47, 40:47] = True
    mask, grid = Mask.of(full), pair.current.grid
    point = prompt_of(PromptForm.POINT, mask, None, grid)
    np.testing.assert_allclose(grid.to_index(point.position_mm), (43, 43, 43), atol=1e-3)
    box = prompt_of(PromptForm.BOX, mask, None, grid)
    np.testing.assert_array_equal(box.bounds(grid), [(39, 39, 39), (48, 48, 48)])
    assert prompt_of(PromptForm.GUIDED, mask, None, grid) is None
    assert isinstance(prompt_of(PromptForm.GUIDED, mask, mask, grid), InitialMask)
    assert isinstance(prompt_of(PromptForm.SCRIBBLE, mask, None, grid), Scribble)


def test_small_pieces_are_dropped_and_touching_masks_are_joined() -> None:
    full = np.zeros((10, 10, 30), bool)
    full[2:6, 2:6, 2:6] = True
    full[2:6, 2:6, 10:14] = True
    full[8, 8, 8] = True
    pieces = large_pieces(Mask.of(full))
    assert [piece.voxels for piece in pieces] == [64, 64]
    bridge = np.zeros_like(full)
    bridge[3, 3, 6:10] = True
    assert [mask.voxels for mask in joined([*pieces, Mask.of(bridge)])] == [132]
    assert len(joined(pieces)) == 2
