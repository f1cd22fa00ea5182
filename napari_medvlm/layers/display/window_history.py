"""Earlier windows of a layer, for undo."""

from __future__ import annotations

from napari_medvlm.data.volume import Window

MERGE_S = 0.7
"""Changes that follow each other faster are one step, as those of a slider that is dragged."""


class WindowHistory:
    """The windows that a layer had, oldest first; the last is the present one.

    Parameters
    ----------
    window
        The present window.
    """

    def __init__(self, window: Window) -> None:
        self._windows = [window]
        self._changed_s = 0.0
        self._is_new_step = True
        self._is_open_step = False

    def begin(self) -> None:
        """Begin a step: all changes until `end` are undone at once."""
        self._is_new_step = self._is_open_step = True

    def end(self) -> None:
        """End a step: the next change is another one."""
        self._is_new_step, self._is_open_step = True, False

    def add(self, window: Window, time_s: float) -> None:
        """Add the window after a change.

        Parameters
        ----------
        window
            What the layer now has.
        time_s
            When it was changed, on a monotonic clock.
        """
        if window == self._windows[-1]:
            return
        is_soon = self._is_open_step or time_s - self._changed_s < MERGE_S
        if is_soon and not self._is_new_step:
            self._windows[-1] = window
        else:
            self._windows.append(window)
        self._is_new_step, self._changed_s = False, time_s

    def undo(self) -> Window | None:
        """Go back one step: the window to show, or `None` if there is none before."""
        if len(self._windows) == 1:
            return None
        self._windows.pop()
        self._is_new_step = True
        return self._windows[-1]
