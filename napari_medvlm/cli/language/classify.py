"""``classify``: how likely labels are for an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_medvlm.cli.options import (
    AsJson,
    AtGaps,
    Device,
    Frame,
    Image,
    Model,
    Series,
    Spacing,
    note_device,
    read_image,
)
from napari_medvlm.cli.output import print_note, print_result, report_errors
from napari_medvlm.io import Gaps

if TYPE_CHECKING:
    from napari_medvlm.data.classification import ClassificationResult, LabelQuery
    from napari_medvlm.data.volume import Volume


def classify(  # noqa: PLR0913  # one for each option
    image: Image,
    label: Annotated[list[str], typer.Argument(help="Labels, each in quotes.")],
    exclusive: Annotated[
        bool,
        typer.Option(
            help="Exactly one label is true; by default each is scored against its negation."
        ),
    ] = False,
    by_descriptors: Annotated[
        bool, typer.Option(help="Score findings by their visual descriptors (Xplainer, FLAIR).")
    ] = False,
    descriptors: Annotated[
        Path | None,
        typer.Option(help="Table of descriptors; default: descriptors.yaml of the settings."),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Backend; see 'napari-medvlm backends'.")
    ] = "similarity",
    model: Model = None,
    device: Device = "cpu",
    series: Series = None,
    frame: Frame = None,
    gaps: AtGaps = Gaps.REFUSE,
    spacing: Spacing = None,
    as_json: AsJson = False,
) -> None:
    """Estimate how likely labels are for an image.

    Probabilities of the slices are averaged; Merlin judges the whole volume.
    """
    with report_errors():
        volume = read_image(image, spacing, series=series, frame=frame, gaps=gaps)
        query = _query(
            tuple(label), exclusive, by_descriptors or descriptors is not None, descriptors
        )
        note_device(backend, device)
        result = _classified(volume, query, backend, model, device)
    for note in result.notes:
        print_note(note)
    summary = {
        "backend": backend,
        "probabilities": {name: round(p, 6) for name, p in result.probabilities.items()},
        "descriptors": {
            name: {text: round(p, 6) for text, p in own.items()}
            for name, own in result.descriptors.items()
        },
        "prompts": dict(result.prompts),
        "notes": [*volume.notes, *result.notes],
    }
    print_result(summary, as_json, lambda: "\n".join(_lines(result)))


def _query(
    labels: tuple[str, ...], exclusive: bool, described: bool, file: Path | None
) -> LabelQuery:
    from napari_medvlm.data.classification import LabelQuery
    from napari_medvlm.language.descriptor_sheet import load_sheet

    if not described:
        return LabelQuery(labels, exclusive)
    sheet = load_sheet(file)
    known = {name: sheet.descriptors.get(name.lower(), ()) for name in labels}
    own = {name: texts for name, texts in known.items() if texts}
    return LabelQuery(labels, exclusive, own, sheet.sentences)


def _classified(
    volume: Volume, query: LabelQuery, backend: str, model: str | None, device: str
) -> ClassificationResult:
    """The labels as judged in a worker process."""
    from napari_medvlm.sessions.classify import LabellingSession

    errors: list[Exception] = []
    with LabellingSession(volume) as session:
        session.failed.connect(errors.append)
        session.ask(query, backend, model, device)
        session.wait()
        result = session.labelling
    if errors:
        raise errors[0]
    assert result is not None
    return result


def _lines(result: Any) -> list[str]:
    lines = []
    for name, value in result.probabilities.items():
        lines.append(f"{name}: {value:.3f}")
        own = result.descriptors.get(name, {})
        lines += [f"  {text}: {p:.3f}" for text, p in own.items()]
    return lines
