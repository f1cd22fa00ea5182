"""Two masks side by side: how well they agree, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import BoolArray, Mask
from napari_medvlm.evaluation.metrics import segmentation

"""Cubic millimetres in a millilitre."""


@dataclass(frozen=True)
class MaskComparison:
    """How well two masks agree.

    Parameters
    ----------
    dice, iou
        0 to 1; 1 if both are empty.
    nsd
        0 to 1, see `metrics.surface_dice`; `None` if it cannot be computed here, see ``note``.
    hd95_mm
        See `metrics.Scores`.
    only_a_ml, only_b_ml, both_ml
        Size of what is in one of them only, and in both.
    note
        Why there is no NSD, with the remedy; else empty.
    """

    dice: float
    iou: float
    nsd: float | None
    hd95_mm: float | None
    only_a_ml: float
    only_b_ml: float
    both_ml: float
    note: str = ""

    @property
    def a_ml(self) -> float:
        """Size of the first mask."""
        return self.only_a_ml + self.both_ml

    @property
    def b_ml(self) -> float:
        """Size of the second mask."""
        return self.only_b_ml + self.both_ml


def compare_masks(a: Mask, b: Mask, grid: Grid, tolerance_mm: float) -> MaskComparison:
    """Compare two masks of one grid; takes up to seconds.

    Parameters
    ----------
    tolerance_mm
        How far surfaces may be apart for the NSD.
    """
    first, second = _cut(a, b)
    nsd, note = None, ""
    try:
        nsd = segmentation.surface_dice(first, second, grid.spacing, tolerance_mm)
    except BackendUnavailable as error:
        note = str(error)
    voxel_ml = grid.voxel_ml
    shared = int(np.count_nonzero(first & second))
    return MaskComparison(
        segmentation.dice(first, second),
        segmentation.iou(first, second),
        nsd,
        segmentation.hausdorff95_mm(first, second, grid.spacing),
        (a.voxels - shared) * voxel_ml,
        (b.voxels - shared) * voxel_ml,
        shared * voxel_ml,
        note,
    )


def _cut(a: Mask, b: Mask) -> tuple[BoolArray, BoolArray]:
    """Both in the smallest box around what is inside either."""
    known = [mask for mask in (a, b) if mask.crop.size]
    if not known:
        return np.zeros((0, 0, 0), bool), np.zeros((0, 0, 0), bool)
    low = np.min([mask.start for mask in known], axis=0)
    high = np.max([mask.stop for mask in known], axis=0)
    cut = []
    for mask in (a, b):
        full = np.zeros(high - low, bool)
        if mask.crop.size:
            offset = np.array(mask.start) - low
            full[tuple(map(slice, offset, offset + mask.crop.shape))] = mask.crop
        cut.append(full)
    return cut[0], cut[1]
