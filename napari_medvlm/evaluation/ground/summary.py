"""The figures of a run of grounding: a row for each phrase, and means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from napari_medvlm.evaluation.ground.class_precision import Precision, precision_by_class
from napari_medvlm.evaluation.ground.outcomes import Outcome, PhraseResult
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.evaluation.metrics.confidence_intervals import interval_by_case
from napari_medvlm.evaluation.metrics.means import grouped, known_mean
from napari_medvlm.evaluation.runs.cases import SkippedCase, skipped_rows
from napari_medvlm.evaluation.runs.reasons import count_reasons

Json = dict[str, Any]
MASKS = ("dice", "nsd", "hd95_mm")
"""Metrics of phrases whose masks are compared."""
HITS = (0.3, 0.5, 0.7)
"""IoU from which a region counts as a hit."""
SURE = {
    "miou": "iou",
    "acc50": "acc50",
    "pointing": "pointing",
    "dice": "dice",
    "nsd": "nsd",
    "hd95_mm": "hd95_mm",
}
"""Means with an interval, and the figure that each is the mean of."""


def rows(outcomes: Iterable[Outcome]) -> list[Json]:
    """A row for each phrase of each case."""
    return [
        {
            "case": outcome.case,
            "phrase": result.phrase,
            "class": result.label,
            "wanted": len(result.wanted),
            "found": len(result.predicted),
            "compared": result.compared,
            "reason": result.reason,
            **figures(result),
            "score": result.predicted[0].score if result.predicted else None,
            "seconds": outcome.seconds,
        }
        for outcome in outcomes
        for result in outcome.results
    ]


def figures(result: PhraseResult) -> Json:
    """The figures of one phrase on one image; `None` where nothing is wanted."""
    if not result.wanted:
        names = ("iou", *(f"acc{hit * 100:.0f}" for hit in HITS), "pointing", *MASKS)
        return dict.fromkeys(names)
    return {
        "iou": result.iou,
        **{f"acc{hit * 100:.0f}": float(result.iou >= hit) for hit in HITS},
        "pointing": float(bool(result.pointed)),
        **{name: getattr(result, name) for name in MASKS},
    }


def summary(outcomes: Sequence[Outcome], skipped: Sequence[SkippedCase], plan: Plan) -> Json:
    """The means of a run.

    For each phrase and each class over the images that have it, and over all (image, phrase)
    pairs: ``miou``; ``acc30``, ``acc50`` and ``acc70``, the share with an IoU of at least that;
    ``pointing``, the share where the place that is pointed to lies in a wanted region; ``false``,
    how many regions were found for phrases that are nowhere in the image. For each class ``ap50``
    and ``ap``, see `precision`; in ``mean`` their mean over classes. ``intervals`` of some, by
    image, see `intervals.interval_by_case`.

    ``dice``, ``nsd`` and ``hd95_mm`` are means over the phrases whose masks are compared,
    ``hd95_mm`` over those that were found.

    ``comparisons``: the means over the phrases whose ``mask`` or whose ``box`` is compared, as
    overlaps of voxels and of extents are different measures; a phrase that was not found counts
    as what is wanted is. ``reasons``: why nothing was found for phrases that are in the image, with
    a ``count``, of ``asked`` such phrases.
    """
    results = [result for outcome in outcomes for result in outcome.results]
    precisions, note = precision_by_class(outcomes)
    classes = {
        label: means(own) | _precision(precisions.get(label)) | _intervals(outcomes, label)
        for label, own in grouped(results, attrgetter("label")).items()
    }
    return {
        "task": "ground",
        "backend": plan.backend,
        "plan": plan.model_dump(mode="json"),
        "cases": len(outcomes),
        "skipped": skipped_rows(skipped),
        "phrases": _means_by("phrase", results),
        "classes": classes,
        "comparisons": _means_by("compared", [result for result in results if result.compared]),
        "reasons": count_reasons(result.reason for result in results if result.wanted),
        "asked": sum(bool(result.wanted) for result in results),
        "mean": means(results)
        | {name: known_mean(f[name] for f in classes.values()) for name in ("ap50", "ap")}
        | {"seconds": known_mean(outcome.seconds for outcome in outcomes)}
        | _intervals(outcomes),
        "note": note,
    }


def means(results: Sequence[PhraseResult]) -> Json:
    """The means over phrases on images."""
    pairs = [figures(result) for result in results if result.wanted]
    summary_row: Json = {"miou": known_mean(pair["iou"] for pair in pairs)}
    for name in (*(f"acc{hit * 100:.0f}" for hit in HITS), "pointing", *MASKS):
        summary_row[name] = known_mean(pair[name] for pair in pairs)
    summary_row["pairs"] = len(pairs)
    summary_row["false"] = sum(len(result.predicted) for result in results if not result.wanted)
    return summary_row


def _means_by(attribute: str, results: Sequence[PhraseResult]) -> Json:
    return {key: means(own) for key, own in grouped(results, attrgetter(attribute)).items()}


def _intervals(outcomes: Sequence[Outcome], label: str | None = None) -> Json:
    """Of one class, or of all phrases."""
    known = [
        (outcome.case, figures(result))
        for outcome in outcomes
        for result in outcome.results
        if label in (None, result.label)
    ]
    return {
        "intervals": {
            name: interval_by_case((case, "", own[figure]) for case, own in known)
            for name, figure in SURE.items()
        }
    }


def _precision(precision: Precision | None) -> Json:
    if precision is None:
        return {"ap50": None, "ap": None}
    return {"ap50": precision.at_half, "ap": precision.mean}
