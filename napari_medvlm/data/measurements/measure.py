"""How large something is, and how bright."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.display import is_aligned, patient_axes
from napari_medvlm.data.geometry.grid import FloatArray, Grid, apply_affine, world_bounds
from napari_medvlm.data.interface.arguments import as_mask, require_volume
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import SUV_UNIT, Volume

PART = 1 << 20
"""How many values are looked at together."""


@dataclass(frozen=True)
class Measurement:
    """Size and intensity of an object.

    Attributes
    ----------
    volume_ml
        Number of voxels times the volume of one, in millilitres.
    box_mm
        Corners ``((S, P, L), (S, P, L))`` of the box around it along the patient's axes, low then
        high, in millimetres; from voxel edge to voxel edge. `None` if the object is empty.
    mean, sd, maximum
        Of the intensities inside, in ``unit``; not a number if the object is empty.
    unit
        `Volume.unit`: ``"HU"`` for CT, SUV for PET whose header allows it, else empty.
    voxels
        Number of voxels.
    spacing_is_known
        Whether the file states the voxel spacing; if not, ``volume_ml`` and ``box_mm`` are those
        of voxels of 1 mm.
    """

    volume_ml: float
    box_mm: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    mean: float
    sd: float
    maximum: float
    unit: str
    voxels: int = 0
    spacing_is_known: bool = True

    def __str__(self) -> str:
        if self.box_mm is None:
            return "empty"
        if not self.spacing_is_known:
            return f"{self.voxels} voxels, {brightness(vars(self))}"
        low, high = np.array(self.box_mm)
        size = " x ".join(f"{v:.0f}" for v in high - low)
        return f"{self.volume_ml:.2f} mL, {size} mm, {brightness(vars(self))}"


def brightness(values: Mapping[str, Any]) -> str:
    """The mean and SD of intensities in words; of SUV also the highest.

    Parameters
    ----------
    values
        ``mean``, ``sd``, ``maximum`` and ``unit``, as of a `Measurement` or of a row of a table.
    """
    mean, sd, unit = (values[name] for name in ("mean", "sd", "unit"))
    if unit == SUV_UNIT:
        return f"SUVbw mean {mean:.4g}, max {values['maximum']:.4g} g/mL, SD {sd:.4g}"
    return f"mean {mean:.4g}{' ' + unit if unit else ''}, SD {sd:.4g}"


def measure(volume: Volume, mask: Mask | NDArray[Any]) -> Measurement:
    """Measure a mask on a volume's grid.

    Parameters
    ----------
    mask
        A mask, or an array ``(z, y, x)`` in which what is not zero is inside.

    Raises
    ------
    InvalidImage
        If the image is no `Volume`.
    GeometryMismatch
        If the mask has another shape than the volume.
    """
    mask = as_mask("", mask, require_volume(volume))
    unit = volume.unit
    if not mask.voxels:
        return Measurement(0.0, None, float("nan"), float("nan"), float("nan"), unit)
    inside = volume.intensity()[mask.slices][mask.crop]
    mean, sd = _mean_and_sd(inside)
    low, high = _extent(mask, volume.grid).tolist()
    return Measurement(
        volume_ml=mask.voxels * volume.grid.voxel_ml,
        box_mm=(tuple(low), tuple(high)),
        mean=mean * volume.scale,
        sd=sd * volume.scale,
        maximum=float(inside.max()) * volume.scale,
        unit=unit,
        voxels=mask.voxels,
        spacing_is_known=volume.spacing_is_known,
    )


def _mean_and_sd(values: NDArray[Any]) -> tuple[float, float]:
    """Of many values, in parts: one array of doubles could be larger than the image."""
    mean = float(values.mean(dtype=np.float64))
    parts = (values[k : k + PART] for k in range(0, len(values), PART))
    squares = sum(float(np.square(part - mean, dtype=np.float64).sum()) for part in parts)
    return mean, float(np.sqrt(squares / len(values)))


def _extent(mask: Mask, grid: Grid) -> FloatArray:
    """The box along the patient's axes, ``(2, 3)``, low then high, around all voxels."""
    if is_aligned(grid.affine):
        return world_bounds(grid, mask.start, mask.stop)
    centers = grid.to_world(np.argwhere(mask.crop) + mask.start)
    reach = np.abs(grid.affine[:3, :3]).sum(axis=1) / 2
    return np.stack([centers.min(axis=0) - reach, centers.max(axis=0) + reach])


