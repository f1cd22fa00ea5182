"""The transform between two volumes of one patient."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from napari_medvlm.data.geometry.grid import FloatArray, apply_affine


class PairingKind(StrEnum):
    """How the transform between two volumes was obtained."""

    IDENTITY = "identity"
    SPATIAL_REGISTRATION = "spatial registration"
    RIGID = "rigid"
    AFFINE = "affine"
    DEFORMABLE = "deformable"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Pairing:
    """A transform from a prior to a current volume, with its quality.

    Parameters
    ----------
    kind : PairingKind
        How the transform was obtained.
    affine_mm : ndarray, shape (4, 4)
        From the prior's to the current volume's patient millimetres ``(S, P, L)``.
    metric_before, metric_after : float or None
        Mutual information of the two volumes in nats under the identity and under `affine_mm`,
        over the common field of view; larger is better. None where it was not computed.
    overlap : float or None
        Dice of the two bodies (foreground) under `affine_mm`, in ``[0, 1]``.
    seconds : float
        Time that the registration took.
    displacement_mm : ndarray, shape (3, z, y, x), or None
        Of a deformable pairing: on a grid over the current volume, what is added to a current point
        to get the point that the inverse of `affine_mm` takes to the prior. ``(S, P, L)``
        millimetres.
    displacement_affine : ndarray, shape (4, 4), or None
        From an index of `displacement_mm` to the current volume's patient millimetres.
    notes : tuple of str
        What was assumed, and what may be wrong with this pairing.
    """

    kind: PairingKind
    affine_mm: FloatArray
    metric_before: float | None = None
    metric_after: float | None = None
    overlap: float | None = None
    seconds: float = 0.0
    displacement_mm: FloatArray | None = None
    displacement_affine: FloatArray | None = None
    notes: tuple[str, ...] = field(default=())

    def to_current(self, prior_mm: ArrayLike) -> FloatArray:
        """Points of the prior ``(..., 3)`` in the current volume's patient millimetres."""
        points = apply_affine(self.affine_mm, prior_mm)
        if self.displacement_mm is None:
            return points
        target = points
        for _ in range(20):
            points = target - self._displacement(points)
        return points

    def to_prior(self, current_mm: ArrayLike) -> FloatArray:
        """Points of the current volume ``(..., 3)`` in the prior's patient millimetres."""
        points = np.asarray(current_mm, np.float64)
        if self.displacement_mm is not None:
            points = points + self._displacement(points)
        return apply_affine(_inverse(self.affine_mm), points)

    def _displacement(self, current_mm: FloatArray) -> FloatArray:
        from scipy.ndimage import map_coordinates

        assert self.displacement_mm is not None
        assert self.displacement_affine is not None
        index = apply_affine(_inverse(self.displacement_affine), current_mm)
        columns = index.reshape(-1, 3).T
        values = [
            map_coordinates(part, columns, order=1, mode="nearest") for part in self.displacement_mm
        ]
        return np.stack(values, axis=-1).reshape(index.shape)


def _inverse(affine: FloatArray) -> FloatArray:
    return np.linalg.inv(affine).astype(np.float64)
