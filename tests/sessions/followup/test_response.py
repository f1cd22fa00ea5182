"""Categories of RECIST 1.1 and doubling times, by arithmetic."""

from datetime import date

import pytest

from napari_medvlm.sessions.followup.followed import Extent, FollowedLesion
from napari_medvlm.sessions.followup.overlap import LesionState
from napari_medvlm.sessions.followup.response import (
    TargetDiameter,
    category_of,
    doubling_days,
    targets_of,
)


def target(prior: float, current: float | None, is_node: bool = False) -> TargetDiameter:
    state = LesionState.GONE if current == 0 else LesionState.STABLE
    return TargetDiameter(prior, current, is_node, state)


@pytest.mark.parametrize(
    ("pairs", "category"),
    [
        ([(20, 20)], "SD"),
        ([(20, 14)], "PR"),  # 30 per cent less
        ([(20, 14.2)], "SD"),
        ([(30, 36)], "PD"),  # 20 per cent and 6 mm
        ([(20, 24.5)], "SD"),  # 22 per cent, but 4.5 mm
        ([(20, 0), (10, 0)], "CR"),
        ([(20, 0), (10, 4)], "PR"),
        ([(20, None)], "NE"),
        ([], "NE"),
    ],
)
def test_the_category_follows_the_sum_of_diameters(pairs, category) -> None:
    assert category_of([target(*pair) for pair in pairs], has_new=False) == category


def test_a_new_lesion_is_progression() -> None:
    assert category_of([target(20, 0)], has_new=True) == "PD"


def test_a_node_below_10_mm_is_normal() -> None:
    assert category_of([target(16, 9.9, is_node=True)], has_new=False) == "CR"
    assert category_of([target(16, 10.1, is_node=True)], has_new=False) == "PR"


def test_the_five_largest_measurable_lesions_are_targets() -> None:
    lesions = [target(mm, mm) for mm in (9, 10, 30, 12, 14, 11, 13)]
    assert targets_of(lesions) == (2, 3, 4, 5, 6)


def test_a_node_counts_from_a_short_axis_of_15_mm() -> None:
    assert targets_of([target(14, 14, is_node=True), target(12, 12)]) == (1,)


def test_small_lesions_are_targets_if_there_are_no_others() -> None:
    assert targets_of([target(4, 4), target(5, 5)]) == (0, 1)


def test_a_volume_that_doubles_in_90_days_has_that_doubling_time() -> None:
    dates = date(2026, 1, 1), date(2026, 4, 1)
    assert doubling_days(1.0, 2.0, dates) == pytest.approx(90)
    assert doubling_days(1.0, 4.0, dates) == pytest.approx(45)
    assert doubling_days(1.0, 0.9, dates) is None


@pytest.mark.parametrize(
    ("percent", "text"),
    [(None, ""), (-0.4, "0 %"), (0.0, "0 %"), (0.6, "+1 %"), (-20.2, "-20 %"), (18.4, "+18 %")],
)
def test_a_change_has_its_sign_unless_it_is_zero(percent, text):
    nowhere = Extent(None)
    lesion = FollowedLesion("Lesion 1", None, nowhere, nowhere, change_percent=percent)
    assert lesion.change_text == text
