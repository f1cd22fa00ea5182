"""``cases``: progress of a case list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, report_errors


def cases(
    source: Annotated[
        Path, typer.Argument(help="Folder, table (.csv) or case list (.cases.json).")
    ],
    as_json: AsJson = False,
) -> None:
    """Show the progress of a case list of the Cases dock.

    The cases of a folder or table that has not been opened yet are all new. Nothing is written,
    and the list may be open in napari.
    """
    from napari_medvlm.sessions.cases.case_store import list_of

    with report_errors():
        case_list = list_of(source, lambda fraction, message: None)
    summary: dict[str, Any] = {
        "title": case_list.title,
        "cases": len(case_list.cases),
        "status": {status.value: count for status, count in case_list.counts.items()},
        "missing": [case.name for case in case_list.cases if case.is_missing],
        "current": case_list.current,
        "seconds": round(sum(case.seconds for case in case_list.cases), 1),
        "results": case_list.folder,
    }
    print_result(summary, as_json, lambda: _lines(case_list.progress, summary))


def _lines(progress: str, summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {status}" for status, count in summary["status"].items())
    missing = [f"Missing: {name}" for name in summary["missing"]]
    return "\n".join([f"{progress} ({counts})", *missing])
