"""The figures of a run of grounding: a row for each phrase, and means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_medvlm.evaluation.ground.class_precision import Precision, precision_by_class
from napari_medvlm.evaluation.ground.outcomes import Outcome, PhraseResult
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.evaluation.metrics.confidence_intervals import interval_by_case
from napari_medvlm.evaluation.runs.runner import SkippedCase

Json = dict[str, Any]
HITS = (0.3, 0.5, 0.7)
"""Where accuracy is told."""
SURE = {"miou": "iou", "acc50": "acc50", "pointing": "pointing"}
"""What is told with an interval, and of which figure it is the mean."""


def rows(outcomes: Iterable[Outcome]) -> list[Json]:
    """A row for each phrase of each case."""
    return [
        {
            "case": outcome.case,
            "phrase": sought.phrase,
            "class": sought.label,
            "wanted": len(sought.wanted),
            "found": len(sought.found),
            **figures(sought),
            "score": sought.found[0].score if sought.found else None,
            "seconds": outcome.seconds,
        }
        for outcome in outcomes
        for sought in outcome.sought
    ]


def figures(sought: PhraseResult) -> Json:
    """The figures of one phrase on one image; `None` where nothing is wanted."""
    if not sought.wanted:
        names = ("iou", *(f"acc{hit * 100:.0f}" for hit in HITS), "pointing")
        return dict.fromkeys(names)
    return {
        "iou": sought.iou,
        **{f"acc{hit * 100:.0f}": float(sought.iou >= hit) for hit in HITS},
        "pointing": float(bool(sought.pointed)),
    }


def summary(outcomes: Sequence[Outcome], unused: Sequence[SkippedCase], plan: Plan) -> Json:
    """The means of a run.

    For each phrase and each class over the images that have it, and over all (image, phrase)
    pairs: ``miou``; ``acc30``, ``acc50`` and ``acc70``, the share with an IoU of at least that;
    ``pointing``, the share where the place that is pointed to lies in a wanted region; ``false``,
    how many regions were found for phrases that are nowhere in the image. For each class ``ap50``
    and ``ap``, see `precision`; in ``mean`` their mean over classes. ``intervals`` of some, by
    image, see `intervals.interval_by_case`.
    """
    sought = [one for outcome in outcomes for one in outcome.sought]
    precisions, note = precision_by_class(outcomes)
    classes = {
        label: means(own) | _precision(precisions.get(label)) | _intervals(outcomes, label)
        for label, own in _by(sought, "label").items()
    }
    return {
        "task": "ground",
        "backend": plan.backend,
        "plan": plan.model_dump(mode="json"),
        "cases": len(outcomes),
        "skipped": [{"case": one.case, "reason": one.reason} for one in unused],
        "phrases": {phrase: means(own) for phrase, own in _by(sought, "phrase").items()},
        "classes": classes,
        "mean": means(sought)
        | {name: _mean(f[name] for f in classes.values()) for name in ("ap50", "ap")}
        | {"seconds": _mean(outcome.seconds for outcome in outcomes)}
        | _intervals(outcomes),
        "note": note,
    }


def means(sought: Sequence[PhraseResult]) -> Json:
    """The means over phrases on images."""
    each = [figures(one) for one in sought if one.wanted]
    result: Json = {"miou": _mean(one["iou"] for one in each)}
    for name in (*(f"acc{hit * 100:.0f}" for hit in HITS), "pointing"):
        result[name] = _mean(one[name] for one in each)
    result["pairs"] = len(each)
    result["false"] = sum(len(one.found) for one in sought if not one.wanted)
    return result


def _intervals(outcomes: Sequence[Outcome], label: str | None = None) -> Json:
    """Of one class, or of all phrases."""
    known = [
        (outcome.case, figures(one))
        for outcome in outcomes
        for one in outcome.sought
        if label in (None, one.label)
    ]
    return {
        "intervals": {
            name: interval_by_case((case, "", own[figure]) for case, own in known)
            for name, figure in SURE.items()
        }
    }


def _precision(found: Precision | None) -> Json:
    if found is None:
        return {"ap50": None, "ap": None}
    return {"ap50": found.at_half, "ap": found.mean}


def _by(sought: Iterable[PhraseResult], key: str) -> Mapping[str, list[PhraseResult]]:
    found: dict[str, list[PhraseResult]] = {}
    for one in sought:
        found.setdefault(getattr(one, key), []).append(one)
    return dict(sorted(found.items()))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
