"""``ask``: answers to questions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.language.options import (
    AllowRemote,
    BaseUrl,
    Labels,
    notes_of,
    read_label_images,
    scope_of,
    server_model,
)
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
from napari_medvlm.cli.output import NOT_FOUND, print_result, report_errors
from napari_medvlm.cli.register import (
    Kind,
    OtherPatient,
    Prior,
    PriorKind,
    SamePositions,
    read_prior,
)
from napari_medvlm.cli.register import summary as pairing_summary
from napari_medvlm.data.answer import Answer, AnswerKind
from napari_medvlm.io import Gaps

Sliced = Annotated[
    str | None,
    typer.Option("--slices", help="Slices to send: AXIS:START:STOP, such as 0:40:60."),
]
EveryMm = Annotated[float | None, typer.Option(help="Step between the slices sent, in mm.")]
Masks = Annotated[
    list[str], typer.Option(help="Mask of an object, as FILE or FILE:name, on the image's grid.")
]
Answers = Annotated[
    AnswerKind | None, typer.Option(help="Answer type; default with --option: choice.")
]


def ask(  # noqa: PLR0913  # one for each option
    image: Image,
    question: Annotated[str, typer.Argument(help="The question, quoted.")],
    mask: Masks = [],  # noqa: B006
    labels: Labels = [],  # noqa: B006
    prior: Prior = None,
    prior_kind: PriorKind = Kind.RIGID,
    same_positions: SamePositions = False,
    other_patient: OtherPatient = False,
    slices: Sliced = None,
    slice_step_mm: EveryMm = None,
    context: Annotated[str, typer.Option(help="Clinical context.")] = "",
    kind: Answers = None,
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
    """Ask a question about an image, or about an image and its prior.

    A prior is registered first; boxes are in the millimetres of the study that the
    model names. The exit status is 3 if the backend cannot answer.
    """
    import napari_medvlm as nmv

    with report_errors():
        if kind is AnswerKind.CHOICE and not option:
            raise typer.BadParameter("A choice question needs --option, once for each answer.")
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        masks = dict(_named_mask(text, volume) for text in mask)
        named = read_label_images(labels, volume)
        note_device(backend, device)
        model = server_model(backend, model, base_url, allow_remote)
        selection = _selection(volume, backend, slices, slice_step_mm)
        before, pairing = read_prior(volume, prior, prior_kind, same_positions, other_patient, gaps)
        start = time.perf_counter()
        answer = nmv.ask(
            volume, question, backend, masks=masks, labels=named, selection=selection,
            prior=before, pairing=pairing, context=context,
            kind=kind or (AnswerKind.CHOICE if option else AnswerKind.OPEN), options=option,
            model=model, device=device,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    summary = _summary(backend, answer, seconds, volume, named)
    if pairing is not None:
        summary["registration"] = pairing_summary(pairing)
    print_result(summary, as_json, lambda: answer.text)
    if not answer.answered:
        raise typer.Exit(NOT_FOUND)


def _selection(volume: Any, backend: str, slices: str | None, slice_step_mm: float | None) -> Any:
    """Return the slices to send; `None`: no images."""
    from napari_medvlm.backends import registry
    from napari_medvlm.sessions.ask.image_selection import ImageSelection

    if slices is None and slice_step_mm is None:
        if registry.info(backend).uses_no_images:
            return None
        if volume.shape[0] > 1:
            raise typer.BadParameter("Choose the slices to send with --slices or --slice-step-mm.")
    return ImageSelection(scope_of(slices, slice_step_mm or 0.0, coarse_to_fine=False))


def _summary(
    backend: str, answer: Answer, seconds: float, volume: Any, named: list[Any]
) -> dict[str, Any]:
    """Return the JSON output of ``ask``."""
    summary: dict[str, Any] = {
        "backend": backend,
        "answered": answer.answered,
        "answer": answer.text,
        "claims": [_claim(claim, volume.spacing_is_known) for claim in answer.claims],
        "images": _images(answer),
        "seconds": round(seconds, 3),
    }
    more = {
        "reason": "" if answer.answered else answer.reason,
        "choice": answer.choice,
        "probabilities": list(answer.probabilities),
        "notes": [*volume.notes, *notes_of(named), *answer.notes],
    }
    return summary | {name: value for name, value in more.items() if value}


def _images(answer: Answer) -> list[dict[str, Any]]:
    """Return the slices that were sent; ``image`` names those of another image."""
    names = answer.image_names or ("",) * len(answer.images)
    return [
        {"axis": ref.axis, "index": ref.index} | ({"image": name} if name else {})
        for ref, name in zip(answer.images, names, strict=True)
    ]


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
        | ({"image": region.image_name} if region.image_name else {})
        for region in claim.regions
    ]
    return {"text": claim.text, "source": claim.source, "regions": regions}
