"""The report of a run of grounding: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    picture: str = ""
    note: str = ""


def write_report(
    out: Path,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
) -> Path:
    """Write ``report.html``; its path."""
    by_name = {case.name: case for case in cases}
    there = [(o.case, sought) for o in outcomes for sought in o.sought if sought.wanted]
    there.sort(key=lambda one: one[1].iou)
    worst = [_shown(out, by_name[name], sought) for name, sought in there[:WORST]]
    content = {"summary": summary, "settings": settings, "worst": worst}
    return write_page(out, "ground/report.html.j2", content)


def _shown(out: Path, case: Case, sought: PhraseResult) -> ReportRow:
    picture = note = ""
    try:
        volume = read_stack(case.images)
        wanted, found = (
            [(place.low, place.high) for place in places]
            for places in (sought.wanted, sought.found)
        )
        picture = boxed(volume, wanted, found)
    except MedVLMError as error:  # the image is gone meanwhile
        note = error.message
    counts = len(sought.wanted), len(sought.found)
    command = open_command(out, case.name, sought.phrase)
    return ReportRow(case.name, sought.phrase, sought.iou, *counts, command, picture, note)