def longest_diameter_mm(mask: Mask, affine: FloatArray) -> float:
    """The greatest distance between two points of the border of a mask (Feret diameter).

    The border is halfway between a voxel inside and one outside along each axis of the array, as
    that of `diameters`, so that no diameter in a slice is longer. 0 of an empty mask.
    """
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    if not mask.voxels:
        return 0.0
    centers = np.argwhere(mask.crop) + mask.start
    if len(centers) > 4:
        with suppress(QhullError):  # flat: all voxels are looked at
            centers = centers[ConvexHull(centers).vertices]
    half_steps = np.concatenate([np.eye(3), -np.eye(3)]) / 2
    borders = (centers[:, None] + half_steps).reshape(-1, 3) @ affine[:3, :3].T
    with suppress(QhullError):
        borders = borders[ConvexHull(borders).vertices]
    return float(pdist(borders).max())


HALF_STEPS = np.array([(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)])
"""From a voxel's centre to its borders within a slice."""


Ends = tuple[tuple[float, float, float], tuple[float, float, float]]
"""The two ends of a line, ``(S, P, L)`` in patient millimetres."""


@dataclass(frozen=True)
class Diameters:
    """The longest diameter of an object in an axial slice, and the longest across it.

    Attributes
    ----------
    longest_mm, perpendicular_mm
        From border to border, which is halfway between a voxel inside and one outside; the second
        at a right angle to the first.
    slice
        Axis of the array and index of the slice.
    longest_ends, perpendicular_ends
        Where the diameters begin and end, ``((S, P, L), (S, P, L))`` in patient millimetres;
        `None` of an empty mask.
    """

    longest_mm: float
    perpendicular_mm: float
    slice: tuple[int, int]
    longest_ends: Ends | None = None
    perpendicular_ends: Ends | None = None


def diameters(mask: Mask, affine: FloatArray) -> Diameters:
    """The diameters of a mask as radiologists measure them; 0 of an empty one."""
    axis = patient_axes(affine)[0]
    corner = np.delete(mask.start, axis)
    best = Diameters(0.0, 0.0, (axis, mask.start[axis]))
    for at in range(mask.crop.shape[axis]):
        inside = np.argwhere(np.take(mask.crop, at, axis=axis))
        if not len(inside):
            continue
        edges = np.concatenate([inside + corner + step for step in HALF_STEPS])
        flat = _in_plane(affine, axis)
        hull, longest, along = _longest(edges @ flat.T)
        if longest > best.longest_mm or at == 0:
            across, chord = _across(hull, *along)
            here = mask.start[axis] + at
            lines = (_placed(line, flat, affine, axis, here) for line in (along, chord))
            best = Diameters(longest, across, (axis, here), *lines)
    return best


def _placed(line: FloatArray, flat: FloatArray, affine: FloatArray, axis: int, index: int) -> Ends:
    """The ends of a line ``(2, 2)`` in a slice's millimetres, in the patient's."""
    in_slice = np.linalg.solve(flat, line.T).T
    placed = apply_affine(affine, np.insert(in_slice, axis, index, axis=1)).tolist()
    return tuple(placed[0]), tuple(placed[1])


def _in_plane(affine: FloatArray, axis: int) -> FloatArray:
    """2 x 2: the axes of a slice, in millimetres along two directions at a right angle."""
    down, right = (affine[:3, a] for a in range(3) if a != axis)
    first = down / np.linalg.norm(down)
    second = right - (right @ first) * first
    second /= np.linalg.norm(second)
    return np.array([[down @ first, right @ first], [0.0, right @ second]])


def _longest(places: FloatArray) -> tuple[FloatArray, float, FloatArray]:
    """The outline of places ``(N, 2)`` in order, its longest diameter, and the ends of that."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist, squareform

    with suppress(QhullError):  # of fewer than three places, or of a line
        places = places[ConvexHull(places).vertices]
    apart = squareform(pdist(places))
    start, end = np.unravel_index(np.argmax(apart), apart.shape)
    return places, float(apart[start, end]), places[[start, end]]


def _across(outline: FloatArray, start: FloatArray, end: FloatArray) -> tuple[float, FloatArray]:
    """The longest chord of a convex outline at a right angle to a line, and the ends of that."""
    along = (end - start) / np.linalg.norm(end - start)
    across = np.array((-along[1], along[0]))
    u, v = (outline - start) @ along, (outline - start) @ across
    longest, ends = 0.0, np.stack([start, start])
    for at in u:  # a chord is longest at a corner
        crossings = [
            a[1] + (b[1] - a[1]) * (at - a[0]) / (b[0] - a[0]) if b[0] != a[0] else b[1]
            for a, b in zip(np.c_[u, v], np.roll(np.c_[u, v], -1, axis=0), strict=True)
            if min(a[0], b[0]) <= at <= max(a[0], b[0])
        ]
        low, high = min(crossings), max(crossings)
        if high - low > longest:
            longest = float(high - low)
            ends = start + at * along + np.outer((low, high), across)
    return longest, ends
