"""Lesions of a label image, and their masks on the grid of another study."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import FloatArray, Grid, index_corners
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask

PAD_VOXELS = 6
"""Voxels around a mask on which its signed distance is computed."""
MARGIN_VOXELS = 3
"""Voxels of the current study around the mapped corners of a lesion that are sampled."""


@dataclass(frozen=True, eq=False)
class Lesion:
    """A lesion of one study.

    Parameters
    ----------
    name
        From the table of names of the label image.
    value
        Its value in the label image; the number of the component if the image has one value only.
    mask
        Its voxels.
    grid
        The grid of `mask`.
    tracking_uid
        DICOM tracking UID; empty if the file has none.
    """

    name: str
    value: int
    mask: Mask
    grid: Grid
    tracking_uid: str = ""

    @cached_property
    def center_mm(self) -> FloatArray:
        """Centroid ``(S, P, L)`` in millimetres of its own study."""
        index = np.argwhere(self.mask.crop).mean(axis=0) + self.mask.start
        return self.grid.to_world(index)

    @cached_property
    def points_mm(self) -> FloatArray:
        """Centres of its voxels ``(N, 3)``, ``(S, P, L)`` in millimetres of its own study."""
        return self.grid.to_world(np.argwhere(self.mask.crop) + self.mask.start)

    @cached_property
    def depth_mm(self) -> FloatArray:
        """Depth in the lesion, negative outside, on `mask.crop` and `PAD_VOXELS` around it."""
        from scipy.ndimage import distance_transform_edt

        inside = np.pad(self.mask.crop, PAD_VOXELS)
        inner, outer = (
            distance_transform_edt(part, sampling=self.grid.spacing) for part in (inside, ~inside)
        )
        depth: FloatArray = inner - outer
        return depth

    @property
    def radius_mm(self) -> float:
        """Largest distance from `center_mm` to the border of a voxel."""
        reach = float(np.linalg.norm(self.points_mm - self.center_mm, axis=1).max())
        return reach + max(self.grid.spacing) / 2

    @property
    def volume_ml(self) -> float:
        """Number of voxels times the volume of one."""
        return self.mask.voxels * self.grid.voxel_ml


def lesions_of(labels: NamedLabels) -> tuple[Lesion, ...]:
    """The lesions of a label image: one for each value.

    An image with a single value has one lesion for each of its components (connected by faces,
    edges and corners), named after the value and numbered in order of their first voxel.

    Raises
    ------
    InvalidPrompt
        If it has no value but 0.
    """
    values = sorted(value for value in labels.present if labels.mask_of(value).voxels)
    if not values:
        raise InvalidPrompt(
            f"{labels.title} has no lesion: all voxels are 0.",
            "Choose a label image with one value for each lesion.",
        )
    names = {value: labels.names.get(value, f"label {value}") for value in values}
    masks = {value: labels.mask_of(value) for value in values}
    uids = dict(labels.tracking_uids)
    if len(values) == 1:
        (value,) = values
        pieces = components(masks[value])
        if len(pieces) > 1:
            names = {n: f"{names[value]} {n}" for n in range(1, len(pieces) + 1)}
            masks, uids = dict(enumerate(pieces, 1)), {}
    return tuple(
        Lesion(names[value], value, mask, labels.grid, uids.get(value, ""))
        for value, mask in masks.items()
    )


def components(mask: Mask) -> tuple[Mask, ...]:
    """The pieces of a mask that do not touch by a face, an edge or a corner."""
    from scipy import ndimage

    labels, count = ndimage.label(mask.crop, np.ones((3, 3, 3)))
    return tuple(Mask.in_box(labels == n, mask.start, mask.shape) for n in range(1, count + 1))


def mapped_mask(
    lesion: Lesion, pairing: Pairing, grid: Grid, shift_mm: FloatArray | None = None
) -> Mask:
    """The mask of a lesion of the prior on the current study's grid.

    The signed distance from the border of the lesion is interpolated (cubic) at each voxel of
    `grid`: a mask that is interpolated itself loses 3 to 7 per cent of its volume at each transfer.

    Parameters
    ----------
    pairing
        From the prior to the current study.
    grid
        The current study's.
    shift_mm
        Added to the mapped position, ``(S, P, L)`` millimetres of the current study.

    Returns
    -------
    Empty if the lesion lies outside the grid.
    """
    shift = np.zeros(3) if shift_mm is None else shift_mm
    start, stop = mapped_box(lesion, pairing, grid, shift)
    if not (stop > start).all():
        return Mask.empty(grid.shape)
    points = box_points(grid, start, stop)
    inside = sampled_mask(lesion, pairing.to_prior(points - shift))
    z, y, x = (int(v) for v in start)
    return Mask.in_box(inside, (z, y, x), grid.shape)


def mapped_box(
    lesion: Lesion, pairing: Pairing, grid: Grid, shift_mm: FloatArray
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Half-open index box on the current study's grid around a mapped lesion, with a margin."""
    corners = lesion.grid.to_world(index_corners(lesion.mask.start, lesion.mask.stop))
    index = grid.to_index(pairing.to_current(corners) + shift_mm)
    low = np.floor(index.min(axis=0)).astype(np.int64) - MARGIN_VOXELS
    high = np.ceil(index.max(axis=0)).astype(np.int64) + MARGIN_VOXELS + 1
    return np.clip(low, 0, grid.shape), np.clip(high, 0, grid.shape)


def box_points(grid: Grid, start: NDArray[np.int64], stop: NDArray[np.int64]) -> FloatArray:
    """Centres of the voxels of an index box, ``(z, y, x, 3)`` in patient millimetres."""
    axes = [np.arange(low, high) for low, high in zip(start, stop, strict=True)]
    return grid.to_world(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))


def sampled_mask(lesion: Lesion, points_mm: FloatArray) -> NDArray[np.bool_]:
    """Whether points ``(..., 3)`` of the lesion's own study lie inside it, ``(...)``."""
    index = lesion.grid.to_index(points_mm) - np.array(lesion.mask.start) + PAD_VOXELS
    return sampled(lesion.depth_mm, index, order=3, outside=-np.inf) >= 0


def sampled(values: NDArray[Any], index: FloatArray, order: int, outside: float) -> FloatArray:
    """Values ``(z, y, x)`` interpolated at indices ``(..., 3)``; `outside` beyond the array."""
    from scipy.ndimage import map_coordinates

    at = np.moveaxis(index, -1, 0)
    mode = "nearest" if 1 in values.shape else "constant"
    result: FloatArray = map_coordinates(
        np.asarray(values, np.float32), at, order=order, mode=mode, cval=outside
    )
    return result
