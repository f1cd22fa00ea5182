"""The report of a run of grounding: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.outcomes import Outcome, PhraseResult, scored_regions
from napari_medvlm.evaluation.plots.figure_files import write_svg
from napari_medvlm.evaluation.plots.group_means import (
    MAX_GROUPS,
    Group,
    draw_group_means,
    figure_size,
)
from napari_medvlm.evaluation.plots.reliability import draw_reliability
from napari_medvlm.evaluation.references.image_stack import read_stack
from napari_medvlm.evaluation.runs.report import WORST, boxed, open_command, write_page


@dataclass(frozen=True)
class ReportRow:
    """A phrase on an image in the report; a note where there is no picture."""

    case: str
    phrase: str
    iou: float
    wanted: int
    predicted: int
    command: str
    image: str = ""
    note: str = ""


def write_report(
    out: Path,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    scored: Sequence[tuple[Case, Outcome]],
) -> Path:
    """Write ``report.html``, and ``classes`` and ``scores`` as SVG and PDF; its path."""
    results = [(case, result) for case, outcome in scored for result in outcome.results]
    rows = [_bare_row(case.name, result) for case, result in results]
    wanted = sorted((pair for pair in results if pair[1].wanted), key=lambda pair: pair[1].iou)
    content = {
        "summary": summary,
        "settings": settings,
        "worst": [_report_row(*pair) for pair in wanted[:WORST]],
        "rows": rows,
        "most_groups": MAX_GROUPS,
        "drawings": _drawings(out, summary, [outcome for _, outcome in scored]),
    }
    return write_page(out, "ground/report.html.j2", content)


def _drawings(out: Path, summary: Mapping[str, Any], outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Write ``classes`` and ``scores`` as SVG and PDF; their SVG elements by name.

    A figure is missing if there is nothing to draw in it.
    """
    drawings = {}
    groups = [_group(name, means, outcomes) for name, means in summary["classes"].items()]
    if any(group.values for group in groups):
        draw = partial(draw_group_means, groups=groups, metric="IoU")
        drawings["classes"] = write_svg(out, "classes", draw, figure_size(groups))
    scored = [region for outcome in outcomes for region in scored_regions(outcome)]
    if scored:
        confidence, correct = zip(*scored, strict=True)
        draw = partial(draw_reliability, confidence=confidence, correct=correct, word="regions")
        drawings["scores"] = write_svg(out, "scores", draw)
    return drawings


def _group(label: str, means: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Group:
    """The IoU of each phrase of a class that is in the image."""
    results = [result for outcome in outcomes for result in outcome.results]
    ious = tuple(r.iou for r in results if r.wanted and r.label == label)
    ends = (means.get("intervals") or {}).get("miou")
    return Group(label, ious, None if ends is None else (ends[0], ends[1]))


def _bare_row(case: str, result: PhraseResult) -> ReportRow:
    """A row without a picture; the reason is the note."""
    counts = len(result.wanted), len(result.predicted)
    command = open_command(case, result.phrase)
    return ReportRow(case, result.phrase, result.iou, *counts, command, note=result.reason)


def _report_row(case: Case, result: PhraseResult) -> ReportRow:
    image = note = ""
    try:
        volume = read_stack(case.images)
        wanted, detected = (
            [(box.low, box.high) for box in boxes] for boxes in (result.wanted, result.predicted)
        )
        image = boxed(volume, wanted, detected)
    except MedVLMError as error:  # the image is gone meanwhile
        note = error.message
    return replace(_bare_row(case.name, result), image=image, note=note)
