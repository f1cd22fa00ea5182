"""The point of a prior's lesion in the current study: mapped, then matched by its surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.followup.lesions import Lesion, sampled

SEARCH_MM = 10.0
"""Farthest distance of the match from the mapped centre."""
AROUND_MM = 6.0
"""What is compared around a lesion."""
PENALTY_PER_MM = 0.005
"""Correlation that a match loses for each millimetre from the mapped centre."""
CHECK_SEARCH_MM = 25.0
"""Farthest error of a registration that `registration_error` measures."""
CHECK_AROUND_MM = 15.0
"""What it compares around a lesion."""
LONGEST_AXIS = 28
"""Samples along the longest side of what is compared."""


@dataclass(frozen=True, eq=False)
class Match:
    """The best local match of a lesion's surroundings.

    Parameters
    ----------
    mapped_mm
        Centre of the lesion through the pairing, ``(S, P, L)`` millimetres of the current study.
    offset_mm
        From there to the best match.
    correlation
        Normalised cross-correlation at the match, -1 to 1.
    """

    mapped_mm: FloatArray
    offset_mm: FloatArray
    correlation: float

    @property
    def point_mm(self) -> FloatArray:
        """The matched centre, ``(S, P, L)`` millimetres of the current study."""
        return self.mapped_mm + self.offset_mm

    @property
    def distance_mm(self) -> float:
        """Length of `offset_mm`."""
        return float(np.linalg.norm(self.offset_mm))


@dataclass(frozen=True, eq=False)
class Studies:
    """The current and the prior study, and the pairing from the prior to the current one."""

    current: Volume
    prior: Volume
    pairing: Pairing


def match(studies: Studies, lesion: Lesion, others: Sequence[Mask] = ()) -> Match:
    """The best match of a lesion within `SEARCH_MM` of its mapped centre.

    Parameters
    ----------
    others
        Masks of the other lesions on the current study's grid: no match lies in them.
    """
    return _match(studies, lesion, AROUND_MM, SEARCH_MM, PENALTY_PER_MM, others)


def registration_error(studies: Studies, lesion: Lesion) -> Match:
    """How far the surroundings of a lesion lie from their mapped position, up to 25 mm."""
    return _match(studies, lesion, CHECK_AROUND_MM, CHECK_SEARCH_MM, PENALTY_PER_MM, ())


def _match(
    studies: Studies, lesion: Lesion, around_mm: float, search_mm: float, penalty: float,
    others: Sequence[Mask],
) -> Match:  # fmt: skip
    from skimage.feature import match_template

    mapped = studies.pairing.to_current(lesion.center_mm)
    template_at, search_at = _lattices(studies, lesion, around_mm, search_mm)
    prior = sampled(
        studies.prior.intensity(),
        studies.prior.grid.to_index(studies.pairing.to_prior(mapped + template_at)),
        order=1,
        outside=0.0,
    )
    current = sampled(
        studies.current.intensity(),
        studies.current.grid.to_index(mapped + search_at),
        order=1,
        outside=0.0,
    )
    scores = np.asarray(match_template(current, prior), np.float64)
    trim = tuple(
        slice((n - m) // 2, (n - m) // 2 + m)
        for n, m in zip(search_at.shape[:3], scores.shape, strict=True)
    )
    offsets = search_at[trim]
    distance = np.linalg.norm(offsets, axis=-1)
    allowed = (distance <= search_mm) & ~_in_masks(mapped + offsets, others, studies.current.grid)
    allowed |= distance == 0
    ranked = np.where(allowed, scores - penalty * distance, -np.inf)
    best = np.unravel_index(int(ranked.argmax()), ranked.shape)
    return Match(mapped, offsets[best], float(scores[best]))


def _lattices(
    studies: Studies, lesion: Lesion, around_mm: float, search_mm: float
) -> tuple[FloatArray, FloatArray]:
    """Offsets ``(z, y, x, 3)`` in millimetres of what is compared, and of what is searched."""
    half = np.abs(lesion.points_mm - lesion.center_mm).max(axis=0) + around_mm
    spacing = max(min(studies.current.spacing), min(studies.prior.spacing))
    step = max(spacing, float(2 * half.max() / LONGEST_AXIS))
    counts = np.ceil(half / step).astype(int)
    reach = np.full(3, int(np.ceil(search_mm / step)))
    flat = _flat_axes(studies.current.grid) | _flat_axes(studies.prior.grid)
    counts[flat], reach[flat] = 0, 0
    return _lattice(counts, step), _lattice(counts + reach, step)


def _flat_axes(grid: Grid) -> NDArray[np.bool_]:
    """Patient axes ``(3,)`` along which a study has one slice."""
    extent = np.abs(grid.affine[:3, :3]) * (np.array(grid.shape) - 1)
    flat: NDArray[np.bool_] = extent.max(axis=1) < max(grid.spacing)
    return flat


def _lattice(counts: NDArray[np.int64], step: float) -> FloatArray:
    axes = [np.arange(-n, n + 1) * step for n in counts]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _in_masks(points_mm: FloatArray, masks: Sequence[Mask], grid: Grid) -> NDArray[np.bool_]:
    inside = np.zeros(points_mm.shape[:-1], bool)
    index = np.rint(grid.to_index(points_mm)).astype(np.int64)
    for mask in masks:
        local = index - mask.start
        within = ((local >= 0) & (local < mask.crop.shape)).all(axis=-1)
        inside[within] |= mask.crop[tuple(local[within].T)]
    return inside
