"""What must be known of an image before it can be worked on, found out off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.volume import Volume, require_contrast
from napari_medvlm.io.journal import resumable
from napari_medvlm.layers import volume_of
from napari_medvlm.ledger.conversation_records import QuestionRecord
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ImageReference

if TYPE_CHECKING:
    from napari.layers import Image


@dataclass(frozen=True)
class EarlierSession:
    """A session of the same image that was not finished: its journal and what is in it."""

    path: Path
    ledger: Ledger

    def __str__(self) -> str:
        last = self.ledger.records[-1].time.astimezone()
        today = last.date() == datetime.now().astimezone().date()
        when = f"{last:%H:%M}" if today else f"{last:%d %B %Y, %H:%M}"
        objects = len(self.ledger.now.objects)
        prompts = sum(len(live.prompts) for live in self.ledger.now.objects.values())
        return f"{_count(objects, 'object')} with {_count(prompts, 'prompt')}, last changed {when}"


@dataclass(frozen=True)
class Prepared:
    """An image that can be worked on, with an earlier session of it if there is one."""

    volume: Volume
    earlier: EarlierSession | None


def prepare(layer: Image) -> Prepared:
    """Read the layer, check it, and look for an earlier session; takes up to seconds.

    Raises
    ------
    InvalidImage
        If it cannot be worked on.
    """
    volume = volume_of(layer)
    require_contrast(volume)
    earlier = map(_earlier, resumable(ImageReference.of(volume)))
    return Prepared(volume, next((session for session in earlier if session is not None), None))


def _earlier(path: Path) -> EarlierSession | None:
    try:
        ledger = Ledger.load(path)
    except SessionFileError:
        return None
    return EarlierSession(path, ledger) if ledger.now.objects else None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@dataclass(frozen=True, eq=False)
class EarlierConversation:
    """Conversations that were not finished: their journal and what is in it."""

    path: Path
    ledger: Ledger

    def __str__(self) -> str:
        count = sum(isinstance(record, QuestionRecord) for record in self.ledger.records)
        last = self.ledger.records[-1].time.astimezone()
        questions = "1 question" if count == 1 else f"{count} questions"
        return f"{questions}, last changed {last:%d %B %Y, %H:%M}"


def earlier_talk(volume: Volume) -> EarlierConversation | None:
    """The latest conversations about an image in which anything was asked; may take a moment."""
    talks = map(_talk, resumable(ImageReference.of(volume), "ask"))
    return next((session for session in talks if session is not None), None)


def _talk(path: Path) -> EarlierConversation | None:
    try:
        ledger = Ledger.load(path)
    except SessionFileError:
        return None
    asked = any(isinstance(record, QuestionRecord) for record in ledger.records)
    return EarlierConversation(path, ledger) if asked else None
