"""How well predicted regions agree with those of a reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.iou import region_iou
from napari_medvlm.data.region import Region
from napari_medvlm.evaluation.metrics.average_precision import average_precision

HIT = 0.5
"""The intersection over union from which a region counts as found."""


@dataclass(frozen=True)
class PhraseAgreement:
    """How well the regions of one phrase agree with those of the reference.

    Parameters
    ----------
    phrase
        As the reference spells it, or as it was asked where the reference does not know it.
    iou
        Intersection over union, 0 to 1: predicted regions are paired with wanted ones, one to
        one, so that the sum is greatest, and the sum is divided by the number of wanted ones. A
        missed region thus counts 0; a region too many costs nothing here, see
        ``average_precision``.
    predicted, wanted
        How many regions were predicted, and how many the reference has. Where it has none, ``iou``
        is 0 and is not part of any mean.
    best_score
        The highest score of the predicted regions, 0 to 1; `None` if none has one.
    """

    phrase: str
    iou: float
    predicted: int
    wanted: int
    best_score: float | None


@dataclass(frozen=True)
class Agreement:
    """How well predicted regions agree with a reference, over the phrases that the reference knows.

    Parameters
    ----------
    phrases
        Those of the reference in its order, then those that were only predicted.
    mean_iou
        Mean of ``iou`` over the phrases of the reference (mIoU).
    accuracy_at_half
        Share of the phrases of the reference with an ``iou`` of at least 0.5 (Acc@0.5).
    average_precision
        AP at an intersection over union of 0.5 over the regions of all these phrases together, as
        COCO defines it (https://cocodataset.org/#detection-eval) and pycocotools computes it: in
        order of score, each predicted region takes the still free wanted region of its phrase that
        it overlaps most, if by 0.5 or more, else it is a false alarm; precision, made to fall with
        recall, is averaged at the recalls 0, 0.01, ..., 1 of *all* wanted regions, and is 0 where
        recall never gets, which is how misses count. COCO's own figure is the mean over categories;
        a phrase seldom has enough regions in one image for a curve of its own.
    note
        Why there is no average precision, with the remedy if there is one; else empty.
    """

    phrases: tuple[PhraseAgreement, ...]
    mean_iou: float
    accuracy_at_half: float
    average_precision: float | None
    note: str = ""


def agreement(predicted: Sequence[Region], wanted: Sequence[Region], grid: Grid) -> Agreement:
    """How well the predicted regions agree with the wanted ones.

    Phrases are compared without regard to case and surrounding space.

    Parameters
    ----------
    predicted, wanted
        The regions to judge, and those of the reference.
    grid
        The image's; masks must lie on it.

    Raises
    ------
    InvalidReference
        If nothing is wanted.
    GeometryMismatch
        If a mask has another shape than the grid.
    """
    if not wanted:
        raise InvalidReference(
            "The reference has 0 regions for this image, so there is nothing to compare with.",
            "Load reference boxes or labels of this image.",
        )
    known = {_key(region) for region in wanted}
    scored = sorted((r for r in predicted if _key(r) in known), key=lambda r: -(r.score or 0))
    overlaps = np.array([_ious_within_phrase(region, wanted, grid) for region in scored])
    overlaps = overlaps.reshape(len(scored), len(wanted))
    phrases = dict.fromkeys(_key(region) for region in (*wanted, *predicted))
    rows = tuple(
        _of_phrase(key, predicted, wanted, _rows(scored, key, overlaps)) for key in phrases
    )
    ious = np.array([row.iou for row in rows if row.wanted])
    precision, note = average_precision([region.score for region in scored], overlaps, HIT)
    return Agreement(rows, float(ious.mean()), float((ious >= HIT).mean()), precision, note)


def _key(region: Region) -> str:
    return region.phrase.strip().casefold()


def _ious_within_phrase(region: Region, wanted: Sequence[Region], grid: Grid) -> list[float]:
    """With each wanted region; 0 with those of other phrases."""
    return [region_iou(region, w, grid) if _key(w) == _key(region) else 0.0 for w in wanted]


def _rows(scored: Sequence[Region], key: str, overlaps: FloatArray) -> FloatArray:
    return overlaps[[i for i, region in enumerate(scored) if _key(region) == key]]


def _of_phrase(
    key: str, regions: Sequence[Region], wanted: Sequence[Region], overlaps: FloatArray
) -> PhraseAgreement:
    """One phrase, from the overlaps ``(predicted, all wanted)`` of its regions."""
    from scipy.optimize import linear_sum_assignment

    regions_of_phrase = [region for region in regions if _key(region) == key]
    references_of_phrase = [region for region in wanted if _key(region) == key]
    pairs = linear_sum_assignment(overlaps, maximize=True)
    iou = float(overlaps[pairs].sum()) / len(references_of_phrase) if references_of_phrase else 0.0
    scores = [region.score for region in regions_of_phrase if region.score is not None]
    phrase = (references_of_phrase or regions_of_phrase)[0].phrase.strip()
    return PhraseAgreement(
        phrase, iou, len(regions_of_phrase), len(references_of_phrase), max(scores, default=None)
    )
