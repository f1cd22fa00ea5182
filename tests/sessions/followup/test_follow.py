"""Planted lesions are followed from a prior into a current study."""

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

import napari_medvlm as nmv
from benchmarks.planted_lesions import EXPECTED
from napari_medvlm.data.errors import GeometryMismatch, InvalidImage, InvalidPrompt
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume

DATES = date(2026, 1, 1), date(2026, 4, 1)


@pytest.fixture(scope="module")
def compared(pair):
    """The masks of both studies compared."""
    return nmv.follow(
        pair.current, pair.prior, pair.prior_masks, pair.pairing,
        current_masks=pair.current_masks, dates=DATES,
    )  # fmt: skip


@pytest.fixture(scope="module")
def proposed(pair):
    """Points only."""
    return nmv.follow(pair.current, pair.prior, pair.prior_masks, pair.pairing)


def rows(result):
    return {lesion.name: lesion for lesion in result.lesions}


def test_every_lesion_is_named_rightly_from_masks(compared) -> None:
    assert {name: row.state for name, row in rows(compared).items()} == EXPECTED


@pytest.mark.parametrize("name", ["grown a", "grown b"])
def test_growth_is_that_of_the_masks(compared, pair, name) -> None:
    count = {n: np.count_nonzero(pair.current_masks.values == v)
             for v, n in pair.current_masks.names.items()}  # fmt: skip
    before = {n: np.count_nonzero(pair.prior_masks.values == v)
              for v, n in pair.prior_masks.names.items()}  # fmt: skip
    change = 100 * (count[name] / before[name] - 1)
    row = rows(compared)[name]
    assert row.change_percent == pytest.approx(change)
    assert row.change_percent == pytest.approx(20, abs=0.5)
    days = 90 * math.log(2) / math.log(1 + change / 100)
    assert row.doubling_days == pytest.approx(days)


def test_merged_lesions_change_together_and_count_once(compared) -> None:
    merged = [rows(compared)[name] for name in ("merged a", "merged b")]
    assert {row.group for row in merged} == {("merged a", "merged b")}
    assert merged[0].change_percent == merged[1].change_percent
    together = sum(row.prior.volume_ml for row in merged)
    change = 100 * (merged[0].current.volume_ml / together - 1)
    assert merged[0].change_percent == pytest.approx(change)


def test_the_label_image_keeps_the_values_of_the_prior(compared, pair) -> None:
    masks = compared.masks
    assert masks.names[1] == "grown a"
    grown = pair.current_masks.mask_of(1).full()
    np.testing.assert_array_equal(masks.mask_of(1).full(), grown)
    split = rows(compared)["split"]
    assert split.current_values[0] == split.value
    assert len(masks.present) == 9  # as many as in the current study


def test_a_planted_change_is_measured_again(compared) -> None:
    errors = [row.reliability.error_points for row in compared.lesions if row.reliability]
    assert len(errors) == 9
    assert float(np.abs(errors).mean()) < 5
    assert all(row.reliability.is_reliable for row in compared.lesions if row.reliability)


def test_a_new_lesion_is_progression(compared) -> None:
    assert compared.category == "PD"
    chosen = [row for row in compared.lesions if row.is_target]
    assert len(chosen) == 5
    assert compared.sum_mm[0] == pytest.approx(sum(row.prior.longest_mm for row in chosen))


def test_points_are_proposed_at_the_lesions(proposed, pair) -> None:
    for row in proposed.lesions:
        if row.state is None:
            expected = pair.pairing.to_current(np.array(row.prior.center_mm))
            assert np.linalg.norm(np.array(row.current.center_mm) - expected) < 2
            assert not row.is_measured
            assert row.to_json()["volume_ml"][1] is None


def test_only_the_vanished_lesion_is_gone(proposed) -> None:
    assert [row.name for row in proposed.lesions if row.state == "gone"] == ["gone"]
    assert proposed.category == "NE"


