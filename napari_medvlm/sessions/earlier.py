"""Earlier sessions of an image: what their journals contain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.geometry.pairing import PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal_files import Task, is_open, journals, title_of
from napari_medvlm.ledger.conversation_records import QuestionRecord
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import Grounded, ImageReference

RESUMED_TASKS: tuple[Task, ...] = ("segment", "ground", "ask")
"""The tasks whose sessions can be resumed."""


PAIRING_NAMES = {
    PairingKind.IDENTITY: "same positions",
    PairingKind.SPATIAL_REGISTRATION: "DICOM registration",
    PairingKind.RIGID: "rigid registration",
    PairingKind.AFFINE: "affine registration",
    PairingKind.DEFORMABLE: "deformable registration",
    PairingKind.MANUAL: "corrected registration",
}


@dataclass(frozen=True, eq=False)
class EarlierSession:
    """A session of an image: its journal and what is in it.

    Attributes
    ----------
    title
        The title that the user gave it; empty if there is none.
    is_open
        Whether a window has it open.
    """

    task: Task
    path: Path
    ledger: Ledger
    title: str = ""
    is_open: bool = False

    @property
    def content(self) -> str:
        """What is in it, such as ``"2 objects with 3 prompts"``; empty if there is nothing."""
        records = self.ledger.records
        if self.task == "segment":
            objects = self.ledger.now.objects.values()
            prompts = _count(sum(len(live.prompts) for live in objects), "prompt")
            return f"{_count(len(objects), 'object')} with {prompts}" if objects else ""
        if self.task == "ground":
            phrases = {record.phrase for record in records if isinstance(record, Grounded)}
            return _count(len(phrases), "phrase") if phrases else ""
        if self.task == "register":
            return _pairings(self.ledger)
        questions = sum(isinstance(record, QuestionRecord) for record in records)
        return _count(questions, "question") if questions else ""

    @property
    def last_changed(self) -> str:
        """When it was last changed, in local time: of today the time, else also the date."""
        last = self.ledger.records[-1].time.astimezone()
        today = last.date() == datetime.now().astimezone().date()
        return f"{last:%H:%M}" if today else f"{last:%d %B %Y, %H:%M}"

    def __str__(self) -> str:
        damage = f" ({self.ledger.damage.rstrip('.')})" if self.ledger.damage else ""
        title = f"{self.title}: " if self.title else ""
        return f"{title}{self.content}, last changed {self.last_changed}{damage}"

    def reload(self) -> Ledger:
        """The ledger as it is on the disk now; `SessionFileError` if it cannot be read."""
        return Ledger.load(self.path, self.ledger.image)


def earlier_sessions(
    image: ImageReference, *tasks: Task, with_open: bool = False
) -> Iterator[EarlierSession]:
    """The sessions of an image that have any content; of each task, the last used first.

    Parameters
    ----------
    tasks
        Their tasks, in this order; all that can be resumed if none is passed.
    with_open
        Also those that a window has open.
    """
    for task in tasks or RESUMED_TASKS:
        for path in journals(image, task):
            used = is_open(path)
            session = None if used and not with_open else _session(task, path, image, used)
            if session is not None and session.content:
                yield session


def _session(task: Task, path: Path, image: ImageReference, used: bool) -> EarlierSession | None:
    """The session of a journal; `None` if it cannot be read."""
    try:
        ledger = Ledger.load(path, image)
    except SessionFileError:
        return None
    return EarlierSession(task, path, ledger, title_of(path), used)


def _pairings(ledger: Ledger) -> str:
    """The pairing that counts and how many were corrected before it; empty if there is none."""
    chosen = ledger.now.pairing
    if chosen is None:
        return ""
    before = len(ledger.entries) - 1
    corrected = f" after {_count(before, 'other registration')}" if before else ""
    return f"{PAIRING_NAMES[chosen.kind]} of {chosen.prior_name}{corrected}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def check_image(ledger: Ledger, volume: Volume) -> None:
    """Raise `SessionFileError` unless the ledger is about the volume."""
    if ledger.image.digest == volume.digest:
        return
    raise SessionFileError(
        f"The session is about another image, {ledger.image.name} {ledger.image.shape}, "
        f"than {volume.name} {volume.shape}.",
        "Open the image that the session was made on"
        + (f": {ledger.image.source}" if ledger.image.source else "."),
    )
