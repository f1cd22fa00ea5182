"""The report of a run of questions: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.summary import (
    ScoredItem,
    figures,
    kind_name,
    right_of,
    stated_confidence,
)
from napari_medvlm.evaluation.plots.figure_files import write_svg
from napari_medvlm.evaluation.plots.group_means import Group, draw_group_means, figure_size
from napari_medvlm.evaluation.plots.reliability import draw_reliability
from napari_medvlm.evaluation.runs.report import WORST, boxed, open_command, write_page

LENGTH = 400
"""Characters of an answer that are shown."""


@dataclass(frozen=True)
class ReportRow:
    """A question in the report; a note where there is no picture."""

    case: str
    question: str
    right: str
    answer: str
    refused: bool
    iou: float | None
    command: str
    kind: str = ""
    verdict: str = ""
    score: float | None = None
    image: str = ""
    note: str = ""


def write_report(
    out: Path,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    scored_items: Sequence[ScoredItem],
) -> Path:
    """Write ``report.html``, and ``kinds`` and ``confidence`` as SVG and PDF; its path."""
    worst = sorted(scored_items, key=lambda pair: goodness(pair[1]))[:WORST]
    content = {
        "summary": summary,
        "settings": settings,
        "worst": [_with_image(*pair) for pair in worst],
        "rows": [_report_row(*pair) for pair in scored_items],
        "drawings": _drawings(out, summary, scored_items),
    }
    return write_page(out, "ask/report.html.j2", content)


def goodness(outcome: Outcome) -> float:
    """From 0, as bad as can be, to 2: the answer, and its place where there is one."""
    answer = float(bool(outcome.correct)) if outcome.f1 is None else outcome.f1
    if outcome.parsed is not None:
        answer = 0.0 if outcome.error is None else 1 / (1 + outcome.error)
    return answer + (1.0 if outcome.iou is None else outcome.iou)


def _with_image(item: Item, outcome: Outcome) -> ReportRow:
    from napari_medvlm.evaluation.ask.measure import read

    image = note = ""
    try:
        image = boxed(read(item.images[0]), outcome.wanted, outcome.boxes)
    except MedVLMError as error:  # the image is gone meanwhile
        note = error.message
    return replace(_report_row(item, outcome), image=image, note=note)


def _report_row(item: Item, outcome: Outcome) -> ReportRow:
    """A row without a picture; the reason for no answer is the note."""
    answer = outcome.text if len(outcome.text) <= LENGTH else outcome.text[:LENGTH] + " ..."
    return ReportRow(
        case=item.name, question=item.prompt_text, right=right_of(item), answer=answer,
        refused=outcome.refused, iou=outcome.iou, command=open_command(item.name, ""),
        kind=kind_name(item), verdict=_verdict(outcome), score=_score(outcome),
        note=outcome.reason,
    )  # fmt: skip


def _verdict(outcome: Outcome) -> str:
    """Whether the answer is right, in a word."""
    if outcome.refused:
        return "refused"
    if outcome.exact is not None:
        return "same text" if outcome.exact else "other text"
    if outcome.parsed is not None:
        return "values" if outcome.parsed else "no values"
    return "right" if outcome.correct else "wrong"


def _score(outcome: Outcome) -> float | None:
    """F1 of an answer in words, relative error of values; `None` of others."""
    return outcome.error if outcome.parsed is not None else outcome.f1


def _drawings(
    out: Path, summary: Mapping[str, Any], scored: Sequence[ScoredItem]
) -> dict[str, str]:
    """Write ``kinds`` and ``confidence`` as SVG and PDF; their SVG elements by name.

    A figure is missing if there is nothing to draw in it.
    """
    drawings = {}
    groups = [_group(name, means, scored) for name, means in summary["kinds"].items()]
    if any(group.values for group in groups):
        draw = partial(draw_group_means, groups=groups, metric="accuracy; F1 of open answers")
        drawings["kinds"] = write_svg(out, "kinds", draw, figure_size(groups))
    confidence, correct = stated_confidence(scored)
    if confidence:
        draw = partial(draw_reliability, confidence=confidence, correct=correct)
        drawings["confidence"] = write_svg(out, "confidence", draw)
    return drawings


def _group(kind: str, means: Mapping[str, Any], scored: Sequence[ScoredItem]) -> Group:
    """Whether each answer of a kind is right, or its F1 if it is in words."""
    own = [figures(outcome) for item, outcome in scored if kind_name(item) == kind]
    metric = "f1" if means["accuracy"] is None else "accuracy"
    values = tuple(row[metric] for row in own if row[metric] is not None)
    ends = (means.get("intervals") or {}).get(metric)
    return Group(kind, values, None if ends is None else (ends[0], ends[1]))
