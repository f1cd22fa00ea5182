"""The pace of redraws: what was changed last is drawn before anything else is changed."""

from __future__ import annotations

import math
import time

GAP_MS = 20
"""Time for Qt to begin drawing a change, which it does 5 ms after it, as a timer of its own."""


class RedrawPace:
    """When something that is drawn was changed last, in any window.

    Qt draws all canvases of a window in one turn of the event loop that were changed until then,
    and the window does not react meanwhile. Changes that wait for each other are drawn in turns of
    their own.
    """

    def __init__(self) -> None:
        self._free_s = 0.0

    def note_change(self) -> None:
        """Remember that something was changed just now."""
        self._free_s = time.monotonic() + GAP_MS / 1000

    @property
    def wait_ms(self) -> int:
        """Milliseconds until something else may be changed; 0 if it may be now."""
        return max(0, math.ceil(1000 * (self._free_s - time.monotonic())))


pace = RedrawPace()
"""That of this process: all windows are drawn in one thread."""
