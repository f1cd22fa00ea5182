"""``ground`` and ``ask``: places and answers from words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import (
    AsJson,
    Backend,
    Device,
    Frame,
    Image,
    Model,
    Series,
    Spacing,
    opened,
)
from napari_medvlm.cli.output import print_result, report_errors
from napari_medvlm.data.answer import Answer, AnswerKind


def ground(  # noqa: PLR0913  # one for each option
    image: Image,
    phrase: Annotated[list[str], typer.Argument(help="What to look for, each in quotes.")],
    labels: Annotated[
        list[Path],
        typer.Option(help="A label image of the patient, with its table of names beside it."),
    ] = [],  # noqa: B006
    slices: Annotated[
        str | None, typer.Option(help="Where to look: AXIS:START:STOP in array order, as 0:40:60.")
    ] = None,
    every_mm: Annotated[
        float, typer.Option(help="For models of pictures: from one slice to the next, in mm.")
    ] = 0.0,
    scout: Annotated[
        bool, typer.Option(help="Then look at all slices around those where something was found.")
    ] = False,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Tell where phrases are.

    Boxes are in patient millimetres (S, P, L): lowest and highest corner.
    """
    import napari_medvlm as nmv

    with report_errors():
        volume = opened(image, spacing, series=series, frame=frame)
        named = _labels(labels, volume)
        start = time.perf_counter()
        found = nmv.ground(
            volume, phrase, backend, scope=_scope(slices, every_mm, scout), labels=named,
            model=model, device=device,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    summary = {
        "backend": backend,
        "seconds": round(seconds, 3),
        "regions": [_region(region) for region in found.regions],
        "not_found": [
            {"phrase": n.phrase, "best_score": n.best_score, "reason": n.reason}
            for n in found.not_found
        ],
    }
    lines = [_region_line(region) for region in found.regions]
    lines += [f"{n.phrase}: not found. {n.reason}" for n in found.not_found]
    print_result(summary, as_json, lambda: "\n".join(lines))


Labels = Annotated[
    list[Path],
    typer.Option(help="A label image of the patient, with its table of names beside it."),
]
Sliced = Annotated[
    str | None,
    typer.Option("--slices", help="What the model is to see: AXIS:START:STOP, as 0:40:60."),
]
EveryMm = Annotated[
    float | None, typer.Option(help="From one slice that the model sees to the next, in mm.")
]
Masks = Annotated[
    list[str], typer.Option(help="An object: FILE or FILE:name, on the image's grid.")
]
BaseUrl = Annotated[
    str | None, typer.Option(help="The server to ask, as http://127.0.0.1:8000/v1.")
]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="Images may be sent to this server though it is outside; that is kept.",
    ),
]
Kind = Annotated[
    AnswerKind | None, typer.Option(help="What kind of answer is wanted; with --option: choice.")
]


