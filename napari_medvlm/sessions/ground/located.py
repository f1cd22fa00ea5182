"""The answers for phrases: of one phrase, of several, and of an earlier session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_medvlm.data.geometry.channels import resampling_notes
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import Grounded
from napari_medvlm.worker.messages import GroundRequest


@dataclass(frozen=True, eq=False)
class Located:
    """The answer for one phrase: its regions, the backend, its time in seconds, the request."""

    phrase: str
    grounding: Grounding
    backend: str
    seconds: float
    request: GroundRequest


def combined(parts: Sequence[Grounding]) -> Grounding:
    """Several answers in a single `Grounding`."""
    return Grounding(
        regions=tuple(region for part in parts for region in part.regions),
        not_found=tuple(missing for part in parts for missing in part.not_found),
        slices=tuple(dict.fromkeys(ref for part in parts for ref in part.slices)),
        window=next((p.window for p in reversed(parts) if p.window is not None), None),
        prompts={phrase: text for part in parts for phrase, text in part.prompts.items()},
        texts=tuple(text for part in parts for text in part.texts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def located_in(ledger: Ledger, volume: Volume, device: str) -> dict[str, Located]:
    """The latest answer for each phrase in a ledger, in the order of the first ones."""
    located: dict[str, Located] = {}
    for record in ledger.records:
        if isinstance(record, Grounded):
            phrase = record.phrase
            prompts = {} if record.sent == phrase else {phrase: record.sent}
            query = GroundQuery((phrase,), prompts=prompts)
            request = GroundRequest(record.backend, volume, record.model, device, query)
            grounding = record.grounding()
            located[phrase] = Located(phrase, grounding, record.backend, record.seconds, request)
    return located


def with_notes(grounding: Grounding, query: GroundQuery) -> Grounding:
    """A grounding with notes on resampled channels, and on a description that was not sent."""
    notes = (*resampling_notes(query.channels), *grounding.notes)
    unsent = [
        phrase
        for phrase, definition in query.descriptions.items()
        if phrase in query.phrases and definition not in grounding.prompts.get(phrase, "")
    ]
    if unsent:
        note = "The description was not sent: this model has no sentence for descriptions."
        notes = (*notes, note)
    return replace(grounding, notes=notes)
