"""The average precision of scored regions, as COCO defines it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray


def average_precision(
    scores: Sequence[float | None], overlaps: FloatArray, hit: float
) -> tuple[float | None, str]:
    """The average precision of regions in order of score, by pycocotools.

    Parameters
    ----------
    scores
        Of the found regions, highest first.
    overlaps
        ``(found, wanted)``: intersection over union, 0 to 1; 0 for those that must not be paired.
    hit
        The overlap from which a found region may take a wanted one.

    Returns
    -------
    precision, note
        0 to 1 and nothing; or `None` and one sentence that says why there is none.
    """
    unscored = sum(score is None for score in scores)
    if unscored:
        return None, f"No average precision: {unscored} of {len(scores)} regions have no score."
    from pycocotools.cocoeval import COCOeval

    with redirect_stdout(StringIO()):  # it reports its progress by print
        evaluator = COCOeval(_collection([None] * overlaps.shape[1]), _collection(scores), "bbox")
        evaluator.computeIoU = lambda image, category: overlaps
        evaluator.params.iouThrs = np.array([hit])
        evaluator.params.areaRng = [[0, np.inf]]
        evaluator.params.maxDets = [max(len(scores), 1)]
        evaluator.evaluate()
        evaluator.accumulate()
    return float(evaluator.eval["precision"].mean()), ""


def _collection(scores: Sequence[float | None]) -> Any:
    """Regions as pycocotools holds them: all on one image and of one kind."""
    from pycocotools.coco import COCO

    same = {"image_id": 1, "category_id": 1, "area": 1, "iscrowd": 0}
    coco = COCO()
    coco.dataset = {
        "images": [{"id": 1}],
        "categories": [{"id": 1}],
        "annotations": [same | {"id": i, "score": s} for i, s in enumerate(scores, start=1)],
    }
    coco.createIndex()
    return coco