def test_a_point_is_corrected_by_its_surroundings(pair) -> None:
    matrix = pair.pairing.affine_mm.copy()
    matrix[:3, 3] += (0, 4, -4)
    moved = Pairing(PairingKind.RIGID, matrix)
    result = nmv.follow(pair.current, pair.prior, pair.prior_masks, moved, backtest=False)
    for row in result.lesions:
        expected = pair.pairing.to_current(np.array(row.prior.center_mm))
        assert np.linalg.norm(np.array(row.current.center_mm) - expected) < 2.5, row.name


def test_a_spoiled_registration_is_flagged(pair) -> None:
    matrix = pair.pairing.affine_mm.copy()
    matrix[:3, 3] += (0, 14, 0)
    spoiled = Pairing(PairingKind.RIGID, matrix)
    result = nmv.follow(pair.current, pair.prior, pair.prior_masks, spoiled)
    tested = [row.reliability for row in result.lesions]
    assert sum(not r.is_reliable for r in tested) >= 8
    assert any("registration does not fit" in note for note in result.notes)


def test_masks_of_a_single_value_are_followed_by_component(pair) -> None:
    single = replace(
        pair.prior_masks,
        values=np.isin(pair.prior_masks.values, (1, 2, 3)).astype(np.uint8),
        names={1: "lesion"},
    )
    result = nmv.follow(pair.current, pair.prior, single, pair.pairing, backtest=False)
    assert [row.name for row in result.lesions] == ["lesion 1", "lesion 2", "lesion 3"]


def test_a_lesion_outside_the_current_study_is_not_called_gone(pair) -> None:
    current = Volume(pair.current.data[:40], pair.current.affine)  # without the top of the head
    result = nmv.follow(current, pair.prior, pair.prior_masks, pair.pairing)
    row = rows(result)["merged a"]
    assert row.state is None
    assert row.current.center_mm is None
    assert row.notes == ("Its place lies outside the current study.",)


def test_masks_of_another_grid_are_refused(pair) -> None:
    affine = pair.prior.affine.copy()
    affine[0, 3] += 1
    elsewhere = replace(pair.prior, affine=affine)
    with pytest.raises(GeometryMismatch, match="prior masks lies on another grid"):
        nmv.follow(pair.current, elsewhere, pair.prior_masks, pair.pairing)


def test_masks_without_a_lesion_are_refused(pair) -> None:
    empty = NamedLabels(np.zeros(pair.prior.shape, np.uint8), pair.prior.grid, {})
    with pytest.raises(InvalidPrompt, match="has no lesion"):
        nmv.follow(pair.current, pair.prior, empty, pair.pairing)


def test_no_lesion_in_the_current_study_is_complete_response(pair) -> None:
    empty = NamedLabels(np.zeros(pair.current.shape, np.uint8), pair.current.grid, {})
    result = nmv.follow(
        pair.current, pair.prior, pair.prior_masks, pair.pairing, current_masks=empty,
        backtest=False,
    )  # fmt: skip
    assert {row.state for row in result.lesions} == {"gone"}
    assert (result.category, result.sum_mm[1]) == ("CR", 0)


def test_an_unknown_node_and_both_ways_of_masks_are_refused(pair) -> None:
    masks = pair.prior_masks
    with pytest.raises(InvalidPrompt, match="No lesion is named axilla"):
        nmv.follow(pair.current, pair.prior, masks, pair.pairing, nodes=["axilla"])
    with pytest.raises(InvalidPrompt, match="not both"):
        nmv.follow(
            pair.current, pair.prior, masks, pair.pairing,
            accept=True, current_masks=pair.current_masks,
        )  # fmt: skip


def test_a_slice_is_not_compared_with_a_volume(pair) -> None:
    flat = Volume(pair.current.data[50:51], pair.current.affine)
    with pytest.raises(InvalidImage, match="is a single slice"):
        nmv.follow(flat, pair.prior, pair.prior_masks, pair.pairing)
