"""Planes of a series put together to a volume: sorted, checked, gaps dealt with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.errors import InvalidImage
from napari_medvlm.geometry import FloatArray
from napari_medvlm.io.series_planes import VARYING, Plane

SAME_MM = 0.01
"""Planes closer than this lie at one position."""
TOLERANCE = 0.02
"""Share of the distance of slices by which one may be off."""
TILT_DEGREES = 0.1


class Gaps(StrEnum):
    """What to do where slices are missing or unevenly spaced."""

    REFUSE = "refuse"
    """Refuse the series and say where."""
    FILL = "fill"
    """Interpolate between the neighbours, on evenly spaced slices."""
    LARGEST = "largest"
    """Take the largest part without a gap."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Pixels ``(z, y, x)`` or ``(z, y, x, 3)``, their affine, and what is to be told of them."""

    data: NDArray[Any]
    affine: FloatArray
    notes: tuple[str, ...]


def stack(planes: Sequence[Plane], frame: int | None, gaps: Gaps) -> Stack:
    """Put planes together.

    Raises
    ------
    InvalidImage
        If they are of several sizes or orientations, if several lie at one position and ``frame``
        does not choose, or if some are missing and ``gaps`` refuses.
    """
    _require_one([p.shape for p in planes], "image sizes")
    if any(p.position_mm is None for p in planes):
        return _unplaced(planes)
    _require_one([tuple(_directions(p).round(3).ravel()) for p in planes], "orientations")
    chosen = _one_at_each_position(_sorted(planes), frame)
    return _evenly(chosen, gaps)


def _require_one(values: Sequence[Any], what: str) -> None:
    counts = {value: values.count(value) for value in dict.fromkeys(values)}
    if len(counts) > 1:
        images = ", ".join(str(n) for n in counts.values())
        raise InvalidImage(
            f"The series mixes {len(counts)} {what} ({images} images).",
            "It may be a localizer; choose another series, or split it into folders.",
        )


def _unplaced(planes: Sequence[Plane]) -> Stack:
    """Pictures that do not say where they lie, such as X-rays and ultrasound."""
    spacing, notes = planes[0].spacing_mm, []
    if spacing is None:
        spacing = (1.0, 1.0)
        notes.append("The size of a pixel is unknown; it was taken as 1 mm.")
    notes.append("The file does not say where in the patient the picture lies.")
    affine = np.diag([planes[0].thickness_mm, *spacing, 1.0])
    return Stack(np.stack([p.pixels() for p in planes]), affine, tuple(notes))


def _directions(plane: Plane) -> FloatArray:
    assert plane.directions is not None, "only planes that lie somewhere come here"
    return plane.directions


def _normal(plane: Plane) -> FloatArray:
    across, down = _directions(plane)
    normal: FloatArray = np.cross(across, down)
    return normal / np.linalg.norm(normal)


def _sorted(planes: Sequence[Plane]) -> list[tuple[float, Plane]]:
    normal = _normal(planes[0])
    placed = [(float(np.dot(normal, p.position_mm)), p) for p in planes]  # type: ignore[arg-type]  # placed
    return sorted(placed, key=lambda pair: pair[0])


def _one_at_each_position(
    placed: list[tuple[float, Plane]], frame: int | None
) -> list[tuple[float, Plane]]:
    groups: list[list[tuple[float, Plane]]] = [[placed[0]]]
    for pair in placed[1:]:
        if pair[0] - groups[-1][0][0] <= SAME_MM:
            groups[-1].append(pair)
        else:
            groups.append([pair])
    count = max(len(group) for group in groups)
    if count == 1 and frame in (None, 0):
        return placed
    if min(len(group) for group in groups) != count:
        twice = sum(len(group) > 1 for group in groups)
        raise InvalidImage(
            f"{twice} of {len(groups)} positions occur more than once in the series, others once.",
            "It may hold a repeated part; take the repeated files out of the folder.",
        )
    name = _what_varies(groups[0])
    if frame is None or not 0 <= frame < count:
        values = ", ".join(dict.fromkeys(p.varies.get(name, "?") for _, p in groups[0]))
        raise InvalidImage(
            f"The series holds {count} volumes at the same positions; {name} varies: {values}.",
            f"Choose one of them: frame=0 to frame={count - 1} (--frame on the command line).",
        )
    return [sorted(group, key=lambda pair: _order(pair[1], name))[frame] for group in groups]


def _what_varies(group: list[tuple[float, Plane]]) -> str:
    for name in VARYING:
        if len({plane.varies.get(name) for _, plane in group}) == len(group):
            return name
    return "InstanceNumber"


