"""``evaluate ground``, ``evaluate ask`` and ``evaluate calibrate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.channels import Resample, named_channels
from napari_medvlm.cli.language.options import AllowRemote, BaseUrl, server_model
from napari_medvlm.cli.options import AsJson, Backend, Device, Model, note_device
from napari_medvlm.cli.output import print_result, progress_bar, report_errors
from napari_medvlm.data.text import quantity
from napari_medvlm.evaluation.ask.items import Layout as AskLayout
from napari_medvlm.evaluation.ground.cases import Layout as GroundLayout

Images = Annotated[Path, typer.Option(help="Folder of images.")]
References = Annotated[Path, typer.Option(help="Reference (ground-truth) file.")]
Out = Annotated[Path, typer.Option(help="Output folder; an unfinished run there is resumed.")]
Workers = Annotated[int, typer.Option(min=1, help="Number of worker processes.")]
ChannelPatterns = Annotated[
    list[str],
    typer.Option(
        "--channel",
        help="Masks: input channel of a model of several images, as NAME=PATTERN, such as "
        "FLAIR={case}_0003.nii.gz; repeat for each channel.",
    ),
]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Address of a Ray cluster to run on, or 'local'.")
]


def ground(  # noqa: PLR0913  # one for each option
    images: Images,
    references: References,
    out: Out,
    dataset: Annotated[
        GroundLayout, typer.Option(help="Layout of the references.")
    ] = GroundLayout.COCO,
    every_class: Annotated[
        bool, typer.Option(help="Search every class in each image; false positives count in AP.")
    ] = False,
    names: Annotated[Path | None, typer.Option(help="Table of label names, for masks.")] = None,
    image_pattern: Annotated[
        str, typer.Option(help="Masks: image names, such as {case}_0000.nii.gz.")
    ] = "{case}",
    label_pattern: Annotated[
        str, typer.Option(help="Masks: label names, such as {case}_seg.nii.gz.")
    ] = "{case}",
    channel: ChannelPatterns = [],  # noqa: B006
    resample: Resample = False,
    slice_step_mm: Annotated[
        float, typer.Option(min=0, help="Slice step in mm, for models of 2D images.")
    ] = 0.0,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    workers: Workers = 1,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Ground phrases with known regions, and write tables and a report.

    Writes report.html, results (CSV, Parquet) and summary (JSON, CSV, LaTeX) to --out. Run the same
    command again to resume an interrupted run.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.ground.datasets import find_cases
        from napari_medvlm.evaluation.ground.plan import Plan
        from napari_medvlm.evaluation.ground.task import TASK
        from napari_medvlm.evaluation.runs.evaluate import evaluate
        from napari_medvlm.io.label_images import read_names

        plan = Plan(
            backend=backend,
            model=model,
            device=device,
            slice_step_mm=slice_step_mm,
            every_class=every_class,
            resample=resample,
        )
        note_device(backend, device)
        table = None if names is None else read_names(names)
        paths = images.absolute(), references.absolute()  # cases are opened from other folders too
        patterns = image_pattern, label_pattern
        cases = find_cases(
            dataset, *paths, every_class=every_class, names=table, patterns=patterns,
            channels=named_channels(channel),
        )  # fmt: skip
        data = _data(str(dataset), images, references)
        summary = evaluate(TASK, cases, plan, data, out, case_workers(workers, ray), progress)
    print_result(summary, as_json, lambda: _ground_lines(summary, out))


def ask(  # noqa: PLR0913  # one for each option
    images: Images,
    references: References,
    out: Out,
    dataset: Annotated[AskLayout, typer.Option(help="Layout of the questions.")] = AskLayout.PLAIN,
    slices: Annotated[int, typer.Option(min=1, help="Number of slices of a volume to send.")] = 16,
    blind: Annotated[bool, typer.Option(help="Text-only baseline: ask without images.")] = False,
    boxes: Annotated[
        bool, typer.Option(help="Ask for boxes in every answer, not only where the data has them.")
    ] = False,
    backend: Backend = "embedded",
    model: Model = None,
    base_url: BaseUrl = None,
    allow_remote: AllowRemote = False,
    device: Device = "cpu",
    workers: Workers = 1,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Ask questions with known answers, and write tables and a report.

    Writes report.html, results (CSV, Parquet) and summary (JSON, CSV, LaTeX) to --out. Run the same
    command again to resume an interrupted run.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.ask.datasets import find_items
        from napari_medvlm.evaluation.ask.plan import Plan
        from napari_medvlm.evaluation.ask.task import TASK
        from napari_medvlm.evaluation.runs.evaluate import evaluate

        model = server_model(backend, model, base_url, allow_remote)
        plan = Plan(
            backend=backend,
            model=model,
            device=device,
            slices=slices,
            images=not blind,
            boxes=boxes,
        )
        paths = images.absolute(), references.absolute(), out.absolute() / "images"
        items = find_items(dataset, *paths)
        data = _data(str(dataset), images, references)
        note_device(backend, device)
        summary = evaluate(TASK, items, plan, data, out, case_workers(workers, ray), progress)
    print_result(summary, as_json, lambda: _ask_lines(summary, out))


MAX_LISTED = 10
"""Number of skipped cases listed by name."""


class Method(StrEnum):
    """Calibration method."""

    TEMPERATURE = "temperature"
    PLATT = "platt"
    ISOTONIC = "isotonic"


def calibrate(
    run: Annotated[Path, typer.Argument(help="Folder of a run of 'ask' or 'ground'.")],
    method: Annotated[
        Method, typer.Option(help="Calibration method: temperature, Platt or isotonic.")
    ] = Method.ISOTONIC,
    out: Annotated[
        Path | None, typer.Option(help="Also write the calibration to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Calibrate a backend's confidence on a run.

    The calibration is saved for the backend and its model in the settings folder. The check
    "confidence" of answers and regions uses it, and the run's report plots it.
    """
    from napari_medvlm.evaluation.calibrate import calibrate as calibrated

    with report_errors():
        calibration = calibrated(run, method.value, out)
    print_result(calibration, as_json, lambda: _calibration_lines(calibration))


