"""A mouse event whose position lies on the drawn slice."""

from __future__ import annotations

from typing import Any


class EventOnSlice:
    """napari's mouse event with another coordinate across the slice.

    Parameters
    ----------
    event
        The event of napari, which it updates while the mouse is dragged.
    coordinate
        The axis of the world and the coordinate there; `None` to change nothing.
    """

    def __init__(self, event: Any, coordinate: tuple[int, float] | None) -> None:
        self._event = event
        self._coordinate = coordinate

    @property
    def position(self) -> tuple[float, ...]:
        """Where the mouse is, in the world."""
        position = list(self._event.position)
        if self._coordinate is not None:
            position[self._coordinate[0]] = self._coordinate[1]
        return tuple(position)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._event, name)
