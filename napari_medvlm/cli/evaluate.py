"""``evaluate``: score a backend on labelled cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.app import App
from napari_medvlm.cli.evaluate_lines import comparison_lines, run_lines, seed_lines
from napari_medvlm.cli.evaluate_masks import CaseTable, masks
from napari_medvlm.cli.evaluate_open import open_case
from napari_medvlm.cli.evaluate_text import (
    Out,
    RayAddress,
    Workers,
    ask,
    bertscore,
    calibrate,
    case_workers,
    ground,
)
from napari_medvlm.cli.options import AsJson, Backend, Device, Model, note_device
from napari_medvlm.cli.output import print_result, progress_bar, report_errors
from napari_medvlm.evaluation.segment.cases import Layout
from napari_medvlm.evaluation.segment.simulated_user import CHALLENGE_SEED, PromptKind

app = App("Measure a backend on your own labelled cases.")

Images = Annotated[Path, typer.Option(help="Data set, or folder of images.")]
Labels = Annotated[Path | None, typer.Option(help="Folder of labels.")]
Names = Annotated[Path | None, typer.Option(help="Table of label names: JSON, TSV, CSV or text.")]
Channel = Annotated[int | None, typer.Option(help="Channel of a multi-channel image, from 0.")]
ImagePattern = Annotated[str, typer.Option(help="Pairs: image names, such as {case}_t1.nii.gz.")]
LabelPattern = Annotated[str, typer.Option(help="Pairs: label names, such as {case}_seg.nii.gz.")]
Structures = Annotated[
    list[str], typer.Option(help="Structure by name or label value; default: all.")
]
Seeds = Annotated[
    int, typer.Option(min=1, help="Number of runs, with seeds counted up from --seed.")
]
SaveMasks = Annotated[
    bool, typer.Option("--save-masks", help="Write predicted masks to masks/ in --out.")
]


def segment(  # noqa: PLR0913  # one for each option
    images: Images,
    out: Out,
    labels: Labels = None,
    dataset: Annotated[Layout, typer.Option(help="Layout of the data set on disk.")] = Layout.PAIRS,
    image_pattern: ImagePattern = "{case}",
    label_pattern: LabelPattern = "{case}",
    names: Names = None,
    structure: Structures = [],  # noqa: B006
    channel: Channel = None,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    interactions: Annotated[int, typer.Option(min=1, help="Prompts per structure.")] = 10,
    first_prompt: Annotated[
        PromptKind, typer.Option("--first-prompt", help="Type of the first prompt.")
    ] = PromptKind.POINT,
    next_prompt: Annotated[
        PromptKind, typer.Option("--next-prompt", help="Type of the following prompts.")
    ] = PromptKind.POINT,
    jitter_mm: Annotated[
        float, typer.Option(min=0, help="Click jitter, standard deviation in mm.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = CHALLENGE_SEED,
    seeds: Seeds = 1,
    tolerance_mm: Annotated[
        float, typer.Option(min=0, help="Tolerance of the surface Dice (NSD), mm.")
    ] = 2.0,
    save_masks: SaveMasks = False,
    case_table: CaseTable = None,
    workers: Workers = 1,
    ray: RayAddress = None,
    as_json: AsJson = False,
) -> None:
    """Segment all cases with simulated prompts, and write tables and a report.

    Writes report.html, results (CSV, Parquet) and summary (JSON, CSV, LaTeX) to --out. Run the same
    command again to resume an interrupted run, or with more --interactions to extend one.
    """
    with progress_bar(out) as progress:
        from napari_medvlm.evaluation.segment.evaluate import DataSet, evaluate
        from napari_medvlm.evaluation.segment.plan import Plan
        from napari_medvlm.evaluation.studies.seeds import run_seeds
        from napari_medvlm.evaluation.studies.strata import columns_in

        plan = Plan(
            backend=backend, model=model, device=device, interactions=interactions,
            first_prompt=first_prompt, next_prompt=next_prompt, jitter_mm=jitter_mm, seed=seed,
            tolerance_mm=tolerance_mm, structures=tuple(structure),
        )  # fmt: skip
        note_device(backend, device)
        data = DataSet(dataset, images, labels, names, channel, (image_pattern, label_pattern))
        extra: dict[str, Any] = {"with_masks": save_masks, "columns": columns_in(case_table)}

        def run_plan(plan: Plan, folder: Path) -> dict[str, Any]:
            return evaluate(data, plan, folder, case_workers(workers, ray), progress, **extra)

        summary = run_plan(plan, out) if seeds == 1 else run_seeds(run_plan, plan, seeds, out)
    lines = run_lines if seeds == 1 else seed_lines
    print_result(summary, as_json, lambda: lines(summary, out, save_masks))


def compare(
    a: Annotated[Path, typer.Argument(help="Folder of a run.")],
    b: Annotated[Path, typer.Argument(help="Folder of another run on the same cases.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for a page, figures (PDF, SVG) and tables.")
    ] = None,
    case_table: CaseTable = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs: mean differences with 95 % confidence intervals over cases.

    With --out, writes compare.html, curves or pairs (PDF, SVG) and differences (CSV, LaTeX).
    """
    from napari_medvlm.evaluation.studies.compare import compare as compared
    from napari_medvlm.evaluation.studies.compare_report import write_comparison
    from napari_medvlm.evaluation.studies.strata import columns_in

    with report_errors():
        comparison = compared(a, b, columns=columns_in(case_table))
        page = [] if out is None else [str(write_comparison(out, comparison, a, b))]
    print_result(comparison, as_json, lambda: "\n".join([comparison_lines(comparison), *page]))


for command in (segment, ground, ask, masks, compare, calibrate, bertscore):
    app.command()(command)
app.command(name="open")(open_case)
