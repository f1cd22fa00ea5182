"""Cubic crops of an image at any voxel size, by separable weights, with numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.mask import bounding_box

Floats = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Crop:
    """A cube in the millimetres of the image's axes (voxel index times spacing).

    Parameters
    ----------
    centre_mm
        ``(z, y, x)``.
    edge_mm
        Length of an edge.
    voxels
        Number along an edge.
    """

    centre_mm: tuple[float, float, float]
    edge_mm: float
    voxels: int

    @property
    def step_mm(self) -> float:
        """Size of a voxel of the crop."""
        return self.edge_mm / self.voxels

    def positions(self, axis: int) -> Vector:
        """Centres of the voxels along an axis, in mm."""
        steps: Vector = (np.arange(self.voxels) + 0.5) / self.voxels - 0.5
        return np.asarray(self.centre_mm[axis] + steps * self.edge_mm)

    def index(self, zyx_mm: Vector) -> Vector:
        """Voxel index in the crop, between voxels too."""
        offset = (zyx_mm - np.array(self.centre_mm)) / self.step_mm
        return np.asarray(offset + self.voxels / 2 - 0.5)

    def box(self, shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[slice, ...]:
        """The voxels of the image under the crop."""
        slices = []
        for n, s, c in zip(shape, spacing, self.centre_mm, strict=True):
            low = int(np.clip(np.ceil((c - self.edge_mm / 2) / s), 0, n))
            high = int(np.clip(np.floor((c + self.edge_mm / 2) / s) + 1, low, n))
            slices.append(slice(low, high))
        return tuple(slices)


def weights(at: Vector, sources: Vector) -> Floats:
    """Linear interpolation, or a mean as wide as a step of ``at`` where that is larger.

    Parameters
    ----------
    at, sources
        Regular positions in mm, ``(n,)`` and ``(m,)``.

    Returns
    -------
    ndarray
        ``(n, m)`` float32; rows sum to 1, or to 0 where ``at`` lies more than half a step of the
        sources beyond their ends.
    """
    spacing = sources[1] - sources[0] if len(sources) > 1 else np.inf
    step = at[1] - at[0] if len(at) > 1 else 0.0
    width = max(step, spacing if np.isfinite(spacing) else step, 1e-9)
    rows = np.maximum(0, 1 - np.abs(at[:, None] - sources[None]) / width)
    rows /= np.maximum(rows.sum(1, keepdims=True), 1e-9)
    half = spacing / 2 if np.isfinite(spacing) else width / 2
    inside = (at >= sources[0] - half - 1e-9) & (at <= sources[-1] + half + 1e-9)
    return np.asarray(rows * inside[:, None], np.float32)


def resample(array: Floats, by: tuple[Floats, Floats, Floats]) -> Floats:
    """Apply the weights of each axis, the one that shrinks the array most first."""
    for axis in sorted(range(3), key=lambda a: by[a].shape[0] / by[a].shape[1]):
        array = np.moveaxis(np.tensordot(by[axis], array, (1, axis)), 0, axis)
    return np.ascontiguousarray(array, np.float32)


def take(image: Floats, spacing: tuple[float, ...], crop: Crop) -> Floats:
    """The image in the crop, ``(N, N, N)``; its minimum there where the crop leaves the image."""
    reach = [slice(max(b.start - 1, 0), b.stop + 1) for b in crop.box(image.shape, spacing)]
    part = image[tuple(reach)]
    by = [
        weights(crop.positions(a), _voxel_mm(reach[a], image.shape[a], spacing[a]))
        for a in range(3)
    ]
    inside = np.einsum("i,j,k->ijk", *(rows.sum(1) for rows in by)) > 0.5
    return np.where(inside, resample(part, (by[0], by[1], by[2])), part.min())


def take_mask(mask: NDArray[np.bool_], spacing: tuple[float, ...], crop: Crop) -> Floats:
    """The part of each voxel of the crop that a mask covers, ``(N, N, N)``; 0 outside the image."""
    reach = [slice(max(b.start - 1, 0), b.stop + 1) for b in bounding_box(mask)]
    by = [
        weights(crop.positions(a), _voxel_mm(reach[a], mask.shape[a], spacing[a])) for a in range(3)
    ]
    return resample(mask[tuple(reach)].astype(np.float32), (by[0], by[1], by[2]))


def box_above(
    values: Floats,
    limit: float,
    crop: Crop,
    shape: tuple[int, ...],
    spacing: tuple[float, ...],
) -> tuple[slice, ...]:
    """A box of the image outside which `put` gives no value above a limit that is positive."""
    parts = []
    for part, box, s, first in zip(
        bounding_box(values > limit), crop.box(shape, spacing), spacing, crop.centre_mm, strict=True
    ):
        width = max(crop.step_mm, s)
        start_mm = first - crop.edge_mm / 2
        low = (start_mm + (part.start + 0.5) * crop.step_mm - width) / s
        high = (start_mm + (part.stop - 0.5) * crop.step_mm + width) / s
        start = int(np.clip(np.floor(low), box.start, box.stop))
        stop = int(np.clip(np.ceil(high) + 1, start, box.stop))
        parts.append(slice(start, stop if part.stop > part.start else start))
    return tuple(parts)


def put(values: Floats, crop: Crop, box: tuple[slice, ...], spacing: tuple[float, ...]) -> Floats:
    """Values of a crop at the voxels of a box of the image."""
    by = [
        weights(np.arange(b.start, b.stop) * s, crop.positions(a))
        for a, (b, s) in enumerate(zip(box, spacing, strict=True))
    ]
    return resample(values, (by[0], by[1], by[2]))


def transfer(values: Floats, source: Crop, to: Crop) -> Floats:
    """Values of a crop in another crop; 0 outside."""
    by = [weights(to.positions(a), source.positions(a)) for a in range(3)]
    return resample(values, (by[0], by[1], by[2]))


def _voxel_mm(part: slice, count: int, spacing: float) -> Vector:
    return np.arange(count, dtype=np.float64)[part] * spacing
