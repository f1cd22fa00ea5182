"""Registration of two volumes with its quality; one that is no better than none is rejected."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.registration.deformable import displacement, require_greedy
from napari_medvlm.backends.registration.linear import align
from napari_medvlm.backends.registration.scaled_image import coarse_mm, scaled
from napari_medvlm.backends.registration.similarity import Samples, linear
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume

LEAST_GAIN = 0.01
"""Gain of mutual information, in nats, below which a registration is rejected."""
LITTLE_IN_COMMON = 0.35
"""Mutual information, in nats, of two images that are unlikely to show the same body part."""
SMALL_OVERLAP = 0.6
"""Dice of the bodies below which twice that mutual information is required."""
WORSE = (
    "The registration did not improve the agreement (mutual information {after:.3f}, before "
    "{before:.3f}); the identity is used."
)
OTHER_PART = (
    "The images have little in common (mutual information {mi:.2f}, bodies overlap {overlap:.0%}): "
    "they may show different parts of the body."
)
NO_OVERLAP = "The images do not overlap."
NOT_DEFORMED = "The deformation was not better than the affine transform, which is used."


def register_volumes(
    current: Volume, prior: Volume, kind: PairingKind, progress: Progress
) -> Pairing:
    """Register a prior to a current volume by their intensities.

    Deterministic: the same volumes give the same transform, but for the last digits of a
    deformation, which is computed in two threads.

    Parameters
    ----------
    kind
        Rigid, affine or deformable; identity computes the quality only.
    progress
        Called between the steps; raises `Cancelled`.

    Raises
    ------
    InvalidImage
        If one of the images is a single slice or has no contrast.
    BackendUnavailable
        If a deformable registration is asked for and greedy is not installed.
    """
    check_volumes(current, prior)
    if kind is PairingKind.DEFORMABLE:
        require_greedy()
    start_s = time.perf_counter()
    samples = _samples(current, prior)
    if kind is PairingKind.IDENTITY:
        pairing = _with_quality(Pairing(kind, np.eye(4)), samples)
    else:
        affine = kind is not PairingKind.RIGID
        matrix = align(current, prior, affine, progress)
        pairing = _checked(matrix, PairingKind.AFFINE if affine else kind, samples)
        if kind is PairingKind.DEFORMABLE and pairing.kind is PairingKind.AFFINE:
            progress(0.6, "Deforming")
            pairing = _deformed(current, prior, pairing, samples)
    progress(1.0, "Done")
    return replace(pairing, seconds=time.perf_counter() - start_s)


def check_volumes(current: Volume, prior: Volume) -> None:
    """Raise `InvalidImage` for images that cannot be registered."""
    flat = [min(volume.shape) == 1 for volume in (current, prior)]
    if any(flat):
        which = "Both images are single slices" if all(flat) else "One image is a single slice"
        raise InvalidImage(
            f"{which}; registration needs two volumes.", "Choose two volumes of the same patient."
        )
    for volume in (current, prior):
        low, high = volume.range
        if low == high:
            raise InvalidImage(
                f"All voxels of {volume.name} have the same value, {low:g}.",
                "Choose another image: there is nothing to register.",
            )


def quality_of(current: Volume, prior: Volume, pairing: Pairing) -> Pairing:
    """A pairing with its quality and the warnings that follow from it.

    Raises
    ------
    InvalidImage
        As of `check_volumes`.
    """
    check_volumes(current, prior)
    samples = _samples(current, prior)
    return _with_quality(pairing, samples)


def _samples(current: Volume, prior: Volume) -> Samples:
    """Of the quality, at half the coarsest voxel size."""
    size_mm = coarse_mm(current, prior) / 2
    return Samples(scaled(current, size_mm), scaled(prior, size_mm))


def _with_quality(pairing: Pairing, samples: Samples) -> Pairing:
    after = samples.mutual_information(pairing.to_prior)
    overlap = samples.overlap(pairing.to_prior)
    share = samples.common_share(pairing.to_prior)
    return replace(
        pairing,
        metric_before=samples.mutual_information(linear(np.eye(4))),
        metric_after=after,
        overlap=overlap,
        notes=(*pairing.notes, *_warnings(after, overlap, share)),
    )


def _checked(matrix: FloatArray, kind: PairingKind, samples: Samples) -> Pairing:
    """The pairing of a registration; the identity if that is no better."""
    before = samples.mutual_information(linear(np.eye(4)))
    after = samples.mutual_information(linear(matrix))
    if after - before < LEAST_GAIN and not _is_identity(matrix):
        note = WORSE.format(after=after, before=before)
        return _with_quality(Pairing(PairingKind.IDENTITY, np.eye(4), notes=(note,)), samples)
    inverse = np.linalg.inv(matrix).astype(np.float64)
    return _with_quality(Pairing(kind, inverse), samples)


def _is_identity(matrix: FloatArray) -> bool:
    """Whether a transform moves nothing by more than about a tenth of a millimetre."""
    return bool(
        np.abs(matrix - np.eye(4))[:3, :3].max() < 1e-3 and np.abs(matrix[:3, 3]).max() < 0.1
    )


def _deformed(current: Volume, prior: Volume, affine: Pairing, samples: Samples) -> Pairing:
    """The pairing with a displacement; without one if it is no better."""
    to_prior = np.linalg.inv(affine.affine_mm).astype(np.float64)
    field_mm, field_affine = displacement(current, prior, to_prior)
    deformable = Pairing(
        PairingKind.DEFORMABLE,
        affine.affine_mm,
        displacement_mm=field_mm,
        displacement_affine=field_affine,
    )
    pairing = _with_quality(deformable, samples)
    if (pairing.metric_after or 0.0) < (affine.metric_after or 0.0):
        return replace(affine, notes=(*affine.notes, NOT_DEFORMED))
    return pairing


def _warnings(after: float, overlap: float, share: float) -> tuple[str, ...]:
    """What may be wrong with a pairing, a sentence each."""
    if share == 0.0:
        return (NO_OVERLAP,)
    if after < LITTLE_IN_COMMON * (2 if overlap < SMALL_OVERLAP else 1):
        return (OTHER_PART.format(mi=after, overlap=overlap),)
    return ()
