"""Voxels near a click that it may be meant for: the brightest and the darkest one around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from napari_medvlm.backends.embedded.segmentation.morphology import IndexArray
from napari_medvlm.backends.embedded.segmentation.pyramid import Array, Levels

RADIUS_MM, RADIUS = 2.5, 2.8
"""How far from a click they are looked for: in mm, and in voxels of the finest axis."""
LEAST = 0.02
"""A voxel that differs from the click by a smaller part of the range of intensities is no other."""
SHARE = 0.2
"""Nor is one that differs by a smaller share of the range of intensities around the click."""


@dataclass(frozen=True, eq=False)
class Nearby:
    """The intensities around a click.

    Parameters
    ----------
    step
        The range of intensities, in parts of the image's.
    seeds
        The kind (``bright`` or ``dark``), the voxel ``(1, 3)`` and its distance from the click in
        mm, where they differ clearly from the click.
    """

    step: float
    seeds: tuple[tuple[str, IndexArray, float], ...]


def nearby(levels: Levels, click: IndexArray) -> Nearby:
    """What is around a click ``(1, 3)``."""
    spacing = np.array(levels.spacing)
    radius = max(RADIUS_MM, RADIUS * float(spacing.min()))
    steps = np.floor(radius / spacing).astype(int)
    low = np.maximum(click[0] - steps - 1, 0)
    high = np.minimum(click[0] + steps + 2, levels.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    values = _smooth(levels.fine((z, y, x)), levels.spacing)
    offsets = [np.arange(a, b) - c for a, b, c in zip(low, high, click[0], strict=True)]
    square = sum((o * s) ** 2 for o, s in zip(np.ix_(*offsets), spacing, strict=True))
    distance = np.sqrt(np.asarray(square, np.float64))
    inside = distance <= radius
    own = float(values[tuple(click[0] - low)])
    step = float(np.ptp(values[inside]))
    return Nearby(step, tuple(_extremes(values, inside, distance, low, (own, step))))


def _extremes(
    values: Array,
    inside: np.ndarray,
    distance: np.ndarray,
    low: IndexArray,
    own_and_step: tuple[float, float],
) -> Iterator[tuple[str, IndexArray, float]]:
    own, step = own_and_step
    for kind, sign in (("bright", 1), ("dark", -1)):
        signed = np.where(inside, sign * values, -np.inf)
        at = np.unravel_index(int(signed.argmax()), signed.shape)
        if signed[at] - sign * own > max(LEAST, SHARE * step):
            yield kind, np.array(at)[None] + low, float(distance[at])


def _smooth(values: Array, spacing: tuple[float, float, float]) -> Array:
    """Means over 3 voxels along the axes that are as fine as the finest, or nearly."""
    from scipy import ndimage

    sizes = [
        3 if s < 1.5 * min(spacing) and n > 1 else 1
        for s, n in zip(spacing, values.shape, strict=True)
    ]
    result: Array = ndimage.uniform_filter(values, sizes, mode="nearest")
    return result
