"""What the Ground and Ask docks of a viewer have to say of an image, for a report, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.ledger.records import ImageReference
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.export.sr_evaluations import (
    evaluations_of_records,
    evaluations_of_talks,
    exchanges_of,
    groundings_of,
)
from napari_medvlm.sessions.ground import GroundingSession

if TYPE_CHECKING:
    from napari import Viewer

TITLE = "From a report"
"""Of the conversation with the answers that a report tells."""


def said_of(viewer: Viewer, image: ImageReference) -> tuple[Evaluation, ...]:
    """What was found and answered in the docks that have an image open."""
    found: list[Evaluation] = []
    for session in _sessions(viewer):
        if session.ledger.image.digest != image.digest:
            continue
        if isinstance(session, AskSession):
            found += evaluations_of_talks(session.conversations)
        else:
            live = [
                r for r in session.ledger.records if getattr(r, "phrase", "") in session.located
            ]
            found += evaluations_of_records(live)
    return tuple(found)


def bring_in(viewer: Viewer, series: Collection[str], evaluations: Sequence[Evaluation]) -> None:
    """Show what a report tells in the docks that have its series open.

    What was found goes to the Ground dock, answers to the Ask dock unless they are there.
    """
    for session in _sessions(viewer):
        if session.volume.series not in series:
            continue
        if isinstance(session, AskSession):
            session.bring_in(TITLE, exchanges_of(evaluations, session.conversations))
        else:
            for who, found in groundings_of(evaluations).items():
                session.bring_in(who, found)


def _sessions(viewer: Viewer) -> Iterator[GroundingSession | AskSession]:
    for dock in viewer.window.dock_widgets.values():
        session = getattr(dock, "session", None)
        if isinstance(session, GroundingSession | AskSession):
            yield session
