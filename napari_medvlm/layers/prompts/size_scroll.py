"""Other sizes of the last point by Shift and the scroll wheel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.sessions.segment.session import SegmentationSession

if TYPE_CHECKING:
    from napari import Viewer

SIZE_KEYS = {"Shift"}
"""The keys that are held; napari scrolls slices with Control and layers with Alt."""


class SizeScroll:
    """Steps through the sizes of the active object's last point: up larger, down smaller.

    A mouse wheel makes a step with each notch; the small movements of a touchpad are summed up.

    Parameters
    ----------
    viewer
        Where the wheel is turned.
    session
        Whose last point changes its size.
    on_error
        Called with the error if the session refuses a step.
    """

    def __init__(
        self, viewer: Viewer, session: SegmentationSession, on_error: Callable[[MedVLMError], None]
    ) -> None:
        self._viewer, self._session, self._on_error = viewer, session, on_error
        self._turned = 0.0
        viewer.mouse_wheel_callbacks.append(self._on_wheel)

    def close(self) -> None:
        """Leave the viewer's wheel alone."""
        self._viewer.mouse_wheel_callbacks.remove(self._on_wheel)

    def _on_wheel(self, viewer: Viewer, event: Any) -> None:
        if {str(getattr(key, "name", key)) for key in event.modifiers} != SIZE_KEYS:
            self._turned = 0.0
            return
        event.handled = True
        # some systems report the wheel as horizontal while Shift is held
        self._turned += float(np.clip(np.sum(event.delta), -1, 1))
        if abs(self._turned) < 1:
            return
        by = 1 if self._turned > 0 else -1
        self._turned -= by
        try:
            self._session.step_size(by)
        except MedVLMError as error:
            self._turned = 0.0
            self._on_error(error)
