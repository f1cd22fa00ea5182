"""Confidence intervals of means: by case, and none where nothing can be said."""

import numpy as np
import pytest

from napari_medvlm.evaluation.metrics.confidence_intervals import interval, interval_by_case


def test_one_value_a_case_is_the_interval_of_its_mean():
    values = np.random.default_rng(0).normal(0.5, 0.1, 30)
    found = interval_by_case((f"case {k}", "liver", value) for k, value in enumerate(values))
    assert found == pytest.approx(interval(values), abs=0.005)


def test_the_interval_of_a_clustered_mean_has_its_nominal_coverage():
    rng, held = np.random.default_rng(1), 0
    for _ in range(60):
        own = rng.normal(0, 1, 25)  # what the structures of a case have in common
        known = [
            (f"case {case}", f"structure {structure}", own[case] + structure + rng.normal(0, 0.2))
            for case in range(25)
            for structure in range(3)
            if rng.random() < 0.8
        ]
        low, high = interval_by_case(known)
        held += low <= 1 <= high
    assert 50 <= held <= 60


def test_repeated_measurements_of_a_case_do_not_narrow_the_interval():
    rng = np.random.default_rng(2)
    own = rng.normal(0, 1, 20)
    once = interval_by_case((str(case), "", value) for case, value in enumerate(own))
    often = interval_by_case((str(c), "", v) for c, v in enumerate(own) for _ in range(9))
    assert often == pytest.approx(once, abs=0.02)


@pytest.mark.parametrize(
    "known",
    [
        [],
        [("a", "", 1.0), ("a", "", 0.0)],
        [("a", "", 1.0), ("b", "", None)],
        [("a", "", 1.0), ("b", "", 1.0)],
    ],
    ids=["nothing", "one case", "one value", "all agree"],
)
def test_there_is_no_interval_of_too_few_cases(known):
    assert interval_by_case(known) is None
