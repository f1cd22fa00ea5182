"""Slices in their order as a regular volume: gaps, uneven spacing, gantry tilt."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidImage, IrregularSlices
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.io.dicom.frames import Plane

TILT_DEGREES = 0.1
GAPS_HINT = (
    "Load with the gap filled (gaps='fill'), or only the largest part (gaps='largest'; --gaps on "
    "the command line), or choose another series."
)


class Gaps(StrEnum):
    """What to do where slices are missing, or are not evenly spaced."""

    REFUSE = "refuse"
    FILL = "fill"
    LARGEST = "largest"


@dataclass(frozen=True, eq=False)
class Stack:
    """The slices of one volume.

    Parameters
    ----------
    planes
        In rising order along their normal.
    step
        ``(3,)`` from one slice of the volume to the next, LPS millimetres.
    samples
        Where the slices of the volume lie among ``planes``: 1.5 is half-way between the second and
        the third.
    notes
        What was mended.
    """

    planes: list[Plane]
    step: FloatArray
    samples: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def affine(self) -> FloatArray:
        """4 x 4, from ``(z, y, x)`` to ``(S, P, L)`` millimetres."""
        first = self.planes[0]
        affine = np.eye(4)
        affine[:3, 0] = self.step[::-1]
        affine[:3, 1] = first.orientation[:2:-1] * first.pixel_mm[0]
        affine[:3, 2] = first.orientation[2::-1] * first.pixel_mm[1]
        affine[:3, 3] = first.position[::-1]
        return affine


def regular(planes: list[Plane], gaps: Gaps) -> Stack:
    """A volume of slices that are sorted along their normal, at different places.

    Raises
    ------
    IrregularSlices
        If slices are missing or unevenly spaced and ``gaps`` is to refuse that.
    InvalidImage
        If slices are shifted against each other.
    """
    if len(planes) == 1:
        return _even(planes, ())
    heights = np.array([plane.position @ planes[0].normal for plane in planes])
    if _is_even(heights):
        return _even(planes, ())
    base = _base_step(heights)
    steps = np.diff(heights) / base
    missing = np.round(steps).astype(int) - 1
    if np.abs(steps - missing - 1).max() > 0.1:
        return _uneven(planes, heights, gaps)
    return _gapped(planes, heights, missing, gaps)


def _is_even(heights: FloatArray) -> bool:
    even = np.linspace(heights[0], heights[-1], len(heights))
    step = (heights[-1] - heights[0]) / (len(heights) - 1)
    return bool(np.abs(heights - even).max() <= 0.05 * step + 0.02)


def _base_step(heights: FloatArray) -> float:
    """The smallest step that occurs, evened out over those that are equal but for rounding."""
    steps = np.diff(heights)
    return float(np.median(steps[steps <= 1.1 * steps.min()]))


def _even(planes: list[Plane], notes: tuple[str, ...]) -> Stack:
    first, last = planes[0], planes[-1]
    if first is last:
        step = first.normal * first.thickness_mm
    else:
        step = (last.position - first.position) / (len(planes) - 1)
    return _checked(planes, step, np.arange(len(planes), dtype=float), notes)


def _gapped(
    planes: list[Plane], heights: FloatArray, missing: NDArray[np.int64], gaps: Gaps
) -> Stack:
    holes = np.flatnonzero(missing)
    count = int(missing.sum())
    low, high = heights[holes[0]], heights[holes[0] + 1]
    position = f"between {low:.1f} and {high:.1f} mm"
    if len(holes) > 1:
        position = f"in {len(holes)} gaps, the first {position}"
    were, are = ("slice was", "slice is") if count == 1 else ("slices were", "slices are")
    if gaps is Gaps.REFUSE:
        raise IrregularSlices(f"{count} {are} missing {position}.", GAPS_HINT)
    if gaps is Gaps.LARGEST:
        return _largest(planes, heights, missing == 0, f"{count} {were} missing {position}")
    index = np.concatenate([[0], np.cumsum(missing + 1)])
    samples = np.interp(np.arange(index[-1] + 1), index, np.arange(len(planes)))
    step = (planes[-1].position - planes[0].position) / index[-1]
    note = f"{count} {were} missing {position}; filled in linearly from the neighbouring slices."
    return _checked(planes, step, samples, (note,))


def _uneven(planes: list[Plane], heights: FloatArray, gaps: Gaps) -> Stack:
    steps = np.diff(heights)
    spacing = float(np.median(steps))
    what = f"The slices are unevenly spaced, from {steps.min():.2f} to {steps.max():.2f} mm apart"
    if gaps is Gaps.REFUSE:
        raise IrregularSlices(
            f"{what}.",
            "Load them resampled to an even spacing (gaps='fill'), or only the largest even part "
            "(gaps='largest'; --gaps on the command line), or choose another series.",
        )
    if gaps is Gaps.LARGEST:
        return _largest(planes, heights, np.abs(steps - spacing) <= 0.05 * spacing + 0.02, what)
    length = heights[-1] - heights[0]
    at = heights[0] + spacing * np.arange(int(length / spacing + 1e-6) + 1)
    samples = np.interp(at, heights, np.arange(len(planes)))
    step = (planes[-1].position - planes[0].position) * (spacing / length)
    note = f"{what}; resampled linearly to {spacing:.2f} mm."
    return _checked(planes, step, samples, (note,))


def _largest(
    planes: list[Plane], heights: FloatArray, joined: NDArray[np.bool_], what: str
) -> Stack:
    """The longest run of slices of which each is joined to the next."""
    parts = np.split(np.arange(len(planes)), np.flatnonzero(~joined) + 1)
    part = max(parts, key=len)
    part_planes = [planes[i] for i in part]
    note = (
        f"{what}; only the largest part is loaded, {len(part_planes)} of {len(planes)} slices from "
        f"{heights[part[0]]:.1f} to {heights[part[-1]]:.1f} mm."
    )
    return _even(part_planes, (note,))


def _checked(
    planes: list[Plane], step: FloatArray, samples: FloatArray, notes: tuple[str, ...]
) -> Stack:
    """A stack, unless slices lie off the line through the first and the last one."""
    along = float(step @ planes[0].normal)
    shift = np.array([plane.position - planes[0].position for plane in planes])
    lateral = shift - np.outer(shift @ planes[0].normal / along, step)
    worst = float(np.linalg.norm(lateral, axis=1).max())
    if worst > 0.5 * planes[0].pixel_mm.min() + 0.02:
        raise InvalidImage(
            f"The slices are shifted against each other, by up to {worst:.1f} mm.",
            "They do not make one volume; open one file alone, or choose another series.",
        )
    tilt = float(np.degrees(np.arccos(min(along / float(np.linalg.norm(step)), 1.0))))
    if tilt > TILT_DEGREES:
        notes = (
            *notes,
            f"gantry tilt of {tilt:.1f} degrees: the slices are sheared; angles and distances are "
            "right in patient millimetres only.",
        )
    return Stack(planes, step, samples, notes)
