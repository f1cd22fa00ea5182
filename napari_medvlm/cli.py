"""The command line: the same sessions without a window."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_medvlm.backends.base import Progress
from napari_medvlm.errors import Cancelled, MedVLMError
from napari_medvlm.io import Gaps

app = typer.Typer(
    help="Ask questions of medical images, by click and by word. Not a medical device.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_show_locals=False,
)

Image = Annotated[
    Path, typer.Argument(help="NIfTI, NRRD, MHA, a DICOM file or folder, or a picture.")
]
Backend = Annotated[str, typer.Option(help="Who does the work; see 'napari-medvlm backends'.")]
Model = Annotated[str | None, typer.Option(help="The model's file or folder.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1 or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Series = Annotated[str | None, typer.Option(help="Which DICOM series: its UID, number or name.")]
Frame = Annotated[int | None, typer.Option(help="Which volume of a 4D file, from 0.")]


@app.command()
def segment(  # noqa: PLR0913  # one for each option
    image: Image,
    point: Annotated[list[str], typer.Option(help="Index z,y,x inside the object.")] = [],  # noqa: B006
    negative: Annotated[list[str], typer.Option(help="Index z,y,x outside the object.")] = [],  # noqa: B006
    box: Annotated[
        list[str], typer.Option(help="z,y,x:z,y,x around the object, the second corner excluded.")
    ] = [],  # noqa: B006
    out: Annotated[
        Path | None, typer.Option(help="Where to write the mask: .nii.gz, .nii, .nrrd or .mha.")
    ] = None,
    session: Annotated[
        Path | None, typer.Option(help="Where to write the session, to resume or replay it.")
    ] = None,
    backend: Backend = "embedded",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: Annotated[Gaps, typer.Option(help="What to do where DICOM slices are missing.")] = (
        Gaps.REFUSE
    ),
    as_json: AsJson = False,
) -> None:
    """Segment one object from points and boxes.

    Indices are in array order (z, y, x) from 0, as read_volume gives them; millimetres are
    patient coordinates (S, P, L). Boxes are taken first, then points, then negatives.
    """
    import napari_medvlm as nmv

    with _told():
        volume = nmv.read_volume(image, series=series, frame=frame, gaps=gaps)
        prompts: list[Any] = [nmv.Box.at_index(volume, *_corners(text)) for text in box]
        prompts += [nmv.Point.at_index(volume, _index(text)) for text in point]
        prompts += [nmv.Point.at_index(volume, _index(text), positive=False) for text in negative]
        if not any(prompt.positive for prompt in prompts):
            raise typer.BadParameter("Give at least one --point or --box inside the object.")
        with nmv.SegmentationSession(volume, backend, "inline", model=model, device=device) as work:
            seconds = [_seconds(work, prompt) for prompt in prompts]
            found = work.measurement(work.active or 0)
            if out is not None:
                nmv.write_mask(out, work.mask, volume)
            if session is not None:
                work.ledger.save(session)
        summary = {
            "volume_ml": round(found.volume_ml, 4),
            "box_mm": found.box_mm,
            "mean": round(found.mean, 4),
            "sd": round(found.sd, 4),
            "unit": found.unit,
            "seconds_per_click": round(sum(seconds) / len(seconds), 4),
            "clicks": len(seconds),
            "backend": backend,
            "out": None if out is None else str(out),
        }
        _print(summary, as_json, lambda: f"{found}; {summary['seconds_per_click']} s a click")


@app.command()
def replay(
    session: Annotated[Path, typer.Argument(help="A session (.json) or journal (.jsonl).")],
    image: Annotated[
        Path | None, typer.Option(help="The image, if it is no longer where it was.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="Another backend than the one of then.")
    ] = None,
    model: Model = None,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Compute the masks of a session again and tell whether they are identical.

    Ends with status 0 if all are, with 2 if one is not.
    """
    import napari_medvlm as nmv

    with _told():
        ledger = nmv.Ledger.load(session)
        volume = nmv.read_volume(_source(ledger, image))
        done = nmv.replay(ledger, volume, backend, model=model, device=device, runner="inline")
        objects = [
            {
                "object": r.name,
                "backend": r.backend,
                "identical": r.identical,
                "voxels_then": r.voxels_then,
                "voxels_now": r.voxels_now,
            }
            for r in done
        ]
        identical = all(r.identical is not False for r in done)
        _print(
            {"identical": identical, "objects": objects},
            as_json,
            lambda: "\n".join(
                [*(_line(r) for r in objects), "Identical." if identical else "Not identical."]
            ),
        )
        if not identical:
            raise typer.Exit(2)


@app.command()
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

    with _told():
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
    _print(summary, as_json, lambda: "\n".join(lines))


@app.command()
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

    with _told():
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
    _print(summary, as_json, lambda: answer.text)
    if not answer.answered:
        raise typer.Exit(3)


