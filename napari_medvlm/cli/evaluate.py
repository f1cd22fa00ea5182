"""``evaluate``: how well a backend does on labelled cases."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.evaluate_text import MOST, ask, calibrate, ground, skipped
from napari_medvlm.cli.options import AsJson, Backend, Device, Model
from napari_medvlm.cli.output import print_result, progress_bar, report_errors
from napari_medvlm.evaluation.segment.cases import Layout
from napari_medvlm.evaluation.segment.simulated_user import CHALLENGE_SEED, PromptKind

app = typer.Typer(
    help="Measure a backend on your own labelled cases.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(ground)
app.command()(ask)
app.command()(calibrate)

Images = Annotated[Path, typer.Option(help="The data set, or the folder of its images.")]
Out = Annotated[Path, typer.Option(help="Folder of the run; one that was begun goes on.")]
Labels = Annotated[Path | None, typer.Option(help="The folder of the labels.")]
Names = Annotated[Path | None, typer.Option(help="A table of label names: JSON, TSV, CSV or text.")]
Channel = Annotated[
    int | None, typer.Option(help="Which channel of an image with several, from 0.")
]
Workers = Annotated[int, typer.Option(min=1, help="Processes that work side by side.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray", help="Work on a Ray cluster: its address, or local.")
]


@app.command()
def segment(  # noqa: PLR0913  # one for each option
    images: Images,
    out: Out,
    labels: Labels = None,
    dataset: Annotated[Layout, typer.Option(help="How the data set lies on disk.")] = Layout.PAIRS,
    image_pattern: Annotated[
        str, typer.Option(help="Pairs: names of the images, as {case}_t1.nii.gz.")
    ] = "{case}",
    label_pattern: Annotated[
        str, typer.Option(help="Pairs: names of the labels, as {case}_seg.nii.gz.")
    ] = "{case}",
    names: Names = None,
    structure: Annotated[
        list[str], typer.Option(help="A structure by name or value; all if none is named.")
    ] = [],  # noqa: B006
    channel: Channel = None,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    interactions: Annotated[int, typer.Option(min=1, help="Prompts for each structure.")] = 10,
    first: Annotated[PromptKind, typer.Option(help="How the user begins.")] = PromptKind.POINT,
    then: Annotated[PromptKind, typer.Option(help="How it goes on.")] = PromptKind.POINT,
    jitter_mm: Annotated[float, typer.Option(min=0, help="How unsteady its hand is.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="For what is drawn at random.")] = CHALLENGE_SEED,
    tolerance_mm: Annotated[float, typer.Option(min=0, help="Of the surface Dice.")] = 2.0,
    workers: Workers = 1,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Segment all cases by a simulated user, and write tables and a report.

    Leaves report.html, results.parquet and summary.json in --out. What was stopped goes on when the
    same command is given again.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.segment.evaluate import DataSet, evaluate
        from napari_medvlm.evaluation.segment.plan import Plan

        plan = Plan(
            backend=backend, model=model, device=device, interactions=interactions, first=first,
            then=then, jitter_mm=jitter_mm, seed=seed, tolerance_mm=tolerance_mm,
            structures=tuple(structure),
        )  # fmt: skip
        data = DataSet(dataset, images, labels, names, channel, (image_pattern, label_pattern))
        summary = evaluate(data, plan, out, _workers(workers, ray), progress)
    print_result(summary, as_json, lambda: _lines(summary, out))


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="The folder of a run.")],
    b: Annotated[Path, typer.Argument(help="Another run on the same cases.")],
    as_json: AsJson = False,
) -> None:
    """Tell by how much the second run's figures are larger, with 95 % intervals by case."""
    from napari_medvlm.evaluation.compare import compare as compared

    with report_errors():
        found = compared(a, b)
    print_result(found, as_json, lambda: _table(found))


@app.command(name="open")
def open_case(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    case: Annotated[str, typer.Argument(help="Name of the case.")],
    what: Annotated[
        str, typer.Argument(help="Name of the structure or the phrase; the first if none.")
    ] = "",
) -> None:
    """Open a case in napari beside the truth.

    Of a segmentation the simulated user's prompts, of grounding the places of a phrase, of a
    question the right answer and the one that was given.
    """
    from napari_medvlm.evaluation.runs.run_folder import case_of

    with report_errors():  # in the terminal, where it was typed, and not in an empty window
        case_of(run, case)
    viewer = [sys.executable, "-m", "napari_medvlm.widgets.evaluate.open_case"]
    raise typer.Exit(subprocess.call([*viewer, str(run), case, what]))


def _workers(number: int, ray: str | None) -> Any:
    from napari_medvlm.evaluation.runs.ray_workers import Ray
    from napari_medvlm.evaluation.runs.workers import Processes
    from napari_medvlm.evaluation.segment.evaluate import crashed

    return Processes(number, crashed) if ray is None else Ray(ray, number)


def _lines(summary: dict[str, Any], out: Path) -> str:
    """What a person wants to know first."""
    from napari_medvlm.evaluation.segment.summary import sure_words

    lines = [
        f"{name}: Dice {_curve(f['dice'])}{sure_words(f)}; {_to_90(f)}; {f['cases']} case(s)"
        for name, f in (*summary["structures"].items(), ("mean", summary["mean"]))
    ]
    absent = summary["absent"]
    if absent:
        more = f"; and {len(absent) - MOST} more" if len(absent) > MOST else ""
        lines.append(f"Not in the labels: {'; '.join(absent[:MOST])}{more}")
    lines += skipped(summary)
    return "\n".join([*lines, str(out / "report.html")])


def _curve(dice: list[float]) -> str:
    last = f", {dice[-1]:.3f} after {len(dice)} interactions" if len(dice) > 1 else " interaction"
    return f"{dice[0]:.3f} after 1{last}"


def _to_90(found: dict[str, Any]) -> str:
    """Interactions to a Dice of 0.90; where it is missed they count as all, so that is told."""
    missed = found["missed90"]
    if missed == 1:
        return "0.90 not reached"
    return f"{found['noc90']:.1f} to 0.90" + (
        f" ({100 * missed:.0f} % missed it)" if missed else ""
    )


def _table(found: dict[str, Any]) -> str:
    lines = [
        f"{found['b']} against {found['a']}, {found['pairs']} pairs; "
        "means, difference and its 95 % interval by case:"
    ]
    for name, metric in found["metrics"].items():
        if metric["cases"]:
            interval = "(one case)"
            with contextlib.suppress(TypeError):
                interval = f"[{metric['low']:+.4f}, {metric['high']:+.4f}]"
            means = f"{metric['a']:.4f} -> {metric['b']:.4f}"
            lines.append(f"  {name:8} {means}  {metric['difference']:+.4f} {interval}")
    lines += [f"  only in one: {one}" for one in found["unpaired"]]
    return "\n".join(lines)
