"""When the parts of the Segment dock are drawn after a click."""

from __future__ import annotations

from napari_medvlm.ledger.ledger import Ledger

REST_MS = 60
"""How long after the masks all else is shown."""
PENDING_MS = 500
"""How long it waits for a mask that is on its way: drawing would slow a fast model down."""
FAST_S, SOON_MS = 0.25, 300
"""A model that takes no longer slows down if a click is drawn meanwhile: its mask comes first."""


def is_fast(ledger: Ledger) -> bool:
    """Whether the mask of a click comes so soon that the click can be drawn with it."""
    last = ledger.last_prediction
    return last is not None and last.seconds < FAST_S
