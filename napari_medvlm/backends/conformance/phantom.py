"""The small image that the conformance kit shows to backends."""

from __future__ import annotations

import numpy as np

from napari_medvlm.data.volume import Modality, Volume

CENTER = (8, 12, 14)
SHAPE = (16, 24, 28)


def phantom(degrees: float = 0.0) -> Volume:
    """A bright ellipsoid around `CENTER` on noise, 2.5 x 1 x 1.25 mm, turned about an axis."""
    z, y, x = np.indices(SHAPE)
    inside = ((z - 8) / 5) ** 2 + ((y - 12) / 7) ** 2 + ((x - 14) / 8) ** 2 <= 1
    noise = np.random.default_rng(0).normal(0, 5, SHAPE)
    turn = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    affine[:3, :3] = affine[:3, :3] * (2.5, 1.0, 1.25)
    affine[:3, 3] = (-30, 12, 40)
    return Volume((100 + 100 * inside + noise).astype(np.int16), affine, Modality.CT)
