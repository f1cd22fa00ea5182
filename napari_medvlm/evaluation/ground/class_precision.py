"""COCO's average precision over a whole data set, by pycocotools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import numpy as np

from napari_medvlm.evaluation.ground.outcomes import Outcome, PhraseResult

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""COCO's."""
AREA = 1
"""Of every region: COCO's classes of size are not used."""


@dataclass(frozen=True)
class Precision:
    """Average precision, 0 to 1.

    Attributes
    ----------
    at_half
        At an intersection over union of 0.5 (AP50).
    mean
        Over 0.5, 0.55, ..., 0.95 (COCO's AP).
    """

    at_half: float
    mean: float


def precision_by_class(outcomes: Sequence[Outcome]) -> tuple[Mapping[str, Precision], str]:
    """The average precision of each class; or none, and one sentence that says why.

    Classes that are wanted nowhere have none. Every phrase of an image counts by itself: what is
    found for one cannot take what is wanted for another.
    """
    rows = [(f"{o.case}\n{s.phrase}", s) for o in outcomes for s in o.results]
    regions = [region for _, result in rows for region in result.predicted]
    unscored = sum(region.score is None for region in regions)
    if unscored:
        return {}, f"No average precision: {unscored} of {len(regions)} regions have no score."
    labels = sorted({result.label for _, result in rows if result.wanted})
    if not labels:
        return {}, "No average precision: nothing is wanted."
    precisions = _precisions(rows, labels)
    return {
        label: Precision(float(column[:, 0].mean()), float(column.mean()))
        for label, column in zip(labels, np.moveaxis(precisions, 2, 0), strict=True)
    }, ""


def _precisions(rows: Sequence[tuple[str, PhraseResult]], labels: Sequence[str]) -> Any:
    """``(recalls, thresholds, classes)``: precision, made to fall with recall."""
    from pycocotools.cocoeval import COCOeval

    overlaps = {
        (number, labels.index(result.label)): np.array(result.overlaps).reshape(
            len(result.predicted), len(result.wanted)
        )
        for number, (_, result) in enumerate(rows)
        if result.label in labels
    }
    max_count = max((len(result.predicted) for _, result in rows), default=0)
    with redirect_stdout(StringIO()):  # it reports its progress by print
        evaluator = COCOeval(_annotations(rows, labels), _detections(rows, labels), "bbox")
        evaluator.computeIoU = lambda image, category: overlaps.get((image, category), [])
        evaluator.params.iouThrs = THRESHOLDS
        evaluator.params.areaRng = [[0, np.inf]]
        evaluator.params.maxDets = [max(max_count, 1)]
        evaluator.evaluate()
        evaluator.accumulate()
    precisions = evaluator.eval["precision"][:, :, :, 0, 0]
    return np.moveaxis(np.maximum(precisions, 0), 0, 1)


def _annotations(rows: Sequence[tuple[str, PhraseResult]], labels: Sequence[str]) -> Any:
    regions = [(n, s.label, None) for n, (_, s) in enumerate(rows) for _ in s.wanted]
    return _collection(len(rows), labels, regions)


def _detections(rows: Sequence[tuple[str, PhraseResult]], labels: Sequence[str]) -> Any:
    regions = [
        (n, s.label, region.score) for n, (_, s) in enumerate(rows) for region in s.predicted
    ]
    return _collection(len(rows), labels, regions)


def _collection(
    images: int, labels: Sequence[str], regions: Sequence[tuple[int, str, float | None]]
) -> Any:
    """Regions as pycocotools holds them."""
    from pycocotools.coco import COCO

    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": number} for number in range(len(labels))],
        "annotations": [
            {
                "id": number, "image_id": image, "category_id": labels.index(label), "area": AREA,
                "iscrowd": 0, "score": score,
            }
            for number, (image, label, score) in enumerate(regions, start=1)
            if label in labels
        ],
    }  # fmt: skip
    coco.createIndex()
    return coco
