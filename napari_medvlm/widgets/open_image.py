"""An image as docks work on it: its volume and its earlier sessions, off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from napari_medvlm.data.volume import Volume, require_contrast
from napari_medvlm.io.journal_files import Task
from napari_medvlm.layers import volume_of
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.earlier import EarlierSession, earlier_sessions

if TYPE_CHECKING:
    from napari.layers import Image

LISTED = 20
"""Most earlier sessions of an image that are offered."""


@dataclass(frozen=True)
class Prepared:
    """An image that can be worked on, with its earlier sessions; the one used last first."""

    volume: Volume
    sessions: tuple[EarlierSession, ...] = ()

    @property
    def earlier(self) -> EarlierSession | None:
        """The earlier session that was used last, if there is one."""
        return self.sessions[0] if self.sessions else None


def prepare(layer: Image, task: Task = "segment") -> Prepared:
    """Read the layer, check it, and list the earlier sessions of a task; takes up to seconds.

    Raises
    ------
    InvalidImage
        If it cannot be worked on.
    """
    volume = volume_of(layer)
    require_contrast(volume)
    there = earlier_sessions(ImageReference.of(volume), task)
    return Prepared(volume, tuple(islice(there, LISTED)))
