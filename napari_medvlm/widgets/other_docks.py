"""Between the docks: an answer's regions to Segment, and who looks for phrases in Ground."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, cast

from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.export.sr_evaluations import (
    evaluations_of_records,
    evaluations_of_talks,
    exchanges_of,
    groundings_of,
)
from napari_medvlm.sessions.ground.session import GroundingSession
from napari_medvlm.widgets.commands import find_dock
from napari_medvlm.widgets.segment.commands import dock_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

    from napari_medvlm.widgets.ground.dock import GroundDock


def send_to_segment(
    viewer: Viewer, layer: Image, volume: Volume, turn: Turn | None, claim: int | None
) -> None:
    """Make objects of the Segment dock of the regions of a claim.

    Raises
    ------
    InvalidPrompt
        If there is no region.
    """
    claims = () if turn is None or turn.answer is None else turn.answer.claims
    regions = () if claim is None or claim >= len(claims) else claims[claim].regions
    if turn is None or not regions:
        raise InvalidPrompt(
            "No sentence with a region is selected.", "Select a linked sentence first."
        )
    dock = dock_of(viewer)
    for region in regions:
        prompt = region.box if region.mask is None else InitialMask.of(volume, region.mask)
        name = region.name or region.phrase
        dock.take(layer, name, prompt, f"{name}, answered by {turn.backend}")


def ground_backend(viewer: Viewer) -> tuple[str, str | None]:
    """The backend and model of the Ground dock; the embedded one if that dock is not open."""
    dock = cast("GroundDock | None", find_dock(viewer, "Ground"))
    return ("embedded", None) if dock is None else (dock.backend.name, dock.model.model)


TITLE = "From a report"
"""Of the conversation with the answers of a report."""


def evaluations_of(viewer: Viewer, image: ImageReference) -> tuple[Evaluation, ...]:
    """What was found and answered in the docks that have an image open."""
    evaluations_of_model: list[Evaluation] = []
    for session in _sessions(viewer):
        if session.ledger.image.digest != image.digest:
            continue
        if isinstance(session, AskSession):
            evaluations_of_model += evaluations_of_talks(session.conversations)
        else:
            live = [
                r for r in session.ledger.records if getattr(r, "phrase", "") in session.located
            ]
            evaluations_of_model += evaluations_of_records(live)
    return tuple(evaluations_of_model)


def bring_in(viewer: Viewer, series: Collection[str], evaluations: Sequence[Evaluation]) -> None:
    """Show the content of a report in the docks that have its series open.

    What was found goes to the Ground dock, answers to the Ask dock unless they are there.
    """
    for session in _sessions(viewer):
        if session.volume.series not in series:
            continue
        if isinstance(session, AskSession):
            session.import_report(TITLE, exchanges_of(evaluations, session.conversations))
        else:
            for model_name, evaluations_of_model in groundings_of(evaluations).items():
                session.import_report(model_name, evaluations_of_model)


def _sessions(viewer: Viewer) -> Iterator[GroundingSession | AskSession]:
    for dock in viewer.window.dock_widgets.values():
        session = getattr(dock, "session", None)
        if isinstance(session, GroundingSession | AskSession):
            yield session