def bertscore(
    run: Annotated[Path, typer.Argument(help="Folder of a run of 'ask'.")],
    model: Annotated[
        Path, typer.Option(help="Folder of a transformers encoder. Nothing is downloaded.")
    ],
    layers: Annotated[
        int | None, typer.Option(min=1, help="Layer to compare, from 1; default: the last.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Compute BERTScore of the open answers of a run.

    Writes bertscore.csv, a row for each answer, and bertscore.json, the means, to the run's folder.
    """
    from napari_medvlm.evaluation.ask.bert_score import bert_score_run

    with report_errors():
        scores = bert_score_run(run, model.expanduser(), layers, device)
    print_result(scores, as_json, lambda: _bertscore_line(scores))


def _bertscore_line(scores: dict[str, Any]) -> str:
    ends = scores["interval"]
    interval = "" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]"
    return (
        f"BERTScore F1 {scores['f1']:.3f}{interval}, precision {scores['precision']:.3f}, recall "
        f"{scores['recall']:.3f}; {quantity(scores['answers'], 'open answer')}, "
        f"{scores['model']}, layer {scores['layers']}"
    )


def _calibration_lines(calibration: dict[str, Any]) -> str:
    checked = f"on held-out data, {calibration['checked']}-fold cross-validation"
    if not calibration["checked"]:
        checked = "on the data used for fitting; too few for cross-validation"
    what = (
        "regions with a score"
        if calibration["task"] == "ground"
        else "answers with a stated confidence"
    )
    return "\n".join(
        (
            f"{calibration['answers']} {what}, {calibration['right']} of them correct",
            "expected calibration error: "
            f"{calibration['ece']:.3f} -> {calibration['ece_after']:.3f}",
            f"Brier score: {calibration['brier']:.3f} -> {calibration['brier_after']:.3f}",
            f"after: {checked}",
            calibration["file"],
        )
    )


def _data(dataset: str, images: Path, references: Path) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "images": str(images.resolve()),
        "references": str(references.resolve()),
    }


def case_workers(number: int, ray: str | None) -> Any:
    """Worker processes on this computer, or on a Ray cluster at an address."""
    from napari_medvlm.evaluation.runs.ray_workers import Ray
    from napari_medvlm.evaluation.runs.runner import crashed
    from napari_medvlm.evaluation.runs.workers import Processes

    return Processes(number, crashed) if ray is None else Ray(ray, number)


def _ground_lines(summary: dict[str, Any], out: Path) -> str:
    """Return the lines printed after a run."""
    lines = []
    for name, f in (*summary["classes"].items(), ("all", summary["mean"])):
        if f["pairs"]:
            lines.append(
                f"{name}: mIoU {f['miou']:.3f}, Acc@0.5 {f['acc50']:.3f}, pointing "
                f"{f['pointing']:.3f}, AP50 {_or_dash(f['ap50'])}; {quantity(f['pairs'], 'phrase')}"
            )
    if len(summary["comparisons"]) > 1:
        lines += [
            f"compared as {kind}: mIoU {f['miou']:.3f}; {quantity(f['pairs'], 'phrase')}"
            for kind, f in summary["comparisons"].items()
        ]
    return "\n".join([*lines, *without_result(summary), str(out / "report.html")])


def _ask_lines(summary: dict[str, Any], out: Path) -> str:
    """Return the lines printed after a run."""
    labels = {"accuracy": "accuracy", "set_accuracy": "pair accuracy", "f1": "F1", "bleu": "BLEU",
              "iou": "IoU", "mre": "relative error", "refused": "refused"}  # fmt: skip
    lines = []
    for name, f in (*summary["kinds"].items(), ("all", summary["mean"])):
        figures = (f"{word} {f[key]:.3f}" for key, word in labels.items() if f[key] is not None)
        lines.append(f"{name}: {', '.join(figures)}; {quantity(f['questions'], 'question')}")
    return "\n".join([*lines, *without_result(summary), str(out / "report.html")])


def without_result(summary: dict[str, Any]) -> list[str]:
    """Return a line for each note, each reason for no result, and each skipped case."""
    from napari_medvlm.evaluation.runs.reasons import reason_lines

    return [*summary.get("notes", ()), *reason_lines(summary), *skipped(summary)]


def skipped(summary: dict[str, Any]) -> list[str]:
    """Return a line for each of the first skipped cases."""
    unused = summary["skipped"]
    lines = [f"Skipped {case['case']}: {case['reason']}" for case in unused[:MAX_LISTED]]
    return lines if len(unused) <= MAX_LISTED else [*lines, f"and {len(unused) - MAX_LISTED} more"]


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
