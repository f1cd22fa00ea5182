"""What the commands of ``evaluate`` print after a run of segmentation and a comparison."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from napari_medvlm.cli.evaluate_text import MAX_LISTED, without_result
from napari_medvlm.data.text import quantity


def run_lines(summary: dict[str, Any], out: Path, with_masks: bool = False) -> str:
    """Return the lines printed after a run: means, cases left out, and the paths of its output."""
    from napari_medvlm.evaluation.segment.mask_files import MASK_FOLDER
    from napari_medvlm.evaluation.segment.summary import sure_words

    lines = [
        f"{name}: Dice {_curve(f['dice'])}{sure_words(f)}; {_to_90(f)}; "
        f"{quantity(f['cases'], 'case')}"
        for name, f in (*summary["structures"].items(), ("mean", summary["mean"]))
    ]
    masks = [str(out / MASK_FOLDER)] if with_masks else []
    return "\n".join([*lines, *_left_out(summary), *masks, str(out / "report.html")])


def _left_out(summary: dict[str, Any]) -> list[str]:
    """Return a line on structures that are not in the labels, and those of `without_result`."""
    absent = summary["absent"]
    more = f"; and {len(absent) - MAX_LISTED} more" if len(absent) > MAX_LISTED else ""
    lines = [f"Not in the labels: {'; '.join(absent[:MAX_LISTED])}{more}"] if absent else []
    return [*lines, *without_result(summary)]


def mask_lines(summary: dict[str, Any], out: Path) -> str:
    """Return the lines printed after masks of another program are scored."""
    from napari_medvlm.evaluation.segment.summary import sure_words

    lines = [
        f"{name}: Dice {f['dice'][-1]:.3f}{sure_words(f)}, NSD {f['nsd'][-1]:.3f}"
        f"{_hd95(f['hd95_mm'][-1])}; {quantity(f['cases'], 'case')}"
        for name, f in (*summary["structures"].items(), ("mean", summary["mean"]))
    ]
    return "\n".join([*lines, *_left_out(summary), str(out / "report.html")])


def _hd95(value: float | None) -> str:
    return "" if value is None else f", HD95 {value:.1f} mm"


def seed_lines(summary: dict[str, Any], out: Path, with_masks: bool = False) -> str:
    """Return the lines printed after runs of several seeds: means, and the paths of the output."""
    from napari_medvlm.evaluation.segment.mask_files import MASK_FOLDER

    lines = [f"{len(summary['seeds'])} seeds, from {summary['seeds'][0]}; after the last prompt:"]
    for name, metrics in (*summary["structures"].items(), ("mean", summary["metrics"])):
        dice = metrics["dice"]
        ends = dice["interval"]
        interval = "" if ends is None else f", 95 % {ends[0]:.3f} to {ends[1]:.3f}"
        lines.append(f"{name}: Dice {dice['mean']:.3f}, SD over seeds {dice['sd']:.3f}{interval}")
    names = [*([MASK_FOLDER] if with_masks else []), "report.html"]
    runs = [out / f"seed-{seed}" / name for seed in summary["seeds"] for name in names]
    tables = [out / f"seeds.{ending}" for ending in ("json", "csv", "tex")]
    return "\n".join([*lines, *map(str, (*runs, *tables))])


def _curve(dice: list[float]) -> str:
    last = f", {dice[-1]:.3f} after {len(dice)} interactions" if len(dice) > 1 else " interaction"
    return f"{dice[0]:.3f} after 1{last}"


def _to_90(metrics: dict[str, Any]) -> str:
    """Return the mean number of interactions to a Dice of 0.90, with the share of misses."""
    missed = metrics["missed90"]
    if missed == 1:
        return "0.90 not reached"
    return f"{metrics['noc90']:.1f} to 0.90" + (
        f" ({100 * missed:.0f} % did not reach it)" if missed else ""
    )


def comparison_lines(comparison: dict[str, Any]) -> str:
    """Return the lines printed after a comparison."""
    lines = [
        f"{comparison['b']} against {comparison['a']}, {comparison['pairs']} pairs; "
        "means, difference and 95 % interval over cases, Wilcoxon p (Holm), effect size, "
        "permutation p (Holm):"
    ]
    lines += [f"  setting {name}: {a} -> {b}" for name, (a, b) in comparison["settings"].items()]
    if comparison["omitted"]:
        lines.append(f"  not comparable under these settings: {', '.join(comparison['omitted'])}")
    lines += [line for row in comparison["metrics"].items() for line in _metric_line(*row)]
    for structure, metrics in comparison["structures"].items():
        if len(comparison["structures"]) > 1:
            lines += _metric_line(f"dice of {structure}", metrics["dice"])
    for column, groups in comparison["strata"].items():
        for name, metrics in groups.items():
            first = next(iter(metrics))
            lines += _metric_line(f"{first}, {column} {name}", metrics[first])
    lines += [f"  only in one run: {name}" for name in comparison["unpaired"]]
    return "\n".join(lines)


def _metric_line(name: str, metric: dict[str, Any]) -> list[str]:
    """Return the line of a metric, if both runs have it."""
    if not metric["cases"]:
        return []
    interval = "(one case)"
    with contextlib.suppress(TypeError):
        interval = f"[{metric['low']:+z.4f}, {metric['high']:+z.4f}]"
    tests = "" if metric["p_holm"] is None else f" p {metric['p_holm']:.3g}"
    tests += "" if metric["effect"] is None else f" r {metric['effect']:+z.2f}"
    permutation = metric["p_permutation_holm"]
    tests += "" if permutation is None else f" perm. p {permutation:.3g}"
    means = f"{metric['a']:.4f} -> {metric['b']:.4f}"
    return [f"  {name:8} {means}  {metric['difference']:+z.4f} {interval}{tests}"]
