"""Whether there is still something like a lesion at its place in the current study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume

RING_MM = (1.5, 6.0)
"""Nearest and farthest distance from a lesion of the tissue that it is compared with."""
LEFT = 0.4
"""Part of the prior's contrast below which a lesion is gone."""
TISSUE = 0.5
"""Part of the prior's contrast by which what is left may differ from the prior's tissue: a lesion
that has grown beyond the ring has no contrast either, but the intensity of a lesion."""
VISIBLE = 1.0
"""Contrast of a visible lesion, in standard deviations of the tissue around it."""
CORE = 75
"""Percentile of the intensities inside a lesion that is taken as its core."""


@dataclass(frozen=True)
class Contrast:
    """Intensity of a lesion against the tissue around it.

    Parameters
    ----------
    difference
        Median inside minus median of the ring, in the image's unit.
    inside, ring
        Percentiles ``(100 - CORE, CORE)`` inside and in the ring.
    spread
        Standard deviation in the ring, by the median absolute deviation.
    """

    difference: float
    inside: tuple[float, float]
    ring: tuple[float, float]
    spread: float

    @property
    def is_visible(self) -> bool:
        """Whether the lesion can be distinguished from the tissue around it."""
        return abs(self.difference) > VISIBLE * self.spread

    def along(self, sign: float) -> float:
        """Core of the lesion against the same percentile of the ring, towards bright or dark."""
        part = _part(sign)
        return sign * (self.inside[part] - self.ring[part])


def ring_of(mask: Mask, volume: Volume, others: NDArray[np.bool_]) -> tuple[Mask, Mask]:
    """The mask in a larger box, and the tissue around it without other lesions.

    Parameters
    ----------
    others
        ``(z, y, x)`` bool: voxels of other lesions.
    """
    from scipy import ndimage

    margin = np.ceil(RING_MM[1] / np.array(volume.spacing)).astype(int) + 1
    low = np.maximum(np.array(mask.start) - margin, 0)
    high = np.minimum(np.array(mask.stop) + margin, mask.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    inside = mask.full()[z, y, x]
    distance = ndimage.distance_transform_edt(~inside, sampling=volume.spacing)
    ring = (distance > RING_MM[0]) & (distance <= RING_MM[1]) & ~others[z, y, x]
    start = (z.start, y.start, x.start)
    return Mask(inside, start, mask.shape), Mask(ring, start, mask.shape)


def contrast(volume: Volume, mask: Mask, others: NDArray[np.bool_]) -> Contrast | None:
    """The contrast of a mask on a volume's grid; `None` if it or its ring is empty."""
    inside, ring = ring_of(mask, volume, others)
    if not inside.voxels or not ring.voxels:
        return None
    values = volume.intensity()[inside.slices].astype(np.float64)
    within, around = values[inside.crop], values[ring.crop]
    middle = float(np.median(around))
    spread = 1.4826 * float(np.median(np.abs(around - middle)))
    percentiles = [100 - CORE, CORE]
    low, high = (tuple(np.percentile(part, percentiles).tolist()) for part in (within, around))
    return Contrast(float(np.median(within)) - middle, low, high, spread)


def is_gone(prior: Contrast, current: Contrast, scale: float) -> bool:
    """Whether a visible lesion has vanished: neither contrast nor its intensity is left.

    Parameters
    ----------
    scale
        What intensities of the current study are multiplied by to be those of the prior.
    """
    sign = float(np.sign(prior.difference))
    before, part = prior.along(sign), _part(sign)
    is_faint = scale * current.along(sign) < LEFT * before
    above_tissue = sign * (scale * current.inside[part] - prior.ring[part])
    return prior.is_visible and before > 0 and is_faint and above_tissue < TISSUE * before


def _part(sign: float) -> int:
    """Which percentile is that of the core: the upper one of a bright lesion."""
    return 1 if sign > 0 else 0


def intensity_scale(prior: Volume, current: Volume) -> float:
    """Ratio of the ranges of two studies without a common unit; 1 with one (HU, SUV)."""
    if prior.unit and prior.unit == current.unit:
        return prior.scale and current.scale / prior.scale
    ranges = [
        np.ptp(np.percentile(v.intensity()[::2, ::2, ::2], [1, 99])) for v in (prior, current)
    ]
    return float(ranges[0] / ranges[1]) if ranges[1] > 0 else 1.0
