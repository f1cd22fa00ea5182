"""Landmark pairs: the error of a pairing in mm, and the pairing that fits them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.sessions.landmarks import LandmarkPair, errors_mm, fitted

IDENTITY = Pairing(PairingKind.IDENTITY, np.eye(4))
TURN = Rotation.from_euler("xyz", (12, -7, 25), degrees=True)
SHIFT_MM = np.array([4.0, -9.0, 2.5])
POINTS = np.random.default_rng(1).normal(scale=30, size=(6, 3))


def pairs_of(prior, current):
    return [LandmarkPair(tuple(p), tuple(c)) for p, c in zip(prior, current, strict=True)]


def test_the_error_is_the_distance_in_the_current_image():
    pairs = pairs_of([(0, 0, 0), (10, 0, 0)], [(3, 4, 0), (10, 0, 2)])
    np.testing.assert_allclose(errors_mm(IDENTITY, pairs), [5, 2])
    assert errors_mm(IDENTITY, []).shape == (0,)


def test_a_known_rotation_and_shift_is_found_as_scipy_finds_it():
    noise = np.random.default_rng(2).normal(scale=0.5, size=POINTS.shape)
    current = TURN.apply(POINTS) + SHIFT_MM + noise
    pairing = fitted(IDENTITY, pairs_of(POINTS, current))
    centered = current - current.mean(axis=0), POINTS - POINTS.mean(axis=0)
    expected, _ = Rotation.align_vectors(*centered)
    np.testing.assert_allclose(pairing.affine_mm[:3, :3], expected.as_matrix(), atol=1e-6)
    assert np.linalg.det(pairing.affine_mm[:3, :3]) == pytest.approx(1)
    mean = errors_mm(pairing, pairs_of(POINTS, current)).mean()
    assert pairing.notes == (f"Fitted to 6 landmark pairs: mean error {mean:.1f} mm.",)
    assert pairing.kind is PairingKind.MANUAL


def test_two_pairs_only_shift_the_pairing():
    affine = np.eye(4)
    affine[:3, :3] = TURN.as_matrix()
    before = Pairing(PairingKind.RIGID, affine)
    pairing = fitted(before, pairs_of(POINTS[:2], TURN.apply(POINTS[:2]) + SHIFT_MM))
    np.testing.assert_allclose(pairing.affine_mm[:3, :3], TURN.as_matrix())
    np.testing.assert_allclose(pairing.affine_mm[:3, 3], SHIFT_MM)


def test_points_on_a_line_and_no_points_are_refused():
    line = np.outer(np.arange(4.0), (1, 2, 3))
    with pytest.raises(InvalidPrompt, match="on a line"):
        fitted(IDENTITY, pairs_of(line, line + SHIFT_MM))
    with pytest.raises(InvalidPrompt, match="no landmark pair"):
        fitted(IDENTITY, [])
