"""The report of a run: one page that needs nothing else, and the curves as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.evaluation.plots.curves import PANELS, Curve, curve_of, draw_curves
from napari_medvlm.evaluation.plots.figure_files import svg, write_figure, write_svg
from napari_medvlm.evaluation.plots.group_means import Group, draw_group_means, figure_size
from napari_medvlm.evaluation.runs.report import open_command, write_page
from napari_medvlm.evaluation.runs.run_folder import session_path
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome
from napari_medvlm.evaluation.segment.plan import stated_settings

WORST = 6
"""How many cases are shown as pictures."""


@dataclass(frozen=True)
class ReportRow:
    """A structure of a case in the report: its figures, how to open it, and a picture if worst.

    ``command`` and ``session`` are empty in runs of masks, which have no prompts.
    """

    case: str
    attempt: Attempt
    command: str
    session: str
    image: str = ""
    note: str = ""

    @property
    def failed(self) -> int:
        """Number of interactions without a mask."""
        return sum(bool(step.problem) for step in self.attempt.steps)

    @property
    def problem(self) -> str:
        """Why the last interaction without a mask gave none; empty if all gave one."""
        return next((s.problem for s in reversed(self.attempt.steps) if s.problem), "")


def write_report(
    out: Path,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    scored: Sequence[tuple[Case, Outcome]],
) -> Path:
    """Write ``report.html``, and its curves as ``curves.svg`` and ``curves.pdf``; its path.

    Runs of masks have ``dice.svg`` and ``dice.pdf``, the Dice by structure, instead.
    """
    rows = [_report_row(out, case.name, a) for case, outcome in scored for a in outcome.attempts]
    rows.sort(key=lambda row: row.attempt.steps[-1].dice)
    by_name = {case.name: case for case, _ in scored}
    content = {
        "summary": summary,
        "settings": {**settings, "plan": stated_settings(settings.get("plan") or {})},
        "worst": [_with_image(row, by_name[row.case]) for row in rows[:WORST]],
        "rows": rows,
    }
    if rows and rows[0].attempt.has_prompts:
        draw = partial(draw_curves, panels=_panels([outcome for _, outcome in scored]))
        content["curves"] = svg(draw)
        write_figure(out, "curves", draw)
    elif rows:
        groups = [_group(name, f, rows) for name, f in summary["structures"].items()]
        draw = partial(draw_group_means, groups=groups, metric="Dice")
        content["dice"] = write_svg(out, "dice", draw, figure_size(groups))
    return write_page(out, "segment/report.html.j2", content)


def _group(name: str, means: Mapping[str, Any], rows: Sequence[ReportRow]) -> Group:
    """The Dice of a structure in each case."""
    ends = means["intervals"]["dice"]
    dice = tuple(row.attempt.dice[-1] for row in rows if row.attempt.structure == name)
    return Group(name, dice, None if ends is None else (ends[0], ends[1]))


def _report_row(out: Path, case: str, attempt: Attempt) -> ReportRow:
    session = session_path(out, case, attempt.structure)
    if not session.is_file():
        return ReportRow(case, attempt, "", "")
    command = open_command(case, attempt.structure)
    return ReportRow(case, attempt, command, session.relative_to(out).as_posix())


def _with_image(row: ReportRow, case: Case) -> ReportRow:
    """With the last mask over the image, or a note where the case cannot be read any more."""
    import numpy as np

    from napari_medvlm.evaluation.runs.report_images import planes

    try:
        loaded = load(case)
    except MedVLMError as error:
        return replace(row, note=error.message)
    structure = next(s for s in loaded.structures if s.name == row.attempt.structure)
    last = row.attempt.mask
    empty = np.zeros(loaded.volume.shape, bool)
    mask = empty if last is None else last.mask(loaded.volume.grid).full()
    return replace(row, image=planes(loaded.volume, loaded.truth(structure), mask))


def _panels(outcomes: Sequence[Outcome]) -> dict[str, list[Curve]]:
    """For each metric a curve of each structure."""
    attempts: dict[str, list[tuple[str, Attempt]]] = {}
    for outcome in outcomes:
        for attempt in outcome.attempts:
            attempts.setdefault(attempt.structure, []).append((outcome.case, attempt))
    return {
        metric: [
            curve_of(name, [(case, name, [getattr(s, metric) for s in a.steps]) for case, a in own])
            for name, own in attempts.items()
        ]
        for metric in PANELS
    }