@app.command()
def backends(as_json: AsJson = False) -> None:
    """List the backends that are installed, with their licences and environments."""
    from napari_medvlm.backends import registry
    from napari_medvlm.worker.environments import Environments

    with _told():
        environments = Environments.load()
    found = {
        name: {
            "title": info.title,
            "tasks": sorted(info.tasks),
            "prompts": sorted(kind.label for kind in info.prompts),
            "code_licence": info.code_licence,
            "weights_licence": info.weights_licence,
            **_environment(environments, name),
        }
        for name in registry.names()
        for info in [registry.info(name)]
    }
    broken = dict(registry.problems())
    for name in environments.entries.keys() - found.keys() - broken.keys():
        broken[name] = f"{environments.path} names it, but there is no such backend."
    lines = [_backend_line(name, i) for name, i in found.items()]
    lines += [f"{name}: cannot be used. {reason}" for name, reason in broken.items()]
    _print({"backends": found, "broken": broken}, as_json, lambda: "\n".join(lines))


@app.command()
def download(
    model: Annotated[str, typer.Argument(help="Its id on the Hugging Face hub: owner/name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Show a model's licence and size, ask, and download it.

    Only weights in safetensors and texts are fetched; nothing about your images is sent.
    """
    from napari_medvlm.backends import downloads

    with _told():
        offered = downloads.offer(model)
        typer.echo(f"{offered.model}\n  licence: {offered.licence}")
        typer.echo(f"  size: {offered.size} in {offered.files} file(s)\n  {offered.url}")
        if offered.gated:
            typer.echo("  Its terms must be accepted on its page first.")
        if not (yes or not offered.files or typer.confirm("Download it?")):
            raise typer.Exit(1)
        with _shown() as progress:
            folder = downloads.fetch(model, progress)
        typer.echo(str(folder))


@contextmanager
def _shown() -> Iterator[Progress]:
    """A progress bar, and Ctrl-C that stops the download in all its threads."""
    from rich import progress as bars
    from rich.console import Console

    stopped = threading.Event()
    words = bars.TextColumn("{task.description}")
    columns = (bars.BarColumn(), words, bars.TimeRemainingColumn())
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        with bars.Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=1.0)

            def progress(fraction: float, message: str = "") -> None:
                if stopped.is_set():
                    raise Cancelled
                bar.update(task, completed=fraction, description=message)

            yield progress
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _told() -> Iterator[None]:
    """Errors that a person can mend are told in one line."""
    try:
        yield
    except MedVLMError as error:
        typer.secho(error.message, fg="red", err=True)
        if error.hint:
            typer.echo(error.hint, err=True)
        raise typer.Exit(1) from None


def _print(summary: dict[str, Any], as_json: bool, text: Callable[[], str]) -> None:
    sys.stdout.write((json.dumps(summary) if as_json else text()) + "\n")


def _environment(environments: Any, name: str) -> dict[str, str | None]:
    """The Python of a backend that has one of its own, and what is wrong with it."""
    try:
        environments.check(name)
    except MedVLMError as error:
        return {"python": None, "problem": str(error)}
    python = environments.python_of(name) if name in environments.entries else None
    return {"python": python, "problem": None}


def _backend_line(name: str, info: dict[str, Any]) -> str:
    licences = f"code {info['code_licence']}, weights {info['weights_licence']}"
    line = f"{name}: {info['title']} ({licences})"
    if info["problem"]:
        return f"{line}; cannot be used. {info['problem']}"
    return f"{line}; runs in {info['python']}" if info["python"] else line


def _index(text: str) -> tuple[float, float, float]:
    try:
        z, y, x = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an index z,y,x such as 89,96,77.") from None
    return z, y, x


def _corners(text: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    start, colon, stop = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"{text!r} is not a box z,y,x:z,y,x such as 80,90,70:99,120,90.")
    return _index(start), _index(stop)


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


def _seconds(session: Any, prompt: Any) -> float:
    """How long a prompt takes until its mask is there."""
    start = time.perf_counter()
    session.add(prompt)
    session.wait()
    return time.perf_counter() - start


def _source(ledger: Any, image: Path | None) -> Path:
    from napari_medvlm.errors import SessionFileError

    if image is not None:
        return image
    if ledger.image.source is None:
        raise SessionFileError(
            f"The session does not say where its image, {ledger.image.name}, is.",
            "Name it: --image scan.nii.gz",
        )
    return Path(ledger.image.source)


def _line(replayed: dict[str, Any]) -> str:
    states = {True: "identical", False: "NOT identical", None: "not recorded"}
    change = f"{replayed['voxels_then']} voxels then, {replayed['voxels_now']} now"
    return f"{replayed['object']}: {states[replayed['identical']]} ({change})"
