"""The change of a lesion's volume between two studies from the shift of its border.

Boundary shift integral (Freeborough and Fox, IEEE Trans Med Imaging 16:623-629, 1997): the
difference of two registered studies, clipped to a window of intensities between the tissue around
and the lesion, is summed over the voxels around the border. It is computed on the grids of both
studies and averaged, so that the blur of the one that is interpolated cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.followup.contrast import CORE, RING_MM
from napari_medvlm.sessions.followup.lesions import Lesion, box_points, sampled
from napari_medvlm.sessions.followup.matching import Studies

WINDOW = (0.25, 0.75)
"""Scaled intensities that the difference is clipped to: 0 is the tissue around, 1 the core."""
GROWTH_MM = 6.0
"""Farthest distance from the mapped lesion that it may have grown to."""
BORDER_MM = 3.0
"""Distance from the masks of both dates up to which differences count."""
BLUR_VOXELS = 0.2
"""Standard deviation of the smoothing of both studies before their comparison."""
NEAR_MM = 40.0
"""How much tissue around a lesion the intensities of the studies are matched in."""
SAMPLES = 60_000
"""Largest number of voxels whose intensities are compared."""
QUANTILES = np.linspace(0.01, 0.99, 99)
FOREGROUND = 0.1
"""Part of the brightest intensity below which voxels are background of an image without units."""


@dataclass(frozen=True, eq=False)
class IntensityMatch:
    """Intensities of the current study in terms of the prior's: equal quantiles are equal.

    Parameters
    ----------
    current, prior
        Equal intensities ``(n,)``, increasing; empty if both have the same unit.
    """

    current: FloatArray
    prior: FloatArray

    @classmethod
    def around(cls, studies: Studies, mask: Mask, lesions: NDArray[np.bool_]) -> IntensityMatch:
        """Match the tissue up to 40 mm around a lesion.

        Parameters
        ----------
        mask
            The lesion on the current study's grid.
        lesions
            ``(z, y, x)`` bool: all lesions there, which may have changed and do not count.
        """
        current, prior = studies.current, studies.prior
        if current.unit == prior.unit != "":
            return cls(np.zeros(0), np.zeros(0))
        low, high = _box(mask, current, NEAR_MM)
        step = max(1, int(np.ceil((np.prod(high - low) / SAMPLES) ** (1 / 3))))
        part = tuple(slice(int(a), int(b), step) for a, b in zip(low, high, strict=True))
        points = box_points(current.grid, low, high)[::step, ::step, ::step]
        before = _at(prior, studies.pairing.to_prior(points), np.nan)
        after = current.intensity()[part].astype(np.float64)
        tissue = np.isfinite(before) & ~lesions[part]
        tissue &= before > FOREGROUND * np.nanquantile(before, 0.98)
        if np.count_nonzero(tissue) < 10 * len(QUANTILES):
            return cls(np.zeros(0), np.zeros(0))
        return cls(
            _extended(np.quantile(after[tissue], QUANTILES)),
            _extended(np.quantile(before[tissue], QUANTILES)),
        )

    def __call__(self, values: FloatArray) -> FloatArray:
        """Intensities of the current study as the prior would have them."""
        if not len(self.current) or not (np.diff(self.current) > 0).all():
            return values
        return np.interp(values, self.current, self.prior)


def _extended(values: FloatArray) -> FloatArray:
    """Quantiles with one point far beyond each end, along the slope of ten of them."""
    reach = 10.0
    low, high = values[10] - values[0], values[-1] - values[-11]
    return np.concatenate([[values[0] - reach * low], values, [values[-1] + reach * high]])


def volume_change_mm3(
    studies: Studies,
    lesion: Lesion,
    masks: tuple[Mask, Mask],
    offset_mm: FloatArray,
    others: NDArray[np.bool_],
    match: IntensityMatch,
    *,
    is_interpolated: bool = False,
) -> float | None:
    """Volume of a lesion in the current study minus that in the prior.

    Parameters
    ----------
    lesion
        Of the prior.
    masks
        On the current study's grid: the lesion at its matched position, and approximately what it
        is now if it has grown far, else the same.
    offset_mm
        From the mapped to the matched position, ``(S, P, L)`` mm.
    others
        ``(z, y, x)`` bool: other lesions on the current study's grid.
    is_interpolated
        Whether the current study is the prior interpolated on its grid, as a planted change is:
        there, and only there, both have the same blur.

    Returns
    -------
    ``mm³``; `None` if the lesion has no contrast in one of the studies.
    """
    current, prior, pairing = studies.current, studies.prior, studies.pairing
    matched, now = masks
    both = matched.union(now)

    def to_prior(points: FloatArray) -> FloatArray:
        return pairing.to_prior(points - offset_mm)

    def to_current(points: FloatArray) -> FloatArray:
        return pairing.to_current(points) + offset_mm

    def lesions_at(points: FloatArray) -> tuple[BoolArray, BoolArray]:
        index = np.rint(current.grid.to_index(points)).astype(np.int64)
        return _inside(both, index), _inside(Mask.of(others), index)

    on_current = _shift_mm3(current, prior, to_prior, matched, lesions_at, match, True)
    if is_interpolated:
        return on_current
    on_prior = _shift_mm3(prior, current, to_current, lesion.mask, lesions_at, match, False)
    if on_current is None or on_prior is None:
        return None
    return (on_current + on_prior) / 2


def _shift_mm3(  # two images, the map between them, and the masks
    own: Volume,
    other: Volume,
    to_other: Callable[[FloatArray], FloatArray],
    mask: Mask,
    lesions_at: Callable[[FloatArray], tuple[BoolArray, BoolArray]],
    match: IntensityMatch,
    is_current: bool,
) -> float | None:
    """The integral on the grid of one study, on which the other is interpolated.

    Parameters
    ----------
    mask
        The prior's lesion on the grid of `own`.
    lesions_at
        Whether points of the current study are in the masks of the lesion, and in other lesions.
    is_current
        Whether `own` is the current study.
    """
    from scipy import ndimage

    low, high = _box(mask, own, 2 * RING_MM[1])
    part = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    points = box_points(own.grid, low, high)
    there = to_other(points)
    pair = own.intensity()[part].astype(np.float64), _at(other, there, 0.0)
    prior, current = reversed(pair) if is_current else pair
    before, after = (
        ndimage.gaussian_filter(values, BLUR_VOXELS) for values in (prior, match(current))
    )
    inside = mask.full()[part]
    both, others = lesions_at(points if is_current else there)
    ring_mm, border_mm = (
        ndimage.distance_transform_edt(~filled, sampling=own.grid.spacing)
        for filled in (inside, inside | both)
    )
    ring = (ring_mm > RING_MM[0]) & (ring_mm <= RING_MM[1]) & ~others
    was, now = (scaled(values, before, inside, ring) for values in (before, after))
    if was is None or now is None:
        return None
    shift = np.clip(now, *WINDOW) - np.clip(was, *WINDOW)
    counted = (border_mm <= BORDER_MM) & (ring_mm <= GROWTH_MM) & (inside | ~others)
    return float(shift[counted].sum()) / (WINDOW[1] - WINDOW[0]) * own.grid.voxel_mm3


def scaled(
    values: FloatArray, prior: FloatArray, inside: BoolArray, ring: BoolArray
) -> FloatArray | None:
    """Intensities as 0 for the tissue around a lesion and 1 for its core.

    Parameters
    ----------
    values, prior
        ``(z, y, x)`` of one study, and of the prior, which distinguishes bright from dark lesions.
    inside, ring
        ``(z, y, x)`` bool: the lesion in the prior, and the tissue around it.

    Returns
    -------
    `None` if the lesion does not differ from the tissue around it in the prior's direction.
    """
    if not ring.any() or not inside.any():
        return None
    around = float(np.median(values[ring]))
    sign = np.sign(np.median(prior[inside]) - np.median(prior[ring]))
    core = float(np.percentile(values[inside], CORE if sign > 0 else 100 - CORE))
    return (values - around) / (core - around) if sign * (core - around) > 0 else None


def _box(mask: Mask, volume: Volume, margin_mm: float) -> tuple[NDArray[np.int64], ...]:
    """Half-open index box around a mask on a volume's grid."""
    margin = np.ceil(margin_mm / np.array(volume.spacing)).astype(np.int64)
    low = np.maximum(np.array(mask.start) - margin, 0)
    return low, np.minimum(np.array(mask.stop) + margin, mask.shape)


def _at(volume: Volume, points_mm: FloatArray, outside: float) -> FloatArray:
    """Interpolated intensities at points ``(..., 3)`` of a volume's own millimetres."""
    return sampled(volume.intensity(), volume.grid.to_index(points_mm), order=1, outside=outside)


def _inside(mask: Mask, index: NDArray[np.int64]) -> BoolArray:
    """Whether indices ``(..., 3)`` of a mask's volume are inside it."""
    local = index - np.array(mask.start)
    result = np.zeros(index.shape[:-1], bool)
    within = ((local >= 0) & (local < mask.crop.shape)).all(axis=-1)
    result[within] = mask.crop[tuple(local[within].T)]
    return result
