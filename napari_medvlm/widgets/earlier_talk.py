"""Earlier conversations about the same image, to go on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import resumable
from napari_medvlm.ledger.conversation_records import Asked
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ImageReference


@dataclass(frozen=True, eq=False)
class EarlierTalk:
    """Conversations that were not finished: their journal and what is in it."""

    path: Path
    ledger: Ledger

    def __str__(self) -> str:
        count = sum(isinstance(record, Asked) for record in self.ledger.records)
        last = self.ledger.records[-1].time.astimezone()
        questions = "1 question" if count == 1 else f"{count} questions"
        return f"{questions}, last changed {last:%d %B %Y, %H:%M}"


def earlier_talk(volume: Volume) -> EarlierTalk | None:
    """The latest conversations about an image in which anything was asked; may take a moment."""
    talks = map(_talk, resumable(ImageReference.of(volume), "ask"))
    return next((found for found in talks if found is not None), None)


def _talk(path: Path) -> EarlierTalk | None:
    try:
        ledger = Ledger.load(path)
    except SessionFileError:
        return None
    asked = any(isinstance(record, Asked) for record in ledger.records)
    return EarlierTalk(path, ledger) if asked else None
