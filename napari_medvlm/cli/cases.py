"""``cases``: how far the work on a list of cases is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, report_errors


def cases(
    source: Annotated[
        Path, typer.Argument(help="A folder, a table (.csv) or a list (.cases.json).")
    ],
    as_json: AsJson = False,
) -> None:
    """Tell how far the work on a list of cases is, as the Cases dock keeps it.

    A folder or a table that was never opened is read, and all of its cases are new. Nothing is
    written, and the list may be open in a window.
    """
    from napari_medvlm.sessions.cases.case_store import list_of

    with report_errors():
        found = list_of(source, lambda fraction, message: None)
    summary: dict[str, Any] = {
        "title": found.title,
        "cases": len(found.cases),
        "status": {status.value: count for status, count in found.counts.items()},
        "missing": [case.name for case in found.cases if case.is_missing],
        "current": found.current,
        "seconds": round(sum(case.seconds for case in found.cases), 1),
        "results": found.folder,
    }
    print_result(summary, as_json, lambda: _lines(found.progress, summary))


def _lines(progress: str, summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in summary["status"].items())
    missing = [f"Missing: {name}" for name in summary["missing"]]
    return "\n".join([f"{progress} ({counts})", *missing])
