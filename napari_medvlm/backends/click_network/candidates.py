"""The choice between masks of several sources: expected quality and agreement with the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.mask import bounding_box

Bools = NDArray[np.bool_]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mask that the prompts may mean.

    Parameters
    ----------
    mask
        ``(z, y, x)`` bool of the image.
    quality
        The Dice that its contrast, border and shape let expect.
    weight
        How much it counts when others are compared with it; positive.
    network
        Whether the network is its source.
    """

    mask: Bools
    quality: float
    weight: float
    network: bool


QUALITY, NETWORK, REGIONS = 0.5, 0.35, 0.15
"""Weights of `values`, set on phantoms (`benchmarks.patients`) of the seeds 20 to 25."""


def values(candidates: Sequence[Candidate]) -> Vector:
    """The value of each candidate ``(n,)``; the largest is chosen.

    A weighted sum of the expected quality and the mean Dice to the candidates of each source.
    """
    overlap = overlaps([c.mask for c in candidates])
    network = np.array([c.network for c in candidates])
    weight = np.array([c.weight for c in candidates])
    result: Vector = QUALITY * np.array([c.quality for c in candidates])
    for source, counts in ((network, NETWORK), (~network, REGIONS)):
        share = weight * source
        result += counts * (overlap @ share) / max(float(share.sum()), 1e-9)
    return result


def best_of(candidates: Sequence[Candidate], margin: float = 0.0) -> int:
    """The index of the best candidate; the first unless another is worth more by a margin."""
    worth = values(candidates)
    best = int(np.argmax(worth))
    return best if worth[best] > worth[0] + margin else 0


def overlaps(masks: Sequence[Bools]) -> Vector:
    """Dice between all pairs of masks ``(n, n)``; 1 between two empty ones."""
    union = masks[0].copy()
    for mask in masks[1:]:
        union |= mask
    box = bounding_box(union) if union.any() else (slice(0, 1),) * 3
    flat = np.stack([m[box].ravel() for m in masks]).astype(np.float32)
    common = (flat @ flat.T).astype(np.float64)
    sizes = np.diag(common)
    total = sizes[:, None] + sizes[None]
    return np.where(total > 0, 2 * common / np.maximum(total, 1), 1.0)
