"""``ground`` and ``ask``: regions of phrases and answers to questions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.channels import Channels, Resample, read_channels
from napari_medvlm.cli.options import (
    AsJson,
    AtGaps,
    Backend,
    Device,
    Frame,
    Image,
    Model,
    Series,
    Spacing,
    note_device,
    read_image,
)
from napari_medvlm.cli.output import NOT_FOUND, print_note, print_result, report_errors
from napari_medvlm.data.answer import Answer, AnswerKind
from napari_medvlm.io import Gaps

Labels = Annotated[
    list[Path],
    typer.Option(help="Label image of the patient, with a table of label names next to it."),
]
Searched = Annotated[
    str | None,
    typer.Option(help="Slices to search: AXIS:START:STOP in array order, such as 0:40:60."),
]
HeatmapThreshold = Annotated[
    float | None,
    typer.Option(help="Turn heatmaps into masks of the values from this one on, 0 to 1."),
]
MaxOverlap = Annotated[
    float,
    typer.Option(
        help="Of boxes of a phrase that overlap more than this (intersection over union, 0 to 1), "
        "keep the one with the highest score.",
    ),
]
MasksFile = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Write the masks to this file, one label for each phrase: .nii.gz, .nii, .nrrd, "
        ".mha, .dcm (SEG), .rtstruct.dcm or .stl. Names are in a .tsv table next to it.",
    ),
]


def ground(  # noqa: PLR0913  # one for each option
    image: Image,
    phrase: Annotated[list[str], typer.Argument(help="Phrases to search for, each in quotes.")],
    labels: Labels = [],  # noqa: B006
    slices: Searched = None,
    slice_step_mm: Annotated[
        float, typer.Option(help="Slice step in mm, for models of 2D images.")
    ] = 0.0,
    coarse_to_fine: Annotated[
        bool, typer.Option(help="Refine: then search every slice around the hits.")
    ] = False,
    heatmap_threshold: HeatmapThreshold = None,
    max_overlap: MaxOverlap = 1.0,
    out: MasksFile = None,
    channel: Channels = [],  # noqa: B006
    resample: Resample = False,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Locate phrases in an image.

    Boxes are in patient millimetres (S, P, L), lowest and highest corner, and in JSON also as
    indices z,y,x, first and one after the last. The exit status is 3 if
    none of the phrases is found. A model of several images, such as T1, T2 and
    FLAIR, gets all of them by --channel; IMAGE is the one whose grid the masks have.
    """
    import napari_medvlm as nmv

    with report_errors():
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        named = _labels(labels, volume)
        channels = read_channels(channel, image, volume, spacing, gaps)
        note_device(backend, device)
        start = time.perf_counter()
        grounding = nmv.ground(
            volume, phrase, backend, scope=_scope(slices, slice_step_mm, coarse_to_fine),
            labels=named, model=model, device=device, channels=channels, resample=resample,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        grounding = _filtered(grounding, volume, max_overlap, heatmap_threshold)
        labels_written = _write_masks(out, grounding, volume, backend, model)
    summary = {
        "backend": backend,
        "out": None if out is None else str(out),
        "labels": labels_written,
        "seconds": round(seconds, 3),
        **_grounding_summary(grounding, volume),
    }
    lines = [_region_line(region, volume) for region in grounding.regions]
    lines += [f"{n.phrase}: not found. {n.reason}" for n in grounding.not_found]
    print_result(summary, as_json, lambda: "\n".join(lines))
    if not grounding.regions:
        raise typer.Exit(NOT_FOUND)


def _filtered(
    grounding: Any, volume: Any, max_overlap: float, heatmap_threshold: float | None
) -> Any:
    """A grounding without overlapping regions, and with masks of its heatmaps, where asked."""
    if max_overlap != 1:
        grounding = grounding.distinct(max_overlap, volume.grid)
    if heatmap_threshold is not None:
        grounding = grounding.masked(heatmap_threshold, volume.grid)
    return grounding


def _grounding_summary(grounding: Any, volume: Any) -> dict[str, Any]:
    return {
        "notes": [*volume.notes, *grounding.notes],
        "regions": [_region(region, volume) for region in grounding.regions],
        "not_found": [
            {"phrase": n.phrase, "best_score": n.best_score, "reason": n.reason}
            for n in grounding.not_found
        ],
    }


def _write_masks(
    out: Path | None, grounding: Any, volume: Any, backend: str, model: str | None
) -> dict[int, str]:
    """Write the masks of a grounding if there are regions; return the name of each label."""
    from napari_medvlm.sessions.export.grounding_masks import write_grounding

    if out is None or not grounding.regions:
        return {}
    written = write_grounding(out, grounding, volume, backend, model)
    for note in written.notes:
        print_note(note)
    return written.names


Sliced = Annotated[
    str | None,
    typer.Option("--slices", help="Slices to send: AXIS:START:STOP, such as 0:40:60."),
]
EveryMm = Annotated[float | None, typer.Option(help="Step between the slices sent, in mm.")]
Masks = Annotated[
    list[str], typer.Option(help="Mask of an object, as FILE or FILE:name, on the image's grid.")
]
BaseUrl = Annotated[
    str | None, typer.Option(help="Base URL of the server, such as http://127.0.0.1:8000/v1.")
]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="Allow sending images to this non-local server; remembered.",
    ),
]
Kind = Annotated[
    AnswerKind | None, typer.Option(help="Answer type; default with --option: choice.")
]


