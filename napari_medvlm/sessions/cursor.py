"""The cursor position: the point of the patient that all views of an image show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from psygnal import Signal

Position = tuple[float, float, float]


class CursorPosition:
    """A point in patient millimetres that every view of an image follows.

    Tables, claims, object lists and crosshairs set it with `move_to`; views connect to `moved`.

    Attributes
    ----------
    moved
        Emitted with the new position ``(S, P, L)`` in mm, after it has changed.
    """

    moved = Signal(object)

    def __init__(self) -> None:
        self._position_mm: Position | None = None

    @property
    def position_mm(self) -> Position | None:
        """``(S, P, L)`` in patient millimetres; `None` until it is set."""
        return self._position_mm

    def move_to(self, spl_mm: Sequence[float]) -> None:
        """Set the position, ``(S, P, L)`` in mm.

        Raises
        ------
        ValueError
            If there are not three finite numbers.
        """
        s, p, left = (float(value) for value in spl_mm)
        if not np.isfinite((s, p, left)).all():
            raise ValueError(f"The cursor position {(s, p, left)} is not finite.")
        if (s, p, left) != self._position_mm:
            self._position_mm = s, p, left
            self.moved.emit(self._position_mm)

    def clear(self) -> None:
        """Forget the position, when no image is open any more."""
        self._position_mm = None
