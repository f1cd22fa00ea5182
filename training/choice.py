"""Proposals of the network in crops of several sizes, and the value of each for the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.crops import Crop, Floats, transfer
from training.gesture_channels import voxels_of
from training.gestures import Gesture, Point

SCORE, AGREEMENT, STABILITY, CONTRAST, OBEDIENCE, CONTACT = 1.0, 0.25, 0.5, 0.4, 0.5, 1.0
"""Weights of `totals`, set on the phantoms of the seeds 900101 to 900116."""
STRONGEST = 4.0
"""More contrast does not count."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """What the network proposes in one crop.

    Parameters
    ----------
    image, probabilities
        ``(N, N, N)`` float32, in the crop.
    score
        Predicted Dice, 0 to 1.
    """

    crop: Crop
    image: Floats
    probabilities: Floats
    score: float


def totals(
    proposals: Sequence[Proposal], gestures: Sequence[Gesture], spacing: tuple[float, ...]
) -> list[float]:
    """The value of each proposal, in the order of the crop sizes; the largest is chosen.

    A weighted sum of the predicted Dice, the mean Dice to the proposals of the neighbouring sizes,
    the stability (volume at 0.65 over volume at 0.35), the contrast at the surface, the share of
    satisfied points, and, negative, the contact with the border of the crop.
    """
    pairs = [_agreement(small, large) for small, large in pairwise(proposals)]
    values = []
    for k, proposal in enumerate(proposals):
        near = pairs[max(k - 1, 0) : k + 1]
        agreement = float(np.mean(near)) if near else 0.5
        p = proposal.probabilities
        values.append(
            SCORE * proposal.score
            + AGREEMENT * agreement
            + STABILITY * float((p > 0.65).sum() / max((p > 0.35).sum(), 1))
            + CONTRAST * min(surface_contrast(proposal.image, p > 0.5), STRONGEST)
            + OBEDIENCE * _satisfied(proposal, gestures, spacing)
            - CONTACT * _contact(p > 0.5)
        )
    return values


def surface_contrast(image: Floats, mask: NDArray[np.bool_]) -> float:
    """Difference of the mean intensities of the layers of voxels inside and outside the surface.

    In units of the standard deviation within the layers; 0 for a mask without one of them.
    """
    block = np.ones((3, 3, 3), bool)
    inner = mask & ~ndimage.binary_erosion(mask, block, border_value=1)
    outer = ndimage.binary_dilation(mask, block) & ~mask
    if not inner.any() or not outer.any():
        return 0.0
    inside, outside = image[inner], image[outer]
    spread = np.sqrt((inside.var() + outside.var()) / 2 + 1e-6 * image.var() + 1e-12)
    return float(abs(inside.mean() - outside.mean()) / spread)


def _agreement(small: Proposal, large: Proposal) -> float:
    moved = transfer(small.probabilities, small.crop, large.crop) > 0.5
    mask = large.probabilities > 0.5
    total = moved.sum() + mask.sum()
    return float(2 * (moved & mask).sum() / total) if total else 0.0


def _satisfied(
    proposal: Proposal, gestures: Sequence[Gesture], spacing: tuple[float, ...]
) -> float:
    right = []
    for gesture in gestures:
        if isinstance(gesture, Point):
            inside = voxels_of(gesture, proposal.crop, spacing)
            value = proposal.probabilities[inside]
            right.append(bool(((value > 0.5) == gesture.positive).all()))
    return float(np.mean(right)) if right else 1.0


def _contact(mask: NDArray[np.bool_]) -> float:
    """Voxels of the mask in the outermost layer, in parts of its surface; 0 to 1."""
    inner = mask[1:-1, 1:-1, 1:-1].sum()
    outer = mask.sum() - inner
    return float(min(1.0, outer / max(mask.sum(), 1) ** (2 / 3)))
