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
    rows = [(f"{o.case}\n{s.phrase}", s) for o in outcomes for s in o.sought]
    places = [place for _, sought in rows for place in sought.found]
    silent = sum(place.score is None for place in places)
    if silent:
        return {}, f"No average precision: {silent} of {len(places)} regions have no score."
    labels = sorted({sought.label for _, sought in rows if sought.wanted})
    if not labels:
        return {}, "No average precision: nothing is wanted."
    found = _precisions(rows, labels)
    return {
        label: Precision(float(column[:, 0].mean()), float(column.mean()))
        for label, column in zip(labels, np.moveaxis(found, 2, 0), strict=True)
    }, ""


def _precisions(rows: Sequence[tuple[str, PhraseResult]], labels: Sequence[str]) -> Any:
    """``(recalls, thresholds, classes)``: precision, made to fall with recall."""
    from pycocotools.cocoeval import COCOeval

    overlaps = {
        (number, labels.index(sought.label)): np.array(sought.overlaps).reshape(
            len(sought.found), len(sought.wanted)
        )
        for number, (_, sought) in enumerate(rows)
        if sought.label in labels
    }
    most = max((len(sought.found) for _, sought in rows), default=0)
    with redirect_stdout(StringIO()):  # it reports its progress by print
        judge = COCOeval(_wanted(rows, labels), _found(rows, labels), "bbox")
        judge.computeIoU = lambda image, category: overlaps.get((image, category), [])
        judge.params.iouThrs = THRESHOLDS
        judge.params.areaRng = [[0, np.inf]]
        judge.params.maxDets = [max(most, 1)]
        judge.evaluate()
        judge.accumulate()
    precisions = judge.eval["precision"][:, :, :, 0, 0]
    return np.moveaxis(np.maximum(precisions, 0), 0, 1)


def _wanted(rows: Sequence[tuple[str, PhraseResult]], labels: Sequence[str]) -> Any:
    each = [(n, s.label, None) for n, (_, s) in enumerate(rows) for _ in s.wanted]
    return _collection(len(rows), labels, each)


def _found(rows: Sequence[tuple[str, PhraseResult]], labels: Sequence[str]) -> Any:
    each = [(n, s.label, place.score) for n, (_, s) in enumerate(rows) for place in s.found]
    return _collection(len(rows), labels, each)


def _collection(
    images: int, labels: Sequence[str], each: Sequence[tuple[int, str, float | None]]
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
            for number, (image, label, score) in enumerate(each, start=1)
            if label in labels
        ],
    }  # fmt: skip
    coco.createIndex()
    return coco
