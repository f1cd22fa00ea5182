"""``evaluate ground`` and ``evaluate ask``: places and answers against what is known."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson, Backend, Device, Model
from napari_medvlm.cli.output import print_result, progress_bar, report_errors
from napari_medvlm.evaluation.ask.items import Layout as Questions
from napari_medvlm.evaluation.ground.cases import Layout as Places

Images = Annotated[Path, typer.Option(help="The folder of the images.")]
References = Annotated[Path, typer.Option(help="The data set's file of what is true.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; one that was begun goes on.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that work side by side.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Work on a Ray cluster: its address, or local.")
]


def ground(  # noqa: PLR0913  # one for each option
    images: Images,
    references: References,
    out: Out,
    dataset: Annotated[Places, typer.Option(help="How the references lie on disk.")] = Places.COCO,
    every_class: Annotated[
        bool, typer.Option(help="Look for every class on each image; false alarms count in AP.")
    ] = False,
    names: Annotated[Path | None, typer.Option(help="Of masks: a table of label names.")] = None,
    slice_step_mm: Annotated[
        float, typer.Option(min=0, help="For models of pictures: from one slice to the next, mm.")
    ] = 0.0,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    workers: Workers = 1,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Look for phrases whose places are known, and write tables and a report.

    Leaves report.html, results.parquet and summary.json in --out. What was stopped goes on when the
    same command is given again.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.ground.datasets import find_cases
        from napari_medvlm.evaluation.ground.evaluate import run
        from napari_medvlm.evaluation.ground.plan import Plan
        from napari_medvlm.io.label_images import read_names

        plan = Plan(
            backend=backend,
            model=model,
            device=device,
            slice_step_mm=slice_step_mm,
            every_class=every_class,
        )
        table = None if names is None else read_names(names)
        places = images.absolute(), references.absolute()  # for whoever opens a case elsewhere
        found = find_cases(dataset, *places, every_class=every_class, names=table)
        data = _data(str(dataset), images, references)
        summary = run(found, plan, data, out, _workers(workers, ray), progress)
    print_result(summary, as_json, lambda: _ground_lines(summary, out))


def ask(  # noqa: PLR0913  # one for each option
    images: Images,
    references: References,
    out: Out,
    dataset: Annotated[
        Questions, typer.Option(help="How the questions lie on disk.")
    ] = Questions.PLAIN,
    slices: Annotated[int, typer.Option(min=1, help="How many of a volume are shown.")] = 16,
    blind: Annotated[
        bool, typer.Option(help="Ask without the images: what is guessed from the words.")
    ] = False,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    workers: Workers = 1,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Ask questions whose answers are known, and write tables and a report.

    Leaves report.html, results.parquet and summary.json in --out. What was stopped goes on when the
    same command is given again.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.ask.datasets import find_items
        from napari_medvlm.evaluation.ask.evaluate import run
        from napari_medvlm.evaluation.ask.plan import Plan

        plan = Plan(backend=backend, model=model, device=device, slices=slices, images=not blind)
        places = images.absolute(), references.absolute(), out.absolute() / "images"
        found = find_items(dataset, *places)
        data = _data(str(dataset), images, references)
        summary = run(found, plan, data, out, _workers(workers, ray), progress)
    print_result(summary, as_json, lambda: _ask_lines(summary, out))


MOST = 10
"""So many of what was left out are told one by one."""


class Method(StrEnum):
    """What the curve is."""

    TEMPERATURE = "temperature"
    PLATT = "platt"
    ISOTONIC = "isotonic"


def calibrate(
    run: Annotated[Path, typer.Argument(help="The folder of a run of 'ask' or 'ground'.")],
    method: Annotated[
        Method, typer.Option(help="The curve: one number, two, or a free rising line.")
    ] = Method.ISOTONIC,
    out: Annotated[Path | None, typer.Option(help="A file to write the curve to as well.")] = None,
    as_json: AsJson = False,
) -> None:
    """Learn from a run what a backend's confidence is worth.

    The curve is kept for the backend and its model in the folder of settings, where the check
    "confidence" beside answers or regions reads it, and the run's report shows it.
    """
    from napari_medvlm.evaluation.calibrate import calibrate as calibrated

    with report_errors():
        found = calibrated(run, method.value, out)
    print_result(found, as_json, lambda: _calibration_lines(found))


def _calibration_lines(found: dict[str, Any]) -> str:
    checked = f"of those that the curve has not seen, in {found['checked']} parts"
    if not found["checked"]:
        checked = "of those that it was fitted on: there were too few to check it on others"
    what = "regions have a score" if found["task"] == "ground" else "answers tell how sure they are"
    return "\n".join(
        (
            f"{found['answers']} {what}, {found['right']} of them right",
            f"expected calibration error: {found['ece']:.3f} -> {found['ece_after']:.3f}",
            f"Brier score: {found['brier']:.3f} -> {found['brier_after']:.3f}",
            f"after: {checked}",
            found["file"],
        )
    )


def _data(dataset: str, images: Path, references: Path) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "images": str(images.resolve()),
        "references": str(references.resolve()),
    }


def _workers(number: int, ray: str | None) -> Any:
    from napari_medvlm.evaluation.runs.ray_workers import Ray
    from napari_medvlm.evaluation.runs.runner import crashed
    from napari_medvlm.evaluation.runs.workers import Processes

    return Processes(number, crashed) if ray is None else Ray(ray, number)


def _ground_lines(summary: dict[str, Any], out: Path) -> str:
    """What a person wants to know first."""
    lines = []
    for name, f in (*summary["classes"].items(), ("all", summary["mean"])):
        if f["pairs"]:
            lines.append(
                f"{name}: mIoU {f['miou']:.3f}, Acc@0.5 {f['acc50']:.3f}, pointing "
                f"{f['pointing']:.3f}, AP50 {_or_dash(f['ap50'])}; {f['pairs']} phrase(s)"
            )
    return "\n".join([*lines, *skipped(summary), str(out / "report.html")])


def _ask_lines(summary: dict[str, Any], out: Path) -> str:
    """What a person wants to know first."""
    told_of = {"accuracy": "accuracy", "set_accuracy": "both of a pair", "f1": "F1", "bleu": "BLEU",
               "iou": "IoU", "mre": "relative error", "refused": "refused"}  # fmt: skip
    lines = []
    for name, f in (*summary["kinds"].items(), ("all", summary["mean"])):
        figures = (f"{word} {f[key]:.3f}" for key, word in told_of.items() if f[key] is not None)
        lines.append(f"{name}: {', '.join(figures)}; {f['questions']} question(s)")
    return "\n".join([*lines, *skipped(summary), str(out / "report.html")])


def skipped(summary: dict[str, Any]) -> list[str]:
    """A line for each of the first cases that could not be used."""
    unused = summary["skipped"]
    lines = [f"Skipped {one['case']}: {one['reason']}" for one in unused[:MOST]]
    return lines if len(unused) <= MOST else [*lines, f"and {len(unused) - MOST} more"]


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
