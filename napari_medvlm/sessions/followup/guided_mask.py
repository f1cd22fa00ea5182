"""A lesion in the current study by the intensities that its mask holds in the prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import MM3_PER_ML, FloatArray
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.sessions.followup.contrast import RING_MM
from napari_medvlm.sessions.followup.lesions import Lesion, box_points, sampled
from napari_medvlm.sessions.followup.matching import Studies
from napari_medvlm.sessions.followup.volume_change import (
    GROWTH_MM,
    IntensityMatch,
    scaled,
    volume_change_mm3,
)

LEVELS = np.linspace(0.2, 0.8, 25)
"""Parts of the contrast that are tried as the border of the lesion in the prior."""
BLUR_VOXELS = 0.4
"""Standard deviation of the smoothing of both studies before their comparison."""
CURRENT_LEVELS = np.linspace(0.1, 0.9, 81)
"""Those that are tried as its border in the current study."""
FAR_GROWTH = 1.5
"""Growth from which the border now counts too, not only the surroundings of the border before."""
LARGEST_STEP = 0.1
"""Part of a mask by which the next larger one may differ to be cut to a volume."""
EDGE_VOXELS = 1.5
"""Distance around the mask, in voxels, in which the level of the prior is searched for."""
WORST_DICE = 0.5
"""Agreement in the prior below which a lesion is not described by its intensities."""


@dataclass(frozen=True, eq=False)
class Region:
    """The surroundings of a mapped lesion in both studies, on the current study's voxels.

    Parameters
    ----------
    mapped
        ``(z, y, x)`` bool: the lesion of the prior at its matched position.
    prior, current
        Intensities ``(z, y, x)``, the prior's at the same position.
    distance_mm
        Distance of each voxel from `mapped`.
    ring
        ``(z, y, x)`` bool: tissue around it without other lesions.
    start
        Index of the first voxel in the current study.
    spacing
        Size of a voxel in millimetres.
    """

    mapped: BoolArray
    prior: FloatArray
    current: FloatArray
    distance_mm: FloatArray
    ring: BoolArray
    start: tuple[int, int, int]
    spacing: tuple[float, float, float]


def guided_mask(
    studies: Studies,
    lesion: Lesion,
    mapped: Mask,
    offset_mm: FloatArray,
    others: NDArray[np.bool_],
    *,
    is_planted: bool = False,
) -> Mask | None:
    """The lesion in the current study, with the level of intensity that its mask has in the prior.

    Intensities are scaled to 0 for the median of the tissue around and 1 for the core of the
    lesion, in each study. The level at which the prior's lesion has the volume of its mask cuts the
    current study. Beyond the voxels next to the mapped mask, up to 6 mm, voxels count only that the
    prior has not above this level: what was like the lesion before is not new. The level is then
    moved to where the mask has the volume of the prior's mask plus the change by the shift of the
    border, see `volume_change_mm3`: a level alone takes another blur for a change.

    Parameters
    ----------
    lesion
        Of the prior.
    mapped
        Its mask on the current study's grid, at the matched position.
    offset_mm
        From the mapped to the matched position.
    others
        ``(z, y, x)`` bool: mapped lesions, also this one.
    is_planted
        Whether the current study is the prior with a planted change.

    Returns
    -------
    `None` if the lesion has no contrast in the prior, or its intensities do not describe it.
    """
    match = IntensityMatch.around(studies, mapped, others)
    region = _region(studies, mapped, offset_mm, others, match)
    parts = region.mapped, region.ring
    before, after = (scaled(v, region.prior, *parts) for v in (region.prior, region.current))
    if before is None or after is None:
        return None
    level = _level(before, region)
    if level is None:
        return None
    by_level = _cut(before, after, region, level)
    now = Mask.in_box(by_level, region.start, mapped.shape)
    has_grown_far = now.voxels > FAR_GROWTH * mapped.voxels
    masks = mapped, now if has_grown_far else mapped
    change_mm3 = volume_change_mm3(
        studies, lesion, masks, offset_mm, others, match, is_interpolated=is_planted
    )
    if change_mm3 is None:
        return now
    voxels = (MM3_PER_ML * lesion.volume_ml + change_mm3) / studies.current.grid.voxel_mm3
    return Mask.in_box(_of_volume(before, after, region, round(voxels)), region.start, mapped.shape)


def _of_volume(before: FloatArray, after: FloatArray, region: Region, voxels: int) -> BoolArray:
    """The lesion in the current study with a number of voxels, or nearly so many."""
    cuts = [_cut(before, after, region, float(level)) for level in CURRENT_LEVELS]
    sizes = np.array([np.count_nonzero(cut) for cut in cuts])
    nearest = cuts[int(np.abs(sizes - voxels).argmin())]
    larger = np.flatnonzero((sizes >= voxels) & (sizes <= (1 + LARGEST_STEP) * voxels))
    if not len(larger):
        return nearest
    cut: BoolArray = cuts[int(larger[sizes[larger].argmin()])].copy()
    inside = np.flatnonzero(cut)
    weakest = np.argsort(after.ravel()[inside], kind="stable")[: len(inside) - voxels]
    cut.ravel()[inside[weakest]] = False
    return cut


def _cut(before: FloatArray, after: FloatArray, region: Region, level: float) -> BoolArray:
    """The lesion in the current study at a level of its scaled intensities."""
    was_like = (before >= level) & ~_edge(region)
    candidates = (after >= level) & (region.distance_mm <= GROWTH_MM) & ~was_like
    return _touching(candidates, region.mapped)


def _region(
    studies: Studies,
    mapped: Mask,
    offset_mm: FloatArray,
    others: NDArray[np.bool_],
    match: IntensityMatch,
) -> Region:
    from scipy import ndimage

    grid = studies.current.grid
    margin = np.ceil((max(GROWTH_MM, RING_MM[1]) + 1) / np.array(grid.spacing)).astype(int)
    low = np.maximum(np.array(mapped.start) - margin, 0)
    high = np.minimum(np.array(mapped.stop) + margin, mapped.shape)
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    points = studies.pairing.to_prior(box_points(grid, low, high) - offset_mm)
    prior = sampled(
        studies.prior.intensity(), studies.prior.grid.to_index(points), order=1, outside=0.0
    )
    current = match(studies.current.intensity()[z, y, x].astype(np.float64))
    inside = mapped.full()[z, y, x]
    distance = ndimage.distance_transform_edt(~inside, sampling=grid.spacing)
    ring = (distance > RING_MM[0]) & (distance <= RING_MM[1]) & ~others[z, y, x]
    smooth = [ndimage.gaussian_filter(values, BLUR_VOXELS) for values in (prior, current)]
    start = (z.start, y.start, x.start)
    return Region(inside, smooth[0], smooth[1], distance, ring, start, grid.spacing)


def _edge(region: Region) -> BoolArray:
    """The lesion and the voxels next to it."""
    return region.distance_mm <= EDGE_VOXELS * max(region.spacing)


def _level(before: FloatArray, region: Region) -> float | None:
    """The level whose mask in the prior has the volume of the lesion; `None` if none is like it."""
    masks = [(before >= level) & _edge(region) for level in LEVELS]
    alike = [n for n, mask in enumerate(masks) if _dice(mask, region.mapped) >= WORST_DICE]
    if not alike:
        return None
    volume = np.count_nonzero(region.mapped)
    best = min(alike, key=lambda n: abs(np.count_nonzero(masks[n]) - volume))
    return float(LEVELS[best])


def _touching(candidates: BoolArray, mapped: BoolArray) -> BoolArray:
    """The pieces of candidates that reach into the mapped lesion."""
    from scipy import ndimage

    labels, _ = ndimage.label(candidates)
    reached = np.unique(labels[mapped])
    inside: BoolArray = np.isin(labels, reached[reached > 0])
    return inside


def _dice(a: BoolArray, b: BoolArray) -> float:
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / max(total, 1)
