"""The files of a comparison of two runs: a page, a figure, and tables for a paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.evaluation.plots.curves import COLORS, PANELS, Curve, curve_of, draw_curves
from napari_medvlm.evaluation.plots.figure_files import svg, write_figure
from napari_medvlm.evaluation.runs.report import figure, require_libraries, signed, write_page
from napari_medvlm.evaluation.runs.run_folder import write_json, write_text
from napari_medvlm.evaluation.runs.tables import escaped, write_csv
from napari_medvlm.evaluation.segment.plan import stated_settings
from napari_medvlm.evaluation.studies.measured_run import MeasuredRun, last_of

Json = dict[str, Any]
NAMES = {
    "dice": "Dice", "iou": "IoU", "nsd": "NSD", "hd95_mm": "HD95 (mm)", "noc80": "NoC@80",
    "noc85": "NoC@85", "noc90": "NoC@90", "dsc_auc": "DSC AUC", "nsd_auc": "NSD AUC",
    "seconds": "Time (s)", "acc30": "Acc@0.3", "acc50": "Acc@0.5", "acc70": "Acc@0.7",
    "pointing": "Pointing", "accuracy": "Accuracy", "exact": "Exact match", "f1": "F1",
    "recall": "Recall", "rouge1": "ROUGE-1", "rouge_l": "ROUGE-L", "mre": "Relative error",
    "refused": "Refused",
}  # fmt: skip
"""Names of metrics in print."""
MAIN = {"segment": ("dice", "nsd", "hd95_mm"), "ground": ("iou",), "ask": ("accuracy", "f1", "iou")}
"""Metrics of the tables by group, and of the list of pairs."""
ALL = "all"


def write_comparison(out: Path, comparison: Mapping[str, Any], a: Path, b: Path) -> Path:
    """Write ``compare.html``, ``compare.json``, ``differences.csv`` and ``.tex``, and the figure.

    The figure, ``curves.svg`` and ``.pdf``, has the curves of both runs; of grounding, answers and
    masks of another program it is ``pairs.svg`` and ``.pdf``, the values of one run against those
    of the other.

    Parameters
    ----------
    out
        Folder; made if it does not exist.
    comparison
        Result of `compare.compare` of the runs ``a`` and ``b``.

    Returns
    -------
    Path of the page.

    Raises
    ------
    BackendUnavailable
        If a library is missing.
    CannotSave
        If the folder cannot be written to.
    """
    require_libraries()
    runs = MeasuredRun(a), MeasuredRun(b)
    have_curves = runs[0].task == "segment" and not any(run.is_of_masks for run in runs)
    name = "curves" if have_curves else "pairs"
    if name == "curves":
        draw, size = partial(draw_curves, panels=_panels(*runs, labels_of(a, b))), (10.0, 4.6)
    else:
        draw, size = partial(_draw_pairs, runs=runs, labels=labels_of(a, b)), (5.0, 5.0)
    write_json(out / "compare.json", comparison)
    rows = list(_rows(comparison))
    write_csv(out / "differences.csv", list(rows[0]), rows)
    write_text(out / "differences.tex", latex(comparison, labels_of(a, b)))
    write_figure(out, name, draw, size)
    shown = MAIN[runs[0].task]
    content = {
        "summary": {},
        "labels": labels_of(a, b),
        "comparison": comparison,
        "settings": tuple(
            run.settings | {"plan": stated_settings(run.settings["plan"])} for run in runs
        ),
        "names": NAMES,
        "shown": [metric for metric in shown if metric in comparison["metrics"]],
        "figure_name": name,
        "drawing": svg(draw, size),
        "seeds": [_seed_count(run) for run in runs],
        "pairs": list(_pairs(*runs, shown[0])),
    }
    return write_page(out, "studies/compare.html.j2", content, "compare.html")


def _seed_count(run: MeasuredRun) -> int:
    seed = run.plan.get("seed")
    return len(seed) if isinstance(seed, list) else 1


def labels_of(a: Path, b: Path) -> tuple[str, str]:
    """The shortest ends of two paths that differ, as names of the runs."""
    first, second = a.resolve().parts, b.resolve().parts
    for count in range(1, max(len(first), len(second)) + 1):
        names = "/".join(first[-count:]), "/".join(second[-count:])
        if names[0] != names[1]:
            return names
    return "A", "B"


def latex(comparison: Mapping[str, Any], labels: tuple[str, str]) -> str:
    """The differences as a LaTeX ``tabular`` for the package booktabs.

    All metrics over all pairs, and those of `MAIN` for each structure and stratum.

    Parameters
    ----------
    labels
        Names of the runs ``a`` and ``b``, in the head of the table.
    """
    main = {name for names in MAIN.values() for name in names}
    a, b = map(escaped, labels)
    head = (
        "",
        a,
        b,
        rf"{b} $-$ {a} [95\,\%]",
        r"$p_\mathrm{W}$",
        r"$p_\mathrm{perm}$",
        "$r$",
        "$d$",
    )
    lines = [
        r"\begin{tabular}{lrrrrrrr}", r"\toprule", " & ".join(head) + r" \\",
    ]  # fmt: skip
    for group, metrics in _groups(comparison):
        lines.append(r"\midrule")
        if group != ALL:
            lines.append(rf"\multicolumn{{8}}{{l}}{{{escaped(group)}}} \\")
        names = metrics if group == ALL else [name for name in metrics if name in main]
        lines += [_latex_row(name, metrics[name]) for name in names if metrics[name]["cases"]]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_row(name: str, row: Json) -> str:
    difference = signed(row["difference"])
    if row["low"] is not None:
        difference += f" [{signed(row['low'])}, {signed(row['high'])}]"
    cells = (
        escaped(NAMES[name]), figure(row["a"]), figure(row["b"]), difference,
        *(_latex_p(row[key]) for key in ("p_holm", "p_permutation_holm")),
        *("--" if row[key] is None else signed(row[key], 2) for key in ("effect", "d")),
    )  # fmt: skip
    return " & ".join(cells) + r" \\"


def _latex_p(p: float | None) -> str:
    if p is None:
        return "--"
    return r"$<$0.001" if p < 0.001 else f"{p:.3f}"


def _groups(comparison: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """All pairs, then each structure if there are several, then each stratum."""
    yield ALL, comparison["metrics"]
    if len(comparison["structures"]) > 1:
        yield from comparison["structures"].items()
    for column, groups in comparison["strata"].items():
        yield from ((f"{column}: {name}", metrics) for name, metrics in groups.items())


def _rows(comparison: Mapping[str, Any]) -> Iterator[Json]:
    for group, metrics in _groups(comparison):
        for name, row in metrics.items():
            yield {"group": group, "metric": name, **row}


def _pairs(a: MeasuredRun, b: MeasuredRun, metric: str) -> Iterator[Json]:
    """Each pair with its values, the largest loss first."""
    rows = []
    for key in a.figures.keys() & b.figures.keys():
        first, second = (last_of(run.figures[key].figures, metric) for run in (a, b))
        difference = None if first is None or second is None else second - first
        rows.append({"case": key[0], "part": key[1], "a": first, "b": second, "d": difference})
    yield from sorted(rows, key=lambda r: (r["d"] is None, r["d"] or 0.0, r["case"], r["part"]))


def _panels(a: MeasuredRun, b: MeasuredRun, labels: Sequence[str]) -> dict[str, list[Curve]]:
    keys = [key for key in a.figures if key in b.figures]

    def curve(run: MeasuredRun, label: str, metric: str) -> Curve:
        measured = [run.figures[key] for key in keys]
        return curve_of(label, [(m.case, m.group, m.figures[metric]) for m in measured])

    runs = list(zip((a, b), labels, strict=True))
    return {metric: [curve(run, label, metric) for run, label in runs] for metric in PANELS}


def _draw_pairs(page: Any, runs: tuple[MeasuredRun, MeasuredRun], labels: Sequence[str]) -> None:
    """Draw the main metric of each pair, one run against the other."""
    metric = MAIN[runs[0].task][0]
    pairs = [row for row in _pairs(*runs, metric) if row["d"] is not None]
    axes = page.subplots()
    axes.plot([0, 1], [0, 1], color="#999", linestyle="dotted")
    axes.scatter([r["a"] for r in pairs], [r["b"] for r in pairs], s=16, alpha=0.5, color=COLORS[0])
    axes.set(xlabel=labels[0], ylabel=labels[1], title=NAMES[metric], xlim=(-0.02, 1.02),
             ylim=(-0.02, 1.02), aspect="equal")  # fmt: skip
    axes.grid(alpha=0.3)