def ask(  # noqa: PLR0913  # one for each option
    image: Image,
    question: Annotated[str, typer.Argument(help="The question, quoted.")],
    mask: Masks = [],  # noqa: B006
    labels: Labels = [],  # noqa: B006
    slices: Sliced = None,
    slice_step_mm: EveryMm = None,
    context: Annotated[str, typer.Option(help="Clinical context.")] = "",
    kind: Kind = None,
    option: Annotated[list[str], typer.Option(help="Answer option of a choice question.")] = [],  # noqa: B006
    backend: Backend = "embedded",
    model: Model = None,
    base_url: BaseUrl = None,
    allow_remote: AllowRemote = False,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Ask a question about an image.

    The exit status is 3 if the backend cannot answer.
    """
    import napari_medvlm as nmv

    with report_errors():
        if kind is AnswerKind.CHOICE and not option:
            raise typer.BadParameter("A choice question needs --option, once for each answer.")
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        masks = dict(_named_mask(text, volume) for text in mask)
        named = _labels(labels, volume)
        note_device(backend, device)
        model = server_model(backend, model, base_url, allow_remote)
        selection = _selection(volume, backend, slices, slice_step_mm)
        start = time.perf_counter()
        answer = nmv.ask(
            volume, question, backend, masks=masks, labels=named, selection=selection,
            context=context,
            kind=kind or (AnswerKind.CHOICE if option else AnswerKind.OPEN), options=option,
            model=model, device=device,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    print_result(_summary(backend, answer, seconds, volume), as_json, lambda: answer.text)
    if not answer.answered:
        raise typer.Exit(NOT_FOUND)


def server_model(
    backend: str, model: str | None, base_url: str | None, allowed: bool
) -> str | None:
    """Return the model, prefixed by its server's base URL if there is one."""
    from napari_medvlm.backends.openai_server.connection import joined
    from napari_medvlm.settings import allowed_hosts

    if base_url is None:
        if backend == "server" and "://" not in (model or ""):
            raise typer.BadParameter("The server backend needs --base-url.")
        return model
    if allowed:
        allowed_hosts.allow(base_url)
    return joined(base_url, model or "")


def _selection(volume: Any, backend: str, slices: str | None, slice_step_mm: float | None) -> Any:
    """Return the slices to send; `None`: no images."""
    from napari_medvlm.backends import registry
    from napari_medvlm.sessions.ask.model_input import ImageSelection

    if slices is None and slice_step_mm is None:
        if registry.info(backend).uses_no_images:
            return None
        if volume.shape[0] > 1:
            raise typer.BadParameter("Choose the slices to send with --slices or --slice-step-mm.")
    return ImageSelection(_scope(slices, slice_step_mm or 0.0, coarse_to_fine=False))


def _summary(backend: str, answer: Answer, seconds: float, volume: Any) -> dict[str, Any]:
    """Return the JSON output of ``ask``."""
    summary: dict[str, Any] = {
        "backend": backend,
        "answered": answer.answered,
        "answer": answer.text,
        "claims": [_claim(claim, volume.spacing_is_known) for claim in answer.claims],
        "images": [{"axis": ref.axis, "index": ref.index} for ref in answer.images],
        "seconds": round(seconds, 3),
    }
    more = {
        "reason": "" if answer.answered else answer.reason,
        "choice": answer.choice,
        "probabilities": list(answer.probabilities),
        "notes": [*volume.notes, *answer.notes],
    }
    return summary | {name: value for name, value in more.items() if value}


def _labels(paths: list[Path], volume: Any) -> list[Any]:
    """Read label images with their names, and print their notes to stderr."""
    from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes
    from napari_medvlm.io.label_images import read_labels

    named = [read_labels(path, grid=volume.grid) for path in paths]
    for path, labels in zip(paths, named, strict=True):
        for note in (*mismatch_notes(path, volume), *labels.notes):
            print_note(note)
    return named


def _named_mask(text: str, volume: Any) -> tuple[str, Any]:
    """Return the name and the mask of FILE or FILE:name."""
    import napari_medvlm as nmv
    from napari_medvlm.data.geometry.grid import require_same_grid

    path, _, name = text.rpartition(":") if not Path(text).exists() else (text, "", "")
    if not path:
        path = text
    loaded = nmv.read_volume(path)
    require_same_grid(loaded.grid, volume.grid, f"The mask {Path(path).name}")
    return name or Path(path).name.split(".")[0], loaded.data != 0


def _claim(claim: Any, in_mm: bool) -> dict[str, Any]:
    regions = [
        {
            "kind": str(region.kind),
            "box_mm": region.bounds_mm.round(3).tolist() if in_mm else None,
            "source": claim.source,
        }
        for region in claim.regions
    ]
    return {"text": claim.text, "source": claim.source, "regions": regions}


def _scope(slices: str | None, slice_step_mm: float, coarse_to_fine: bool) -> Any:
    from napari_medvlm.data.grounding import Scope

    if slices is None:
        return Scope(slice_step_mm=slice_step_mm, coarse_to_fine=coarse_to_fine)
    try:
        axis, start, stop = (int(part) for part in slices.split(":"))
    except ValueError:
        raise typer.BadParameter(f"{slices!r} is not AXIS:START:STOP such as 0:40:60.") from None
    return Scope(axis, start, stop, slice_step_mm, coarse_to_fine)


def _region(region: Any, volume: Any) -> dict[str, Any]:
    start, stop = region.box.bounds(volume.grid)
    in_mm = volume.spacing_is_known
    return {
        "phrase": region.phrase,
        "score": region.score,
        "kind": str(region.kind),
        "name": region.name,
        "box_zyx": [[int(i) for i in start], [int(i) for i in stop]],
        "box_mm": region.bounds_mm.round(3).tolist() if in_mm else None,
        "center_mm": region.center_mm.round(3).tolist() if in_mm else None,
    }


def _region_line(region: Any, volume: Any) -> str:
    position = f"({', '.join(f'{v:.1f}' for v in region.center_mm)}) mm"
    if not volume.spacing_is_known:
        index = volume.grid.to_index(region.center_mm).round().astype(int).tolist()
        position = f"index {','.join(map(str, index))}"
    score = "" if region.score is None else f", score {region.score:.2f}"
    return f"{region.phrase}: {region.name or region.kind} at {position}{score}"
