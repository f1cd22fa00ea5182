"""The figures of a run of questions: a row for each, and means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from napari_medvlm.checks.reliability import reliability_summary
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.metrics.confidence_intervals import interval_by_case
from napari_medvlm.evaluation.metrics.means import grouped, known_mean
from napari_medvlm.evaluation.metrics.text import bleu
from napari_medvlm.evaluation.runs.cases import SkippedCase, skipped_rows
from napari_medvlm.evaluation.runs.reasons import count_reasons

Json = dict[str, Any]
ScoredItem = tuple[Item, Outcome]
MEANS = ("exact", "f1", "recall", "rouge1", "rouge_l", "iou")
IN_ROWS = (
    "text",
    "written",
    "choice",
    "refused",
    "correct",
    *MEANS,
    "error",
    "confidence",
    "reason",
    "seconds",
)


def rows(scored_items: Iterable[ScoredItem]) -> list[Json]:
    """A row for each question."""
    return [
        {
            "case": item.name,
            "type": item.type,
            "kind": str(item.kind),
            "pair": item.pair,
            "question": item.question,
            "answer": right_of(item),
            **{name: getattr(outcome, name) for name in IN_ROWS},
            "prompt": outcome.prompt,
            "settings": json.dumps(outcome.settings),
        }
        for item, outcome in scored_items
    ]


def summary(
    scored_items: Sequence[ScoredItem],
    skipped: Sequence[SkippedCase],
    plan: Plan,
    notes: Sequence[str] = (),
) -> Json:
    """The means of a run, see `means`, over all questions, of each kind and of each type.

    ``notes``: what of the data set was left out on purpose.
    ``reasons``: why the backend did not answer, with a ``count``, of ``asked`` questions.
    ``calibration``, where the backend reports a confidence: see `calibration.Reliability`.
    """
    kinds = grouped(scored_items, lambda pair: kind_name(pair[0]))
    types = grouped(scored_items, lambda pair: pair[0].type or "-")
    return {
        "task": "ask",
        "backend": plan.backend,
        "plan": plan.model_dump(mode="json"),
        "cases": len(scored_items),
        "skipped": skipped_rows(skipped),
        "kinds": {name: means(own) for name, own in kinds.items()},
        "types": {name: means(own) for name, own in types.items()},
        "mean": means(scored_items)
        | {"seconds": known_mean(outcome.seconds for _, outcome in scored_items)},
        "notes": list(notes),
        "reasons": count_reasons(outcome.reason for _, outcome in scored_items),
        "asked": len(scored_items),
        "calibration": _calibration(scored_items),
    }


def figures(outcome: Outcome) -> Json:
    """The figures of one question whose means `means` has under the same names.

    ``accuracy`` of questions with something to choose from; `None` of others.
    """
    return {
        "accuracy": float(bool(outcome.correct)) if _is_closed(outcome) else None,
        **{name: getattr(outcome, name) for name in MEANS},
        "mre": outcome.error,
        "refused": float(outcome.refused),
        "seconds": outcome.seconds,
    }


def _is_closed(outcome: Outcome) -> bool:
    """Whether the question has something to choose from."""
    return outcome.correct is not None and outcome.exact is None


def means(scored_items: Sequence[ScoredItem]) -> Json:
    """The figures of some questions.

    ``accuracy``, of questions with something to choose from, refusals counted as wrong;
    ``accuracy_answered``, without them; ``refused``, the share that was not answered; ``exact``,
    ``f1``, ``recall``, ``bleu``, ``rouge1``, ``rouge_l``, of questions that are answered in words;
    ``iou`` of places; ``mre``, the mean relative error of values, over ``parsed``, the share that
    has them;
    ``pairs``, ``set_accuracy``, the share of pairs with all questions right, and ``confusion``,
    the share of pairs with the same answer to all; ``intervals`` of some, by image (questions on
    one image are not independent), see `intervals.interval_by_case`.
    """
    closed = [(i, o) for i, o in scored_items if _is_closed(o)]
    free_text = [(i, o) for i, o in scored_items if o.exact is not None]
    return {
        "questions": len(scored_items),
        "refused": known_mean(float(o.refused) for _, o in scored_items),
        "closed": len(closed),
        "accuracy": known_mean(float(bool(o.correct)) for _, o in closed),
        "accuracy_answered": known_mean(float(bool(o.correct)) for _, o in closed if not o.refused),
        **{name: known_mean(getattr(o, name) for _, o in scored_items) for name in MEANS},
        "bleu": bleu([o.text for _, o in free_text], [i.answer for i, _ in free_text]),
        "mre": known_mean(o.error for _, o in scored_items),
        "parsed": known_mean(o.parsed for _, o in scored_items),
        **_pairs(scored_items),
        "intervals": {
            "accuracy": _interval((i, float(bool(o.correct))) for i, o in closed),
            **{
                name: _interval((i, getattr(o, name)) for i, o in scored_items)
                for name in ("f1", "iou")
            },
        },
    }


def _interval(values: Iterable[tuple[Item, float | None]]) -> list[float] | None:
    return interval_by_case((str(i.images[0]) if i.images else i.name, "", v) for i, v in values)


def right_of(item: Item) -> str:
    """What would be right, for people."""
    return ", ".join(f"{value:g}" for value in item.values) or item.answer


def kind_name(item: Item) -> str:
    """The kind of a question, for people."""
    if item.values:
        return "values"
    several = item.options and item.kind is AnswerKind.OPEN
    return "several options" if several else str(item.kind)


def _pairs(scored_items: Sequence[ScoredItem]) -> Json:
    by_pair: dict[str, list[Outcome]] = {}
    for item, outcome in scored_items:
        if item.pair:
            by_pair.setdefault(item.pair, []).append(outcome)
    complete = [group for group in by_pair.values() if len(group) > 1]
    return {
        "pairs": len(complete),
        "set_accuracy": known_mean(float(all(o.correct for o in group)) for group in complete),
        "confusion": known_mean(float(_same(group)) for group in complete),
    }


def _same(group: Sequence[Outcome]) -> bool:
    return len({o.choice for o in group}) == 1 and bool(group[0].choice)


def _calibration(scored_items: Sequence[ScoredItem]) -> Json | None:
    known = stated_confidence(scored_items)
    return asdict(reliability_summary(*known)) if known[0] else None


def stated_confidence(scored_items: Sequence[ScoredItem]) -> tuple[list[float], list[bool]]:
    """How sure the backend was of each choice, and whether it was right."""
    known = [
        (o.confidence, o.correct)
        for _, o in scored_items
        if o.confidence is not None and o.correct is not None
    ]
    return [confidence for confidence, _ in known], [correct for _, correct in known]