def _order(plane: Plane, name: str) -> tuple[float, str]:
    text = plane.varies.get(name, "")
    try:
        return float(text), text
    except ValueError:
        return 0.0, text


def _evenly(placed: list[tuple[float, Plane]], gaps: Gaps) -> Stack:
    positions = np.array([at for at, _ in placed])
    if len(placed) < 3:
        return _assembled(placed)
    steps = np.diff(positions)
    step = float(np.median(steps))
    multiples = np.round(steps / step)
    if np.abs(steps - step).max() <= max(TOLERANCE * step, SAME_MM):
        return _assembled(placed)
    missing = int((multiples - 1).clip(0).sum())
    is_gap = (
        np.abs(steps - multiples * step).max() <= max(TOLERANCE * step, SAME_MM) and missing > 0
    )
    if gaps is Gaps.REFUSE:
        raise _gap_error(positions, steps, step, missing) if is_gap else _uneven_error(steps)
    if gaps is Gaps.LARGEST:
        return _largest(placed, steps, step)
    return _filled(placed, positions, step, missing)


def _gap_error(positions: FloatArray, steps: FloatArray, step: float, missing: int) -> InvalidImage:
    wide = np.flatnonzero(steps > 1.5 * step)
    low, high = positions[wide[0]], positions[wide[-1] + 1]
    return InvalidImage(
        f"{missing} slices are missing between {low:.1f} and {high:.1f} mm.",
        "Load with the gap filled (gaps='fill'), or only the largest part (gaps='largest'), "
        "or choose another series.",
    )


def _uneven_error(steps: FloatArray) -> InvalidImage:
    return InvalidImage(
        f"The slices are unevenly spaced: {steps.min():.2f} to {steps.max():.2f} mm apart.",
        "Load with even slices interpolated (gaps='fill'), or only the largest even part "
        "(gaps='largest'), or choose another series.",
    )


def _largest(placed: list[tuple[float, Plane]], steps: FloatArray, step: float) -> Stack:
    good = np.abs(steps - step) <= max(TOLERANCE * step, SAME_MM)
    cuts = [0, *(np.flatnonzero(~good) + 1).tolist(), len(placed)]
    first, last = max(pairwise(cuts), key=lambda part: part[1] - part[0])
    note = f"Only slices {first + 1} to {last} of {len(placed)} were taken: there is a gap."
    made = _assembled(placed[first:last])
    return Stack(made.data, made.affine, (*made.notes, note))


def _filled(
    placed: list[tuple[float, Plane]], positions: FloatArray, step: float, missing: int
) -> Stack:
    count = round(float((positions[-1] - positions[0]) / step)) + 1
    wanted = np.linspace(positions[0], positions[-1], count)
    made = _assembled(placed, count)
    after = np.clip(np.searchsorted(positions, wanted), 1, len(positions) - 1)
    share = (wanted - positions[after - 1]) / (positions[after] - positions[after - 1])
    weight = share.reshape(-1, *[1] * (made.data.ndim - 1))
    blend = made.data[after - 1] * (1 - weight) + made.data[after] * weight
    whole = made.data.dtype.kind in "iu"
    data = (np.rint(blend) if whole else blend).astype(made.data.dtype)
    note = (
        f"{missing or 'Uneven'} slices were interpolated; {count} slices are {step:.2f} mm apart."
    )
    return Stack(data, made.affine, (*made.notes, note))


def _assembled(placed: list[tuple[float, Plane]], count: int | None = None) -> Stack:
    """The planes as they are; ``count`` slices reach from the first to the last."""
    first, last = placed[0][1], placed[-1][1]
    assert first.position_mm is not None
    assert last.position_mm is not None
    across, down = _directions(first)
    notes = []
    if first.spacing_mm is None:
        notes.append("The size of a pixel is unknown; it was taken as 1 mm.")
    row_mm, column_mm = first.spacing_mm or (1.0, 1.0)
    steps = (count or len(placed)) - 1
    normal = _normal(first)
    step = normal * first.thickness_mm
    if steps:
        step = (last.position_mm - first.position_mm) / steps
    tilt = np.degrees(np.arccos(np.clip(np.dot(step, normal) / np.linalg.norm(step), -1, 1)))
    if tilt > TILT_DEGREES:
        notes.append(f"The gantry was tilted by {tilt:.1f} degrees; slices lie as they were made.")
    affine = np.eye(4)
    columns = [step, down * row_mm, across * column_mm]
    affine[:3, :3] = np.stack([c[::-1] for c in columns], axis=1)
    affine[:3, 3] = first.position_mm[::-1]
    pixels = [plane.pixels() for _, plane in placed]
    return Stack(np.stack(pixels), affine, tuple(notes))
