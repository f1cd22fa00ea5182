"""A known change planted in the prior, and what is measured of it in the current study's frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Grid, apply_affine
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.followup.comparison import Proposal
from napari_medvlm.sessions.followup.followed import Reliability
from napari_medvlm.sessions.followup.lesions import (
    Lesion,
    box_points,
    mapped_box,
    sampled,
    sampled_mask,
)
from napari_medvlm.sessions.followup.matching import Match, Studies, registration_error
from napari_medvlm.sessions.followup.overlap import change_percent, edges_of

PLANTED_PERCENT = 20.0
"""The change of volume that is planted."""
LARGEST_ERROR = 10.0
"""Error in percentage points from which a change is not reliable."""
LARGEST_REGISTRATION_MM = 6.0
"""Distance of the surroundings from their mapped position from which a change is not reliable."""
LEAST_CORRELATION = 0.3
"""Correlation of the surroundings from which they count as the same."""
AROUND_MM = 25.0
"""How much of the prior around a lesion is planted in."""
FADE_MM = 12.0
"""Distance from the lesion over which the planted change fades."""


def mask_reliability(studies: Studies, proposal: Proposal) -> Reliability:
    """A planted mask, carried over, linked and measured as the masks of the current study are."""
    lesion, grid = proposal.lesion, studies.current.grid
    error = registration_error(studies, lesion)
    planted = planted_mask(studies, lesion, grid, error.offset_mm)
    linked = bool(edges_of([proposal.mask_near([planted])], [planted], grid))
    measured = None
    if linked and planted.voxels:
        measured = change_percent(lesion.volume_ml, planted.voxels * grid.voxel_ml)
    return judged(measured, error)


def judged(measured_percent: float | None, error: Match, prompts: str = "") -> Reliability:
    """The reliability of a measured change, with the reasons against it."""
    reliability = Reliability(
        PLANTED_PERCENT, measured_percent, error.distance_mm, error.correlation, prompts
    )
    reasons = []
    points = reliability.error_points
    if points is None:
        reasons.append(f"A planted change of {PLANTED_PERCENT:.0f} % was not found again.")
    elif abs(points) > LARGEST_ERROR:
        reasons.append(
            f"A planted change of {PLANTED_PERCENT:.0f} % was measured as {measured_percent:.0f} %."
        )
    if error.correlation < LEAST_CORRELATION:
        reasons.append(
            f"The surroundings differ from the prior's (correlation {error.correlation:.2f})."
        )
    elif error.distance_mm > LARGEST_REGISTRATION_MM:
        reasons.append(
            f"The surroundings lie {error.distance_mm:.0f} mm from where the registration has them."
        )
    is_registered = (
        error.correlation >= LEAST_CORRELATION and error.distance_mm <= LARGEST_REGISTRATION_MM
    )
    return replace(reliability, reasons=tuple(reasons), is_registered=is_registered)


def planted_mask(studies: Studies, lesion: Lesion, grid: Grid, offset_mm: FloatArray) -> Mask:
    """The lesion with its volume changed, on a grid of the current study.

    Parameters
    ----------
    offset_mm
        Added to the mapped position, in millimetres of the current study.
    """
    start, stop = mapped_box(lesion, studies.pairing, grid, offset_mm)
    grown = np.ceil((stop - start) * (_scale() - 1)).astype(int) + 1
    start, stop = np.maximum(start - grown, 0), np.minimum(stop + grown, grid.shape)
    if not (stop > start).all():
        return Mask.empty(grid.shape)
    points = studies.pairing.to_prior(box_points(grid, start, stop) - offset_mm)
    inside = sampled_mask(lesion, shrunk_to(lesion, points))
    z, y, x = (int(v) for v in start)
    return Mask.in_box(inside, (z, y, x), grid.shape)


def planted_volume(studies: Studies, proposal: Proposal, error: Match) -> Volume:
    """The prior around a lesion with a planted change, where the pairing has it plus its error.

    Returns
    -------
    A volume on a part of the current study's grid, with the prior's intensities.
    """
    lesion, grid = proposal.lesion, studies.current.grid
    start, stop = mapped_box(lesion, studies.pairing, grid, error.offset_mm)
    margin = np.ceil(AROUND_MM / np.array(grid.spacing)).astype(np.int64)
    start, stop = np.maximum(start - margin, 0), np.minimum(stop + margin, grid.shape)
    points = studies.pairing.to_prior(box_points(grid, start, stop) - error.offset_mm)
    values = sampled(
        studies.prior.intensity(),
        studies.prior.grid.to_index(shrunk_to(lesion, points)),
        order=1,
        outside=float(studies.prior.range[0]),
    )
    affine = grid.affine.copy()
    affine[:3, 3] = apply_affine(grid.affine, start)
    data: NDArray[np.float32] = values.astype(np.float32)
    return replace(studies.prior, data=data, affine=affine, source=None, series="", notes=())


def shrunk_to(lesion: Lesion, points_mm: FloatArray) -> FloatArray:
    """The points of the prior whose intensity stands at points ``(..., 3)`` after the change.

    Within the lesion all distances from its centroid grow by one factor, so that its volume grows
    exactly by `PLANTED_PERCENT`; beyond, the displacement fades to zero.
    """
    offset = points_mm - lesion.center_mm
    distance = np.linalg.norm(offset, axis=-1, keepdims=True)
    scale, radius = _scale(), lesion.radius_mm
    beyond = np.clip((distance / scale - radius) / FADE_MM, 0, 1)
    displaced = np.minimum(distance, radius * scale) * (1 - 1 / scale) * (1 - beyond)
    unit = offset / np.maximum(distance, 1e-9)
    moved: FloatArray = points_mm - unit * displaced
    return moved


def _scale() -> float:
    return float((1 + PLANTED_PERCENT / 100) ** (1 / 3))
