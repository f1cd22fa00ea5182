"""What must be known of an image before it can be worked on, found out off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
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

LISTED = 20
"""Most earlier sessions of an image that are offered."""


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
        damage = f" ({self.ledger.damage.rstrip('.')})" if self.ledger.damage else ""
        content = f"{_count(objects, 'object')} with {_count(prompts, 'prompt')}"
        return f"{content}, last changed {when}{damage}"


@dataclass(frozen=True)
class Prepared:
    """An image that can be worked on, with its earlier sessions; the one used last first."""

    volume: Volume
    sessions: tuple[EarlierSession, ...] = ()

    @property
    def earlier(self) -> EarlierSession | None:
        """The earlier session that was used last, if there is one."""
        return self.sessions[0] if self.sessions else None


def prepare(layer: Image) -> Prepared:
    """Read the layer, check it, and look for an earlier session; takes up to seconds.

    Raises
    ------
    InvalidImage
        If it cannot be worked on.
    """
    volume = volume_of(layer)
    require_contrast(volume)
    image = ImageReference.of(volume)
    earlier = (_earlier(path, image) for path in resumable(image))
    there = (session for session in earlier if session is not None)
    return Prepared(volume, tuple(islice(there, LISTED)))


def _earlier(path: Path, image: ImageReference | None = None) -> EarlierSession | None:
    try:
        ledger = Ledger.load(path, image)
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
    image = ImageReference.of(volume)
    talks = (_talk(path, image) for path in resumable(image, "ask"))
    return next((session for session in talks if session is not None), None)


def _talk(path: Path, image: ImageReference) -> EarlierConversation | None:
    try:
        ledger = Ledger.load(path, image)
    except SessionFileError:
        return None
    asked = any(isinstance(record, QuestionRecord) for record in ledger.records)
    return EarlierConversation(path, ledger) if asked else None
