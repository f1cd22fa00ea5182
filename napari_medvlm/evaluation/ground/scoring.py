"""How well what was found on an image agrees with what is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.iou import region_iou
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.data.region import Region
from napari_medvlm.evaluation.ground.cases import Case, Loaded
from napari_medvlm.evaluation.ground.outcomes import PhraseResult, ScoredBox
from napari_medvlm.evaluation.metrics.region_agreement import agreement
from napari_medvlm.evaluation.metrics.segmentation import scores

SLACK = 1e-6
TOLERANCE_MM = 2.0
"""How far surfaces may be apart for the surface Dice; the default of segmentation."""


def score_case(case: Case, loaded: Loaded, grounding: Grounding) -> tuple[PhraseResult, ...]:
    """Every phrase of a case, those that are nowhere in the image last."""
    grid = loaded.volume.grid
    wanted = dict.fromkeys(region.phrase for region in loaded.wanted)
    floating = {reference.phrase: reference for reference in loaded.floating}
    rows = [
        _phrase_result(p, loaded.label_of[p], grounding, _own(p, loaded.wanted), grid)
        for p in wanted
    ]
    for phrase, reference in floating.items():
        best = grounding.of(phrase)[:1]
        first = replace(grounding, regions=best)
        on = _slice_of(best[0], grid) if best else 0
        references = (reference.region(loaded.volume, case.name, on),)
        rows.append(_phrase_result(phrase, reference.label, first, references, grid))
    return (*rows, *(_phrase_result(p, p, grounding, (), grid) for p in case.absent))


def phrases(case: Case, loaded: Loaded) -> tuple[str, ...]:
    """What is to be looked for."""
    fixed = (region.phrase for region in loaded.wanted)
    floating = (reference.phrase for reference in loaded.floating)
    return tuple(dict.fromkeys((*fixed, *floating, *case.absent)))


def points_to(region: Region, grid: Grid) -> FloatArray:
    """The index ``(z, y, x)`` that a region points to.

    The peak of its heatmap, or its first point, or the middle of its box.
    """
    if region.heatmap is not None:
        crop = region.heatmap.crop
        peak = np.unravel_index(int(np.argmax(crop)), crop.shape)
        return np.array(peak, float) + region.heatmap.start
    if region.points:
        return grid.to_index(np.array(region.points[0].position_mm))
    return grid.to_index(region.center_mm)


def lies_in(zyx: FloatArray, region: Region, grid: Grid) -> bool:
    """Whether an index lies in a region: in its mask if it has one, else in its box."""
    if region.mask is not None:
        at = np.floor(zyx + 0.5).astype(int) - region.mask.start
        inside = (at >= 0).all() and (at < region.mask.crop.shape).all()
        return bool(inside and region.mask.crop[tuple(at)])
    low, high = _extent(region, grid)
    return bool((zyx >= low - SLACK).all() and (zyx <= high + SLACK).all())


def _phrase_result(
    phrase: str, label: str, grounding: Grounding, wanted: Sequence[Region], grid: Grid
) -> PhraseResult:
    regions = grounding.of(phrase)
    iou, pointed = 0.0, None
    if wanted:
        iou = agreement(regions, wanted, grid).mean_iou
        pointed = bool(regions) and any(
            lies_in(points_to(regions[0], grid), region, grid) for region in wanted
        )
    overlaps = tuple(tuple(region_iou(f, w, grid) for w in wanted) for f in regions)
    compared = _compared(regions, wanted)
    return PhraseResult(
        phrase=phrase, label=label, iou=iou, pointed=pointed, overlaps=overlaps,
        wanted=tuple(_scored_box(r, grid) for r in wanted),
        predicted=tuple(_scored_box(r, grid) for r in regions),
        compared=compared, **(_mask_scores(regions, wanted, grid) if compared == "mask" else {}),
        reason="" if regions else _reason(phrase, grounding),
    )  # fmt: skip


def _compared(regions: Sequence[Region], wanted: Sequence[Region]) -> str:
    """What the overlap compares, see `PhraseResult.compared`."""
    if not wanted:
        return ""
    return "mask" if all(region.mask is not None for region in (*regions, *wanted)) else "box"


def _mask_scores(
    regions: Sequence[Region], wanted: Sequence[Region], grid: Grid
) -> dict[str, float | None]:
    """Dice, surface Dice and Hausdorff distance of all found masks against all wanted ones."""
    predicted_mask, reference_mask = (_union(own, grid) for own in (regions, wanted))
    values = scores(predicted_mask, reference_mask, grid.spacing, TOLERANCE_MM)
    return {"dice": values.dice, "nsd": values.nsd, "hd95_mm": values.hd95_mm}


def _union(regions: Sequence[Region], grid: Grid) -> BoolArray:
    """``(z, y, x)`` bool: where any of the regions is."""
    union = np.zeros(grid.shape, bool)
    for region in regions:
        if region.mask is not None:
            union[region.mask.slices] |= region.mask.crop
    return union


def _reason(phrase: str, grounding: Grounding) -> str:
    reasons = (missing.reason for missing in grounding.not_found if missing.phrase == phrase)
    return next(reasons, "")


def _own(phrase: str, regions: Sequence[Region]) -> tuple[Region, ...]:
    return tuple(region for region in regions if region.phrase == phrase)


def _scored_box(region: Region, grid: Grid) -> ScoredBox:
    low, high = _extent(region, grid) + 0.5
    return ScoredBox(low=tuple(low.tolist()), high=tuple(high.tolist()), score=region.score)


def _extent(region: Region, grid: Grid) -> FloatArray:
    """``(2, 3)``: lowest and highest index of the box, edge to edge around voxel centres."""
    corners = grid.to_index(region.box.corners())
    result: FloatArray = np.stack([corners.min(axis=0), corners.max(axis=0)])
    return result


def _slice_of(region: Region, grid: Grid) -> int:
    start, stop = region.box.bounds(grid)
    return int((start[0] + stop[0] - 1) // 2)
