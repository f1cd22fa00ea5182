"""Landmark pairs of a prior and a current volume: the error of a pairing, and a pairing of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind

FOR_ROTATION = 3
"""Pairs from which on a fit rotates; fewer shift the present pairing."""


@dataclass(frozen=True)
class LandmarkPair:
    """The same anatomical point in two volumes.

    Attributes
    ----------
    prior_mm, current_mm
        ``(S, P, L)`` in patient millimetres of each volume.
    """

    prior_mm: tuple[float, float, float]
    current_mm: tuple[float, float, float]


def errors_mm(pairing: Pairing, pairs: Sequence[LandmarkPair]) -> FloatArray:
    """Distance ``(n,)`` in mm of each pair in the current volume, see `Pairing.to_current`."""
    if not pairs:
        return np.zeros(0)
    prior, current = _points(pairs)
    distances: FloatArray = np.linalg.norm(pairing.to_current(prior) - current, axis=1)
    return distances


def fitted(pairing: Pairing, pairs: Sequence[LandmarkPair]) -> Pairing:
    """The rigid pairing with the least squared error at landmark pairs; drops a displacement.

    One or two pairs only shift `pairing`. The rotation is that of Kabsch, A solution for the best
    rotation to relate two sets of vectors, Acta Cryst. A32, 922 (1976).

    Raises
    ------
    InvalidPrompt
        If there is no pair, or the points of three or more lie on a line.
    """
    if not pairs:
        raise InvalidPrompt("There is no landmark pair.", "Mark a point in the prior and here.")
    prior, current = _points(pairs)
    affine = pairing.affine_mm.copy()
    if len(pairs) < FOR_ROTATION:
        shift = (current - Pairing(PairingKind.MANUAL, affine).to_current(prior)).mean(axis=0)
        affine[:3, 3] += shift
    else:
        affine = _rigid(prior, current)
    mean = float(errors_mm(Pairing(PairingKind.MANUAL, affine), pairs).mean())
    count = "1 landmark pair" if len(pairs) == 1 else f"{len(pairs)} landmark pairs"
    note = f"Fitted to {count}: mean error {mean:.1f} mm."
    return Pairing(PairingKind.MANUAL, affine, pairing.metric_before, notes=(note,))


def _rigid(prior: FloatArray, current: FloatArray) -> FloatArray:
    """The 4 x 4 rotation and translation that takes points to points, by least squares."""
    centers = prior.mean(axis=0), current.mean(axis=0)
    u, sizes, vt = np.linalg.svd((prior - centers[0]).T @ (current - centers[1]))
    if sizes[1] < 1e-6 * max(sizes[0], 1e-12):
        raise InvalidPrompt(
            "The landmarks lie on a line, so the rotation is not known.",
            "Mark another pair off that line.",
        )
    handed = np.diag([1.0, 1.0, np.sign(np.linalg.det(vt.T @ u.T))])
    matrix = np.eye(4)
    matrix[:3, :3] = vt.T @ handed @ u.T
    matrix[:3, 3] = centers[1] - matrix[:3, :3] @ centers[0]
    return matrix


def _points(pairs: Sequence[LandmarkPair]) -> tuple[FloatArray, FloatArray]:
    """The points ``(n, 3)`` of the prior and of the current volume."""
    return np.array([p.prior_mm for p in pairs]), np.array([p.current_mm for p in pairs])
