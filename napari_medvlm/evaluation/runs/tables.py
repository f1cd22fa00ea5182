"""The tables of a run: a row for each result, and means as CSV and LaTeX for a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_medvlm.data.atomic_write import write_atomically
from napari_medvlm.data.measurements.csv_file import cell
from napari_medvlm.evaluation.runs.run_folder import write_json, write_text

Json = dict[str, Any]
GROUPS = {"segment": "structures", "ground": "classes", "ask": "kinds"}
"""Which groups of a summary have a row, by the kind of run."""
COUNTS = {"segment": "cases", "ground": "pairs", "ask": "questions"}
COLUMNS = {
    "segment": {"dice": "Dice", "nsd": "NSD", "hd95_mm": "HD95 (mm)", "noc90": "NoC@90"},
    "ground": {
        "miou": "mIoU", "acc50": "Acc@0.5", "pointing": "Pointing", "ap50": "AP50",
        "dice": "Dice", "nsd": "NSD", "hd95_mm": "HD95 (mm)",
    },
    "ask": {
        "accuracy": "Accuracy", "f1": "F1", "recall": "Recall", "rouge_l": "ROUGE-L",
        "bleu": "BLEU", "iou": "IoU", "mre": "Relative error", "refused": "Refused",
    },
}  # fmt: skip
"""The metrics of these tables and their names in print, by the kind of run."""
_ESCAPES = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def write_table(out: Path, table: Sequence[Json]) -> None:
    """Write ``results.csv``, and ``results.parquet`` where pyarrow is installed."""
    write_csv(out / "results.csv", list(table[0]) if table else [], table)
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        return
    rows = pyarrow.Table.from_pylist(list(table))
    path = out / "results.parquet"
    write_atomically(path, lambda temporary: parquet.write_table(rows, temporary))


def write_summary(out: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``, ``summary.csv`` and ``summary.tex``.

    The last two have a row for each structure, class or kind of question, and one for the mean,
    after the last interaction. ``summary.csv`` has the ends of the 95 % intervals as ``NAME_low``
    and ``NAME_high``; ``summary.tex`` is a ``tabular`` for the LaTeX package booktabs.
    """
    write_json(out / "summary.json", summary)
    rows = list(_rows(summary))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_csv(out / "summary.csv", columns, rows)
    write_text(out / "summary.tex", latex(summary))


def latex(summary: Mapping[str, Any]) -> str:
    """The means of a run as a LaTeX ``tabular``, each with its 95 % interval in brackets."""
    names, rows = COLUMNS[summary["task"]], list(_rows(summary))
    shown = [name for name in names if any(row[name] is not None for row in rows)]
    head = ["", "n", *(escaped(names[name]) for name in shown)]
    body = [
        [escaped(row["group"]), str(row["n"]), *(_with_interval(row, name) for name in shown)]
        for row in rows
    ]
    *groups, mean = [" & ".join(line) + r" \\" for line in body]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * (len(shown) + 1)}}}",
        r"\toprule", " & ".join(head) + r" \\",
        r"\midrule", *groups, r"\midrule", mean,
        r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _rows(summary: Mapping[str, Any]) -> Iterator[Json]:
    task = summary["task"]
    strata = {
        f"{column}: {name}": means
        for column, groups in summary.get("strata", {}).items()
        for name, means in groups.items()
    }
    groups = summary[GROUPS[task]] | strata
    for name, means in (*groups.items(), ("mean", summary["mean"])):
        row: Json = {"group": name, "n": means.get(COUNTS[task], 0)}
        intervals = means.get("intervals") or {}
        for metric in COLUMNS[task]:
            value = means.get(metric)
            row[metric] = value[-1] if isinstance(value, list) else value
            if metric in intervals:
                row[f"{metric}_low"], row[f"{metric}_high"] = intervals[metric] or (None, None)
        yield row


def _with_interval(row: Json, name: str) -> str:
    if row[name] is None:
        return "--"
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return f"{row[name]:.3f}" if low is None else f"{row[name]:.3f} [{low:.3f}, {high:.3f}]"


def escaped(text: str) -> str:
    """A text for LaTeX."""
    return "".join(_ESCAPES.get(character, character) for character in text)


def write_csv(path: Path, columns: Sequence[str], table: Sequence[Json]) -> None:
    """Write a table as CSV, with a header; cells that a spreadsheet would run are quoted."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: cell(value) for key, value in row.items()} for row in table)
    write_text(path, text.getvalue())
