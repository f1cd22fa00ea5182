"""What a reader of a transcript asks for, by the number of the turn."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal


class TranscriptSignals(QObject):
    """The signals of a transcript, which its cards and their sentences emit.

    Attributes
    ----------
    turn_chosen
        A turn is to be shown in full.
    claim_chosen, find_requested
        The numbers of the turn and of a sentence of its answer, from 0.
    marked
        The numbers of the turn and of a sentence, and the `Mark` or `None`.
    image_chosen
        The `SentImage` that was clicked.
    regenerate_requested, edit_requested
        The number of the turn.
    evidence_requested
        The numbers of the turn and of an image that was sent, from 0.
    """

    turn_chosen = Signal(int)
    claim_chosen = Signal(int, int)
    find_requested = Signal(int, int)
    marked = Signal(int, int, object)
    image_chosen = Signal(object)
    regenerate_requested = Signal(int)
    edit_requested = Signal(int)
    evidence_requested = Signal(int, int)
