"""Stated against measured confidence: the measures, the curves, and their files."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import calibration_curve
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from napari_medvlm.checks.calibration import Curve, file_of, fit, load, save
from napari_medvlm.checks.reliability import brier, expected_calibration_error, reliability
from napari_medvlm.data.errors import InvalidReference, SettingsError


def sure(count=40_000, slope=0.6, seed=3):
    """Confidences, and truths that are right in 0.5 + slope * (confidence - 0.5) of the cases."""
    random = np.random.default_rng(seed)
    stated = random.uniform(0.5, 1, count)
    return stated, random.uniform(size=count) < 0.5 + slope * (stated - 0.5)


def test_a_known_miscalibration_has_its_known_error_and_diagram():
    stated, right = sure()
    # the gap is (1 - slope) * (confidence - 0.5), a tenth in the mean
    assert expected_calibration_error(stated, right) == pytest.approx(0.1, abs=0.005)
    for one in reliability(stated, right):
        assert one.low >= 0.5
        assert one.right == pytest.approx(0.5 + 0.6 * (one.stated - 0.5), abs=0.02)
    few = [0.95] * 10 + [0.65] * 10
    truths = [1] * 7 + [0] * 3 + [1] * 6 + [0] * 4
    assert expected_calibration_error(few, truths) == pytest.approx((0.25 + 0.05) / 2)


def test_measures_equal_those_of_scikit_learn():
    stated, right = sure(500)
    assert brier(stated, right) == pytest.approx(brier_score_loss(right, stated), abs=1e-12)
    share, mean = calibration_curve(right, stated, n_bins=10)
    found = reliability(stated, right)
    assert_allclose([b.right for b in found], share, atol=1e-12)
    assert_allclose([b.stated for b in found], mean, atol=1e-12)
    on_edges = np.repeat([0, 0.1, 0.3, 0.5, 1], 2)
    truths = np.tile([0, 1], 5)
    share, mean = calibration_curve(truths, on_edges, n_bins=10)
    assert_allclose([b.stated for b in reliability(on_edges, truths)], mean, atol=1e-12)


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
def test_a_curve_mends_what_it_was_fitted_on_and_survives_its_file(kind):
    stated, right = sure(4000)
    curve = fit(stated, right, kind)
    assert curve.ece == pytest.approx(expected_calibration_error(stated, right))
    assert curve.ece > 0.08
    assert curve.ece_after < {"temperature": 0.035, "platt": 0.035, "isotonic": 0.001}[kind]
    assert np.all(np.diff(curve(np.linspace(0, 1, 50))) >= 0)
    save(curve, "server", "models/a b:7")
    assert load("server", "models/a b:7") == curve
    assert load("server") is None


def test_a_curve_of_version_0_1_is_read():
    path = save(fit(*sure()), "scripted")
    assert '"fitted_at"' in path.read_text("utf-8")
    path.write_text(
        '{"kind": "platt", "x": [], "y": [1.0, 0.5], "count": 9, "made": "2026-11-01T10:00:00"}'
    )
    assert load("scripted") == Curve("platt", (), (1, 0.5), 9, fitted_at="2026-11-01T10:00:00")


def test_isotonic_equals_scikit_learn():
    stated, right = sure(300)
    there = np.linspace(0.4, 1, 100)
    wanted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(stated, right)
    assert_allclose(fit(stated, right)(there), wanted.predict(there), atol=1e-9)


def test_a_calibration_that_cannot_be_fitted_is_reported():
    with pytest.raises(InvalidReference, match="All 3 answers are right"):
        fit([0.5, 0.6, 0.7], [1, 1, 1])
    with pytest.raises(InvalidReference, match="1 confidences and 2 truths"):
        reliability([0.5], [1, 0])
    path = file_of("server", None)
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(SettingsError, match=r"server\.json"):
        load("server")
