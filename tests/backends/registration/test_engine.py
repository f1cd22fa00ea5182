"""Registration of a planted follow-up: error in mm by kind, and what is rejected."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks.planted_followup import planted_followup
from napari_medvlm.backends.registration.engine import quality_of, register_volumes
from napari_medvlm.data.errors import Cancelled, InvalidImage
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume


def quiet(fraction, message=""):
    """A progress that nobody listens to."""


def coarser(volume):
    """Every second voxel of a volume, 4 mm, for tests that need no accuracy."""
    return replace(
        volume, data=volume.data[::2, ::2, ::2], affine=volume.affine @ np.diag([2.0, 2, 2, 1])
    )


@pytest.fixture(scope="module")
def moved():
    return planted_followup()


@pytest.fixture(scope="module")
def deformed():
    return planted_followup(deform_mm=6.0)


def error_mm(pairing, planted):
    return np.linalg.norm(pairing.to_prior(planted.current_mm) - planted.prior_mm, axis=1).mean()


def test_a_rigid_move_is_recovered_within_a_tenth_of_a_millimetre(moved):
    pairing = register_volumes(moved.current, moved.prior, PairingKind.RIGID, quiet)
    assert pairing.kind is PairingKind.RIGID
    assert error_mm(pairing, moved) < 0.1
    assert pairing.metric_after > pairing.metric_before + 0.3
    assert pairing.overlap > 0.95
    assert pairing.notes == ()
    rotation = pairing.affine_mm[:3, :3]
    assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)


def test_a_deformed_brain_is_recovered_within_millimetres_by_kind(deformed):
    pytest.importorskip("picsl_greedy")
    pairing = register_volumes(deformed.current, deformed.prior, PairingKind.DEFORMABLE, quiet)
    assert pairing.kind is PairingKind.DEFORMABLE
    assert error_mm(pairing, deformed) < 0.6
    affine = Pairing(PairingKind.AFFINE, pairing.affine_mm)
    assert error_mm(affine, deformed) < 1.2
    back = np.linalg.norm(pairing.to_current(deformed.prior_mm) - deformed.current_mm, axis=1)
    assert back.mean() < 0.6


def test_the_same_images_give_the_same_matrix(moved):
    first, second = (
        register_volumes(coarser(moved.current), coarser(moved.prior), PairingKind.RIGID, quiet)
        for _ in range(2)
    )
    assert_array_equal(first.affine_mm, second.affine_mm)


def test_another_field_of_view_far_away_is_still_laid_over(moved):
    prior = coarser(moved.prior)
    affine = prior.affine.copy()
    affine[:3, 3] = prior.grid.to_world((25, 0, 0)) + (300, -200, 100)
    half = replace(prior, data=prior.data[25:], affine=affine)
    pairing = register_volumes(coarser(moved.current), half, PairingKind.RIGID, quiet)
    expected = moved.prior_mm + (300, -200, 100)
    error = np.linalg.norm(pairing.to_prior(moved.current_mm) - expected, axis=1)
    assert np.median(error) < 1.0


def test_an_empty_prior_is_paired_by_the_identity_with_a_note(moved):
    rng = np.random.default_rng(0)
    prior = coarser(moved.prior)
    noise = replace(prior, data=rng.random(prior.shape))
    pairing = register_volumes(coarser(moved.current), noise, PairingKind.AFFINE, quiet)
    assert pairing.kind is PairingKind.IDENTITY
    assert_array_equal(pairing.affine_mm, np.eye(4))
    assert any("the identity is used" in note for note in pairing.notes)
    assert any("different parts of the body" in note for note in pairing.notes)


def test_images_that_do_not_overlap_are_reported(moved):
    prior = coarser(moved.prior)
    affine = prior.affine.copy()
    affine[0, 3] += 1000
    pairing = quality_of(
        coarser(moved.current),
        replace(prior, affine=affine),
        Pairing(PairingKind.IDENTITY, np.eye(4)),
    )
    assert pairing.notes == ("The images do not overlap.",)
    assert pairing.overlap == 0.0
    assert pairing.metric_after == 0.0


@pytest.mark.parametrize(
    ("current", "prior", "message"),
    [((8, 8, 8), (1, 8, 8), "One image is"), ((1, 8, 8), (8, 8, 1), "Both images are")],
)
def test_single_slices_are_refused(current, prior, message):
    volumes = [Volume(np.arange(np.prod(s)).reshape(s)) for s in (current, prior)]
    with pytest.raises(InvalidImage, match=message):
        register_volumes(*volumes, PairingKind.RIGID, quiet)


def test_an_image_without_contrast_is_refused():
    flat, other = Volume(np.ones((8, 8, 8)), name="scan"), Volume(np.arange(512).reshape(8, 8, 8))
    with pytest.raises(InvalidImage, match="All voxels of scan have the same value, 1"):
        register_volumes(other, flat, PairingKind.RIGID, quiet)


def test_a_cancel_gets_through(moved):
    def stop(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        register_volumes(moved.current, moved.prior, PairingKind.RIGID, stop)