def ask(  # noqa: PLR0913  # one for each option
    image: Image,
    question: Annotated[str, typer.Argument(help="In quotes.")],
    mask: Masks = [],  # noqa: B006
    labels: Labels = [],  # noqa: B006
    slices: Sliced = None,
    every_mm: EveryMm = None,
    context: Annotated[str, typer.Option(help="What is known of the patient.")] = "",
    kind: Kind = None,
    option: Annotated[list[str], typer.Option(help="An answer to choose from.")] = [],  # noqa: B006
    backend: Backend = "embedded",
    model: Model = None,
    base_url: BaseUrl = None,
    allow_remote: AllowRemote = False,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question about the image.

    Ends with status 3 if the question is beyond the backend.
    """
    import napari_medvlm as nmv

    with report_errors():
        volume = opened(image, spacing, series=series, frame=frame)
        masks = dict(_named_mask(text, volume) for text in mask)
        named = _labels(labels, volume)
        model = _model(backend, model, base_url, allow_remote)
        view = _view(volume, backend, slices, every_mm)
        start = time.perf_counter()
        answer = nmv.ask(
            volume, question, backend, masks=masks, labels=named, selection=view, context=context,
            kind=kind or (AnswerKind.CHOICE if option else AnswerKind.OPEN), options=option,
            model=model, device=device,
        )  # fmt: skip
        seconds = time.perf_counter() - start
    print_result(_summary(backend, answer, seconds), as_json, lambda: answer.text)
    if not answer.answered:
        raise typer.Exit(3)


def _model(backend: str, model: str | None, base_url: str | None, allowed: bool) -> str | None:
    """The model, with the server that it is behind."""
    from napari_medvlm.backends.openai_server.connection import joined
    from napari_medvlm.settings import allowed_hosts

    if base_url is None:
        if backend == "server" and "://" not in (model or ""):
            raise typer.BadParameter("Say with --base-url where the server is.")
        return model
    if allowed:
        allowed_hosts.allow(base_url)
    return joined(base_url, model or "")


def _view(volume: Any, backend: str, slices: str | None, every_mm: float | None) -> Any:
    """What a model is to see; `None`: no pictures."""
    from napari_medvlm.backends import registry
    from napari_medvlm.sessions.ask.model_input import ImageSelection

    if slices is None and every_mm is None:
        if registry.info(backend).measures:
            return None
        if volume.shape[0] > 1:
            raise typer.BadParameter(
                "Say with --slices or --every-mm which slices the model is to see."
            )
    return ImageSelection(_scope(slices, every_mm or 0.0, scout=False))


def _summary(backend: str, answer: Answer, seconds: float) -> dict[str, Any]:
    """What is printed as JSON."""
    made: dict[str, Any] = {
        "backend": backend,
        "answered": answer.answered,
        "answer": answer.text,
        "claims": [_claim(claim) for claim in answer.claims],
        "images": [{"axis": ref.axis, "index": ref.index} for ref in answer.images],
        "seconds": round(seconds, 3),
    }
    more = {
        "reason": "" if answer.answered else answer.reason,
        "choice": answer.choice,
        "probabilities": list(answer.probabilities),
        "notes": list(answer.notes),
    }
    return made | {name: value for name, value in more.items() if value}


def _labels(paths: list[Path], volume: Any) -> list[Any]:
    """Label images with names; what was left out of one is told beside the result."""
    from napari_medvlm.io.label_images import read_labels

    named = [read_labels(path, grid=volume.grid) for path in paths]
    for note in (note for labels in named for note in labels.notes):
        typer.echo(note, err=True)
    return named


def _named_mask(text: str, volume: Any) -> tuple[str, Any]:
    """The name and the mask of FILE or FILE:name."""
    import napari_medvlm as nmv
    from napari_medvlm.data.geometry.grid import require_same_grid

    path, _, name = text.rpartition(":") if not Path(text).exists() else (text, "", "")
    if not path:
        path = text
    loaded = nmv.read_volume(path)
    require_same_grid(loaded.grid, volume.grid, f"The mask {Path(path).name}")
    return name or Path(path).name.split(".")[0], loaded.data != 0


def _claim(claim: Any) -> dict[str, Any]:
    regions = [
        {
            "kind": str(region.kind),
            "box_mm": region.bounds_mm.round(3).tolist(),
            "source": claim.source,
        }
        for region in claim.regions
    ]
    return {"text": claim.text, "source": claim.source, "regions": regions}


def _scope(slices: str | None, every_mm: float, scout: bool) -> Any:
    from napari_medvlm.data.grounding import Scope

    if slices is None:
        return Scope(every_mm=every_mm, scout=scout)
    try:
        axis, start, stop = (int(part) for part in slices.split(":"))
    except ValueError:
        raise typer.BadParameter(f"{slices!r} is not AXIS:START:STOP such as 0:40:60.") from None
    return Scope(axis, start, stop, every_mm, scout)


def _region(region: Any) -> dict[str, Any]:
    return {
        "phrase": region.phrase,
        "score": region.score,
        "kind": str(region.kind),
        "name": region.name,
        "box_mm": region.bounds_mm.round(3).tolist(),
        "center_mm": region.center_mm.round(3).tolist(),
    }


def _region_line(region: Any) -> str:
    center = ", ".join(f"{v:.1f}" for v in region.center_mm)
    score = "" if region.score is None else f", score {region.score:.2f}"
    return f"{region.phrase}: {region.name or region.kind} at ({center}) mm{score}"
