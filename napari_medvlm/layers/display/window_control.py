"""The window of an image layer: presets, undo, and its text in the canvas."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import windows
from napari_medvlm.layers.convert import KEY, is_image
from napari_medvlm.layers.display.overlay_text import add_panel
from napari_medvlm.layers.display.window_history import WindowHistory

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

OVERLAY = "medvlm_window"
"""Name of the text overlay of the canvas."""
LEAST_SHARE = 1e-6
"""Least width of a window of floating-point data, as a share of the layer's range."""


class WindowControl:
    """The window of the image that is chosen in a dock, or else of the topmost image.

    Parameters
    ----------
    viewer
        Its canvas shows the window in a text overlay of its own.
    """

    changed = Signal()
    """The window or the layer is another one."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._chosen: Image | None = None
        self._watched: Image | None = None
        self._histories: dict[object, WindowHistory] = {}
        self._presets: dict[object, Mapping[str, Window]] = {}
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed):
            event.connect(self._on_layers)
        self._on_layers()

    @property
    def layer(self) -> Image | None:
        """The layer whose window is changed; never one in colour, which has no window."""
        layers = self.viewer.layers
        if self._chosen is not None and self._chosen in layers:
            return None if self._chosen.rgb else self._chosen
        images = [layer for layer in layers if is_image(layer) and layer.visible and not layer.rgb]
        return images[-1] if images else None

    @property
    def window(self) -> Window | None:
        """The present window."""
        layer = self.layer
        return None if layer is None else _window(layer)

    def follow(self, layer: Image | None) -> None:
        """Change the window of this layer from now on."""
        self._chosen = layer
        self._on_layers()

    def presets(self) -> Mapping[str, Window]:
        """Windows to choose from, by name; the first is the one that the image was opened with."""
        layer = self.layer
        return {} if layer is None else self._presets[layer.unique_id]

    def use_preset(self, number: int) -> None:
        """Show a preset.

        Parameters
        ----------
        number
            In `presets`, from 1.

        Raises
        ------
        InvalidImage
            If the image has no such preset.
        """
        self._required()
        presets = list(self.presets().values())
        if number > len(presets):
            raise InvalidImage(
                f"The image has no window preset {number}.",
                f"Use 1 to {len(presets)}." if len(presets) > 1 else "Press W and drag instead.",
            )
        self.show(presets[number - 1])

    def show(self, window: Window) -> None:
        """Show a window, as one step of undo."""
        self.begin()
        self.change(window)
        self.end()

    def begin(self) -> None:
        """Begin a step of undo that lasts until `end`."""
        self._histories[self._required().unique_id].begin()

    def end(self) -> None:
        """End a step of undo."""
        for history in self._histories.values():
            history.end()

    def change(self, window: Window) -> None:
        """Set the window, no narrower than the data can resolve."""
        layer = self._required()
        low, high = layer.contrast_limits_range
        least = 1.0 if layer.dtype.kind in "iub" else max(LEAST_SHARE * (high - low), 1e-30)
        if window.width < least:
            window = Window(window.center, least)
        layer.contrast_limits = window.limits

    def undo(self) -> None:
        """Go back to the window before the last change.

        Raises
        ------
        InvalidImage
            If there is none.
        """
        layer = self._required()
        before = self._histories[layer.unique_id].undo()
        if before is None:
            raise InvalidImage("The window was not changed.", "There is nothing to undo.")
        layer.contrast_limits = before.limits

    @property
    def is_pet(self) -> bool:
        """Whether the layer is a PET image, whose lower limit stays when the mouse is dragged."""
        layer = self.layer
        volume = None if layer is None else _volume(layer)
        return volume is not None and volume.modality is Modality.PT

    def _required(self) -> Image:
        layer = self.layer
        if layer is None:
            raise InvalidImage("There is no grey image.", "Open an image to change its window.")
        return layer

    def _on_layers(self, _: object = None) -> None:
        """Watch the layer whose window is changed."""
        layer = self.layer
        if layer is not self._watched:
            if self._watched is not None:
                self._watched.events.contrast_limits.disconnect(self._on_window)
            if layer is not None:
                layer.events.contrast_limits.connect(self._on_window)
                self._remember(layer)
            self._watched = layer
        self._notify()

    def _remember(self, layer: Image) -> None:
        if layer.unique_id in self._histories:
            return
        self._histories[layer.unique_id] = WindowHistory(_window(layer))
        volume = _volume(layer)
        own = {"As loaded": _window(layer)} if volume is None else windows(volume)
        self._presets[layer.unique_id] = own

    def _on_window(self, _: object = None) -> None:
        if self._watched is not None:
            window = _window(self._watched)
            self._histories[self._watched.unique_id].add(window, time.monotonic())
        self._notify()

    def _notify(self) -> None:
        window = self.window
        overlay = self._overlay()
        overlay.text = "" if window is None else str(window)
        overlay.visible = window is not None
        self.changed.emit()

    def _overlay(self) -> Any:
        from napari.components.overlays import TextOverlay

        overlays = self.viewer.canvas.overlays
        if OVERLAY not in overlays:
            overlays[OVERLAY] = TextOverlay(position="top_left")
            add_panel(overlays[OVERLAY])
        return overlays[OVERLAY]


def _window(layer: Image) -> Window:
    low, high = layer.contrast_limits
    return Window.of_limits(float(low), float(high))


def _volume(layer: Image) -> Volume | None:
    mine = layer.metadata.get(KEY)
    volume = mine.get("volume") if isinstance(mine, Mapping) else None
    return volume if isinstance(volume, Volume) else None
