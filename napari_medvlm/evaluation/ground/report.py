"""The report of a run of grounding: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.evaluation.ground.cases import Case
from napari_medvlm.evaluation.ground.outcomes import Outcome, PhraseResult
from napari_medvlm.evaluation.references.image_stack import read_stack
from napari_medvlm.evaluation.runs.report import WORST, boxed, open_command, write_page


@dataclass(frozen=True)
class ReportRow:
    """A phrase on an image in the report; a note where there is no picture."""

    case: str
    phrase: str
    iou: float
    wanted: int
    found: int
    command: str
    image: str = ""
    note: str = ""


def write_report(
    out: Path,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    scored: Sequence[tuple[Case, Outcome]],
) -> Path:
    """Write ``report.html``; its path."""
    results = [(case, result) for case, outcome in scored for result in outcome.results]
    rows = [_bare_row(case.name, result) for case, result in results]
    wanted = sorted((pair for pair in results if pair[1].wanted), key=lambda pair: pair[1].iou)
    worst = [_report_row(*pair) for pair in wanted[:WORST]]
    content = {"summary": summary, "settings": settings, "worst": worst, "rows": rows}
    return write_page(out, "ground/report.html.j2", content)


def _bare_row(case: str, result: PhraseResult) -> ReportRow:
    """A row without a picture; the reason is the note."""
    counts = len(result.wanted), len(result.found)
    command = open_command(case, result.phrase)
    return ReportRow(case, result.phrase, result.iou, *counts, command, note=result.reason)


def _report_row(case: Case, result: PhraseResult) -> ReportRow:
    image = note = ""
    try:
        volume = read_stack(case.images)
        wanted, detected = (
            [(box.low, box.high) for box in boxes] for boxes in (result.wanted, result.found)
        )
        image = boxed(volume, wanted, detected)
    except MedVLMError as error:  # the image is gone meanwhile
        note = error.message
    return replace(_bare_row(case.name, result), image=image, note=note)
