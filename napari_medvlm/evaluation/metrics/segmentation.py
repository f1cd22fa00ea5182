"""How well a mask agrees with the truth: Dice, IoU, surface Dice and Hausdorff distance.

Each is the field's own: Dice, IoU and the 95th percentile of the Hausdorff distance as MONAI
computes them, the normalised surface Dice (NSD) as DeepMind's ``surface-distance`` and the CVPR
2025 challenge do. Their notions of a surface differ. The Hausdorff distance is measured from voxel
to voxel of the masks' borders, each counted once; the NSD weighs pieces of surface by their area,
at the corners of voxels (MONAI's ``use_subvoxels=True``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.mask import BoolArray, bounding_box

KERNEL = np.array([[[128, 64], [32, 16]], [[8, 4], [2, 1]]])
"""Numbers the eight voxels around a corner, so that their sum names the piece of surface there."""


@dataclass(frozen=True)
class Scores:
    """How well a mask agrees with the truth.

    Parameters
    ----------
    dice, iou, nsd
        0 to 1; 1 if both are empty, 0 if one is.
    hd95_mm
        95th percentile of the distances between the borders, the larger of both directions; 0 if
        both are empty, `None` if one is.
    """

    dice: float
    iou: float
    nsd: float
    hd95_mm: float | None


def scores(
    mask: BoolArray, truth: BoolArray, spacing: Sequence[float], tolerance_mm: float
) -> Scores:
    """All scores of a mask ``(z, y, x)``.

    Parameters
    ----------
    spacing
        Size of a voxel along ``(z, y, x)`` in mm.
    tolerance_mm
        How far surfaces may be apart for the NSD.
    """
    box = bounding_box(mask | truth)
    mask, truth = mask[box], truth[box]
    return Scores(
        dice(mask, truth),
        iou(mask, truth),
        surface_dice(mask, truth, spacing, tolerance_mm),
        hausdorff95_mm(mask, truth, spacing),
    )


def dice(a: BoolArray, b: BoolArray) -> float:
    """Dice coefficient of two masks, 0 to 1; 1 if both are empty."""
    total = np.count_nonzero(a) + np.count_nonzero(b)
    return 2 * np.count_nonzero(a & b) / total if total else 1.0


def iou(a: BoolArray, b: BoolArray) -> float:
    """Intersection over union of two masks, 0 to 1; 1 if both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def hausdorff95_mm(a: BoolArray, b: BoolArray, spacing: Sequence[float]) -> float | None:
    """95th percentile of the distances between the borders of two masks, see `Scores`."""
    from scipy import ndimage

    if not (a.any() and b.any()):
        return None if a.any() or b.any() else 0.0
    borders = [m & ~ndimage.binary_erosion(m) for m in (a, b)]
    distances = _distances(borders, spacing)
    return max(float(np.percentile(d, 95)) for d in distances)


def surface_dice(
    a: BoolArray, b: BoolArray, spacing: Sequence[float], tolerance_mm: float
) -> float:
    """Share of both surfaces, 0 to 1, that lies within a tolerance of the other one."""
    from scipy import ndimage

    if not (a.any() and b.any()):
        return 0.0 if a.any() or b.any() else 1.0
    codes = [
        ndimage.correlate(np.pad(m, 1).astype(np.uint8), KERNEL, mode="constant") for m in (a, b)
    ]
    surfaces = [(code != 0) & (code != 255) for code in codes]
    table = _areas(tuple(map(float, spacing)))
    areas = [table[code[s]] for code, s in zip(codes, surfaces, strict=True)]
    distances = _distances(surfaces, spacing)
    near = sum(
        float(area[d <= tolerance_mm].sum()) for area, d in zip(areas, distances, strict=True)
    )
    return near / float(sum(area.sum() for area in areas))


def _distances(borders: Sequence[BoolArray], spacing: Sequence[float]) -> list[FloatArray]:
    """From each voxel of the first border to the second, and from the second to the first, mm."""
    from scipy import ndimage

    first, second = borders
    return [
        ndimage.distance_transform_edt(~to, sampling=spacing)[of]
        for of, to in ((first, second), (second, first))
    ]


@lru_cache(maxsize=64)
def _areas(spacing: tuple[float, ...]) -> NDArray[np.float64]:
    """Area in mm² of the piece of surface at a corner, by the code of its eight voxels."""
    try:
        from surface_distance import lookup_tables
    except ImportError:
        raise BackendUnavailable(
            "The surface Dice needs surface-distance, which is not installed.",
            'Install it with: pip install "napari-medvlm[evaluate]"',
        ) from None
    table = lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
    return np.asarray(table, np.float64)


POOR_DICE = 0.2
"""Up to this Dice the CVPR 2025 challenge counts the surface Dice as 0."""


def interactions_to(dice: Sequence[float], wanted: float) -> int | None:
    """The first interaction, from 1, after which the Dice is at least ``wanted``."""
    return next((k for k, value in enumerate(dice, 1) if value >= wanted), None)


def area_under(values: Sequence[float]) -> float:
    """Area under a curve by the trapezoid rule, a step of 1 from value to value.

    This is the challenge's: five clicks that are all perfect have an area of 4.
    """
    curve = np.asarray(values, np.float64)
    return float(((curve[1:] + curve[:-1]) / 2).sum())


def challenge_nsd(nsd: Sequence[float], dice: Sequence[float]) -> list[float]:
    """The surface Dice as the challenge counts it: 0 where the Dice is poor."""
    return [n if d > POOR_DICE else 0.0 for n, d in zip(nsd, dice, strict=True)]
