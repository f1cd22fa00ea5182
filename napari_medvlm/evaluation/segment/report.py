"""The report of a run: one page that needs nothing else."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import BackendUnavailable, MedVLMError
from napari_medvlm.evaluation.runs.report import FILTERS, open_command
from napari_medvlm.evaluation.runs.run_folder import session_path, write_text
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome

WORST = 6
"""How many cases are shown as pictures."""


@dataclass(frozen=True)
class ReportRow:
    """A structure of a case in the report: its figures, how to open it, and a picture if worst."""

    case: str
    attempt: Attempt
    command: str
    session: str
    image: str = ""
    note: str = ""


def require_libraries() -> None:
    """Raise `BackendUnavailable` unless all that an evaluation needs is installed."""
    from importlib.util import find_spec

    missing = [n for n in ("jinja2", "matplotlib", "surface_distance") if find_spec(n) is None]
    if missing:
        raise BackendUnavailable(
            f"An evaluation needs {', '.join(missing)}, which is not installed.",
            f'Install it with: {sys.executable} -m pip install "napari-medvlm[evaluate]"',
        )


def write_report(
    out: Path,
    summary: Mapping[str, Any],
    settings: Mapping[str, Any],
    cases: Sequence[Case],
    outcomes: Sequence[Outcome],
) -> Path:
    """Write ``report.html``; its path."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= FILTERS
    template = resources.files("napari_medvlm.evaluation.segment") / "report.html.j2"
    rows = [_report_row(out, outcome.case, a) for outcome in outcomes for a in outcome.attempts]
    rows.sort(key=lambda row: row.attempt.steps[-1].dice)
    by_name = {case.name: case for case in cases}
    worst = [_with_image(row, by_name[row.case]) for row in rows[:WORST]]
    text = environment.from_string(template.read_text("utf-8")).render(
        summary=summary,
        settings=settings,
        curves=_curves(summary["structures"]) if rows else "",
        worst=worst,
        rows=rows,
        created=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
    )
    path = out / "report.html"
    write_text(path, text)
    return path


def _report_row(out: Path, case: str, attempt: Attempt) -> ReportRow:
    session = session_path(out, case, attempt.structure)
    command = open_command(out, case, attempt.structure)
    return ReportRow(case, attempt, command, session.relative_to(out).as_posix())


def _with_image(row: ReportRow, case: Case) -> ReportRow:
    """With the last mask over the image; a case that is gone meanwhile is told."""
    import numpy as np

    from napari_medvlm.evaluation.runs.report_images import planes

    try:
        loaded = load(case)
    except MedVLMError as error:
        return ReportRow(row.case, row.attempt, row.command, row.session, note=error.message)
    structure = next(s for s in loaded.structures if s.name == row.attempt.structure)
    last = row.attempt.mask
    empty = np.zeros(loaded.volume.shape, bool)
    mask = empty if last is None else last.mask(loaded.volume.grid).full()
    image = planes(loaded.volume, loaded.truth(structure), mask)
    return ReportRow(row.case, row.attempt, row.command, row.session, image)


def _curves(structures: Mapping[str, Any]) -> str:
    """Dice and NSD against interactions as SVG, a line for each structure."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with rc_context({"svg.hashsalt": "napari-medvlm", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        for axes, key, title in zip(
            figure.subplots(1, 2, sharey=True), ("dice", "nsd"), ("Dice", "NSD (surface Dice)"),
            strict=True,
        ):  # fmt: skip
            for name, curves in structures.items():
                axes.plot(range(1, len(curves[key]) + 1), curves[key], marker="o", ms=4, label=name)
            axes.set(xlabel="interactions", title=title, ylim=(0, 1.02))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=8)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
