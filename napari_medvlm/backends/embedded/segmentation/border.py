"""Cuts moved to where the border is: half-way between the intensities on either side of it."""

from __future__ import annotations

import numpy as np

from napari_medvlm.backends.embedded.segmentation.edge_profile import Cuts
from napari_medvlm.backends.embedded.segmentation.morphology import BoolArray, grown, shrunk
from napari_medvlm.backends.embedded.segmentation.pyramid import Array, Level, block_mean
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box

MUCH = 0.1
"""Share of the voxels around an object on one side of its intensities, from which a cut follows."""
LITTLE = 0.02
"""Share below which nothing lies on that side, and no cut is needed."""
RATIO = 1.5
"""How much farther from the object's own intensity one cut may be than the other."""
LOCAL_MM = 12.0
"""How far away brightness is averaged where it drifts."""
FAR = 3.0
"""The average goes over so many times that distance."""
TRUST = 0.01
"""How much the average over all counts where there is nothing near."""

Heard = tuple[Seed, float]
"""A seed and the intensity of its object."""


def halfway(level: Level, mask: BoolArray, cuts: Cuts, heard: list[Heard]) -> Cuts:
    """The cuts half-way between object and surroundings, the same everywhere."""
    inner = shrunk(mask)
    core = level.values[inner if inner.sum() > 50 else mask]
    if core.size < 20:
        return cuts
    middle = float(np.median(core))
    ring = level.values[_ring(mask)]
    below: Array = ring[ring < cuts.low]
    above: Array = ring[ring > cuts.high]
    low = _moved(float(cuts.low), below, ring.size, middle, -np.inf)
    high = _moved(float(cuts.high), above, ring.size, middle, np.inf)
    if below.size > MUCH * ring.size and above.size > MUCH * ring.size:
        low = max(low, middle - RATIO * (high - middle))
        high = min(high, middle + RATIO * (middle - low))
    return _minding(Cuts(low, high), cuts, heard)


def local_cuts(level: Level, mask: BoolArray, cuts: Cuts) -> Cuts:
    """The cuts half-way between object and surroundings, place by place.

    They are worked out around the mask; farther away they are as before.
    """
    margin = [int(np.ceil((FAR + 1) * LOCAL_MM / s)) + 2 for s in level.spacing]
    sides = zip(
        bounding_box(mask),
        margin,
        _local_factors(mask.shape, level.spacing),
        mask.shape,
        strict=True,
    )
    z, y, x = (
        slice(max(s.start - m, 0) // f * f, min(-(-(s.stop + m) // f) * f, n))
        for s, m, f, n in sides
    )
    near = _local_cuts(level.values[z, y, x], level.spacing, mask[z, y, x], cuts)
    result = []
    for end, before in ((near.low, cuts.low), (near.high, cuts.high)):
        if isinstance(end, np.ndarray) and end.shape != mask.shape:
            full = np.full(mask.shape, before, np.float32)
            full[z, y, x] = end
            end = full
        result.append(end)
    return Cuts(*result)


def _local_cuts(
    values: Array, spacing: tuple[float, float, float], mask: BoolArray, cuts: Cuts
) -> Cuts:
    inner = shrunk(mask)
    inner = inner if np.count_nonzero(inner) > 0.2 * np.count_nonzero(mask) else mask
    ring = _ring(mask)
    middle = _local_shift(values, inner, spacing)
    low: float | Array = cuts.low
    high: float | Array = cuts.high
    total = max(int(np.count_nonzero(ring)), 1)
    below: BoolArray = ring & (values < low)
    above: BoolArray = ring & (values > high)
    if np.count_nonzero(below) > MUCH * total:
        low = low + _minmod(middle, _local_shift(values, below, spacing))
    if np.count_nonzero(above) > MUCH * total:
        high = high + _minmod(middle, _local_shift(values, above, spacing))
    return Cuts(low, high)


def _ring(mask: BoolArray) -> BoolArray:
    """The second layer of voxels around a mask: the first is half object."""
    first = grown(mask)
    return grown(first) & ~first


def _moved(cut: float, beyond: Array, total: int, middle: float, none: float) -> float:
    if beyond.size > MUCH * total:
        return (middle + float(np.median(beyond))) / 2
    return none if beyond.size < LITTLE * total else cut


def _minding(cuts: Cuts, before: Cuts, heard: list[Heard]) -> Cuts:
    """The cuts, kept on the side of each seed that the seed wants."""
    low, high = float(cuts.low), float(cuts.high)
    for seed, value in heard:
        if seed.positive and before.low < value < before.high:
            low, high = min(low, value - 1e-3), max(high, value + 1e-3)
        elif not seed.positive:
            low = max(low, value) if value <= before.low else low
            high = min(high, value) if value >= before.high else high
    return Cuts(low, high)


def _minmod(a: Array, b: Array) -> Array:
    """The smaller of two changes where they agree in direction, else none."""
    smaller = np.where(np.abs(a) < np.abs(b), a, b)
    result: Array = np.where(a * b > 0, smaller, np.float32(0))
    return result


def _local_shift(values: Array, mask: BoolArray, spacing: tuple[float, float, float]) -> Array:
    """How much the mean over a mask differs near each voxel from the mean over all of it."""
    from scipy import ndimage

    factors = _local_factors(values.shape, spacing)
    weight: Array = block_mean(mask.astype(np.float32), factors)
    amount: Array = block_mean(np.where(mask, values, np.float32(0)), factors)
    whole = float(amount.sum() / max(weight.sum(), 1e-6))
    sigma = [LOCAL_MM / s / f for s, f in zip(spacing, factors, strict=True)]
    weight = ndimage.gaussian_filter(weight, sigma, mode="constant", truncate=FAR)
    amount = ndimage.gaussian_filter(amount, sigma, mode="constant", truncate=FAR)
    trust = TRUST * float(weight.max())
    field: Array = ((amount + trust * whole) / (weight + trust) - whole).astype(np.float32)
    for axis, factor in enumerate(factors):
        field = np.repeat(field, factor, axis=axis) if factor > 1 else field
    return field[: values.shape[0], : values.shape[1], : values.shape[2]]


def _local_factors(
    shape: tuple[int, ...], spacing: tuple[float, float, float]
) -> tuple[int, int, int]:
    """Sides of the blocks, in voxels, that brightness is first averaged over."""
    z, y, x = (max(min(round(LOCAL_MM / 3 / s), n), 1) for s, n in zip(spacing, shape, strict=True))
    return z, y, x
