"""``ground`` and ``ask``: places and answers from words."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.cli.options import AsJson, Backend, Device, Frame, Image, Model, Series
from napari_medvlm.cli.telling import print_result, told


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
    as_json: AsJson = False,
) -> None:
    """Tell where phrases are.

    Boxes are in patient millimetres (S, P, L): lowest and highest corner.
    """
    import napari_medvlm as nmv
    from napari_medvlm.io.labels import read_labels

    with told():
        volume = nmv.read_volume(image, series=series, frame=frame)
        named = [read_labels(path) for path in labels]
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


def ask(  # noqa: PLR0913  # one for each option
    image: Image,
    question: Annotated[str, typer.Argument(help="In quotes.")],
    mask: Annotated[
        list[str], typer.Option(help="An object: FILE or FILE:name, on the image's grid.")
    ] = [],  # noqa: B006
    labels: Annotated[
        list[Path],
        typer.Option(help="A label image of the patient, with its table of names beside it."),
    ] = [],  # noqa: B006
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question about the image.

    Ends with status 3 if the question is beyond the backend.
    """
    import napari_medvlm as nmv
    from napari_medvlm.io.labels import read_labels

    with told():
        volume = nmv.read_volume(image, series=series, frame=frame)
        masks = dict(_named_mask(text, volume) for text in mask)
        named = [read_labels(path) for path in labels]
        start = time.perf_counter()
        answer = nmv.ask(
            volume, question, backend, masks=masks, labels=named, model=model, device=device
        )
        seconds = time.perf_counter() - start
    summary = {
        "backend": backend,
        "answered": answer.answered,
        "answer": answer.text,
        "claims": [_claim(claim) for claim in answer.claims],
        "images": [{"axis": ref.axis, "index": ref.index} for ref in answer.images],
        "seconds": round(seconds, 3),
    }
    if not answer.answered:
        summary["reason"] = answer.reason
    print_result(summary, as_json, lambda: answer.text)
    if not answer.answered:
        raise typer.Exit(3)


def _named_mask(text: str, volume: Any) -> tuple[str, Any]:
    """The name and the mask of FILE or FILE:name."""
    import napari_medvlm as nmv
    from napari_medvlm.geometry import require_same_grid

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
    from napari_medvlm.grounding import Scope

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
