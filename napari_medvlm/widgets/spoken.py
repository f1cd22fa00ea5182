"""What the Ground and Ask docks of a viewer have to say of an image, for a report, and back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from napari_medvlm.io.dicom_evaluations import Evaluation
from napari_medvlm.records import ImageReference
from napari_medvlm.sessions.conversing import AskSession
from napari_medvlm.sessions.evaluations import (
    evaluations_of_records,
    evaluations_of_talks,
    groundings_of,
)
from napari_medvlm.sessions.ground import GroundingSession

if TYPE_CHECKING:
    from napari import Viewer


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
    """Show what a report says was found in the Ground dock, if it has its series open."""
    for session in _sessions(viewer):
        if isinstance(session, GroundingSession) and session.volume.series in series:
            for who, found in groundings_of(evaluations).items():
                session.bring_in(who, found)


def _sessions(viewer: Viewer) -> Iterator[GroundingSession | AskSession]:
    for dock in viewer.window.dock_widgets.values():
        session = getattr(dock, "session", None)
        if isinstance(session, GroundingSession | AskSession):
            yield session
