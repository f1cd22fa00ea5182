"""Proposals of the network in crops of several sizes, and the value of each for the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.click_network.channels import voxels_of
from napari_medvlm.backends.click_network.crops import Crop, Floats, transfer
from napari_medvlm.backends.click_network.gestures import Box, Gesture, Line, Point, Stroke
from napari_medvlm.data.mask import bounding_box

SCORE, AGREEMENT, STABILITY, CONTRAST = 0.2, 0.1, 0.3, 0.4
OBEDIENCE, PERSISTENCE, CONTACT = 0.6, 0.8, 0.4
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
    proposals: Sequence[Proposal],
    gestures: Sequence[Gesture],
    spacing: tuple[float, ...],
    last: Sequence[NDArray[np.bool_]] | None = None,
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
            + OBEDIENCE * satisfied(p > 0.5, gestures, proposal.crop, spacing)
            + PERSISTENCE * (_overlap(last[k], p > 0.5) if last else 0)
            - CONTACT * _contact(p > 0.5)
        )
    return values


def surface_contrast(image: Floats, mask: NDArray[np.bool_]) -> float:
    """Difference of the mean intensities of the layers of voxels inside and outside the surface.

    In units of the standard deviation within the layers; 0 for a mask without one of them.
    """
    from scipy import ndimage

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
    return _overlap(moved, large.probabilities > 0.5)


def _overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Dice, 0 where both are empty."""
    total = first.sum() + second.sum()
    return float(2 * (first & second).sum() / total) if total else 0.0


def satisfied(
    mask: NDArray[np.bool_], gestures: Sequence[Gesture], crop: Crop, spacing: tuple[float, ...]
) -> float:
    """How well a mask in a crop agrees with the prompts, the mean over them: 0 to 1.

    A point: whether it is on its side. A line: the part of it inside the mask. A box: the overlap
    (intersection over union) of it and the bounding box of the mask, in its slice if it is flat.
    """
    values = []
    for gesture in gestures:
        voxels = voxels_of(gesture, crop, spacing)
        match gesture:
            case Point(positive=positive):
                values.append(float((mask[voxels] == positive).all()))
            case Stroke(positive=positive):
                values.append(float((mask[voxels] == positive).mean()) if voxels.any() else 1.0)
            case Line():
                values.append(float(mask[voxels].mean()))
            case Box(flat_axis=axis):
                others = tuple(a for a in range(3) if a != axis)
                inside = mask if axis is None else mask & voxels.any(others, keepdims=True)
                values.append(_box_overlap(bounding_box(inside), bounding_box(voxels)))
    return float(np.mean(values)) if values else 1.0


def _box_overlap(first: tuple[slice, ...], second: tuple[slice, ...]) -> float:
    common, volumes = 1, [1, 1]
    for a, b in zip(first, second, strict=True):
        common *= max(0, min(a.stop, b.stop) - max(a.start, b.start))
        volumes = [volumes[0] * (a.stop - a.start), volumes[1] * (b.stop - b.start)]
    return common / max(sum(volumes) - common, 1)


def _contact(mask: NDArray[np.bool_]) -> float:
    """Voxels of the mask in the outermost layer, in parts of its surface; 0 to 1."""
    inner = mask[1:-1, 1:-1, 1:-1].sum()
    outer = mask.sum() - inner
    return float(min(1.0, outer / max(mask.sum(), 1) ** (2 / 3)))
