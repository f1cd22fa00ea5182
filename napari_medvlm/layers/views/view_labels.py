"""Orientation letters at the borders of a view, and a scale bar in mm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_medvlm.layers.display.overlay_text import add_panel
from napari_medvlm.layers.orientation import has_sides

if TYPE_CHECKING:
    from napari.components import ViewerModel

LETTERS = (("I", "S"), ("A", "P"), ("R", "L"))
"""Where each of the world's axes S, P, L comes from and leads to."""
SIDES = {
    "up": "top_center",
    "down": "bottom_center",
    "left": "middle_left",
    "right": "middle_right",
}
NARROW_PX, NARROW_UP = 420, "top_right"
"""Width of a canvas below which the upper letter is in a corner, clear of the text at the left."""
KEY = "orientation {}"
"""Key of the overlay at a side of the canvas."""
LENGTH_KEY = "scale bar length"
"""Key of the overlay with the length of the scale bar in mm: napari labels the bar in pixels."""
LENGTHS_MM = tuple(digit * 10.0**power for power in range(-4, 5) for digit in (1, 2, 5))
UNREADABLE_PT = (0.1, 0.11)
"""Sizes of napari's own label of the bar, in pixels; a text of ours says the length in mm."""
BAR_PX, BAR_SHARE = 120, 0.3
"""Length of the scale bar at most, in pixels and as a share of the width of the canvas."""


class ViewLabels:
    """Letters that say which way is which, and a scale bar, in one view.

    Parameters
    ----------
    view
        The viewer or a side view.
    """

    def __init__(self, view: ViewerModel) -> None:
        from napari.components.overlays import TextOverlay

        self._view = view
        bar = view.canvas.overlays.scale_bar
        self._bar_before = bar.visible, bar.font_size, bar.length, bar.box_color, bar.color
        add_panel(bar)
        view.canvas.overlays[LENGTH_KEY] = TextOverlay(
            position=bar.position, font_size=8, visible=False
        )
        for side, position in SIDES.items():
            view.canvas.overlays[KEY.format(side)] = TextOverlay(
                position=position, font_size=11, visible=False
            )
        for key in (LENGTH_KEY, *map(KEY.format, SIDES)):
            add_panel(view.canvas.overlays[key])
        for event in self._events():
            event.connect(self._show)
        view.scene.camera.events.zoom.connect(self._show_length)
        view.canvas.events.size.connect(self._show)
        view.layers.events.inserted.connect(self._show, position="last")
        self._show()

    def close(self) -> None:
        """Take the letters away, and the scale bar if it was not there before."""
        for event in self._events():
            event.disconnect(self._show)
        self._view.scene.camera.events.zoom.disconnect(self._show_length)
        self._view.canvas.events.size.disconnect(self._show)
        self._view.layers.events.inserted.disconnect(self._show)
        overlays = self._view.canvas.overlays
        bar = overlays.scale_bar
        bar.visible, bar.font_size, bar.length, bar.box_color, bar.color = self._bar_before
        for key in (LENGTH_KEY, *(KEY.format(side) for side in SIDES)):
            overlays.pop(key)

    def _events(self) -> tuple[Any, ...]:
        dims = self._view.dims.events
        return dims.order, dims.ndisplay, dims.ndim, self._view.scene.camera.events.orientation

    def _show(self, _: Any = None) -> None:
        view, overlays = self._view, self._view.canvas.overlays
        is_plane = view.dims.ndim >= 3 and view.dims.ndisplay == 2 and len(view.layers) > 0
        overlays.scale_bar.visible = overlays[LENGTH_KEY].visible = is_plane
        self._show_length()
        letters = letters_of(view) if is_plane and has_sides(view) else {}
        is_narrow = view.canvas.size[1] < NARROW_PX
        overlays[KEY.format("up")].position = NARROW_UP if is_narrow else SIDES["up"]
        for side in SIDES:
            overlay = overlays[KEY.format(side)]
            overlay.text = letters.get(side, "")
            overlay.visible = bool(overlay.text)
        if is_narrow and overlays.text.visible and "bottom" in str(overlays.text.position):
            overlays[KEY.format("down")].visible = False  # the text there names the directions

    def _show_length(self, _: Any = None) -> None:
        """Give the scale bar a round length in mm, and label it."""
        overlays, zoom = self._view.canvas.overlays, self._view.scene.camera.zoom
        longest_px = min(BAR_PX, BAR_SHARE * self._view.canvas.size[1])
        fitting = [length for length in LENGTHS_MM if length * zoom <= longest_px]
        length = max(fitting, default=LENGTHS_MM[0])
        bar = overlays.scale_bar
        bar.length = length
        is_first = bar.font_size == UNREADABLE_PT[0]
        bar.font_size = UNREADABLE_PT[is_first]  # napari draws the bar again only if this changes
        overlays[LENGTH_KEY].text = f"{length:g} mm"


def letters_of(view: ViewerModel) -> dict[str, str]:
    """The letter (R, L, A, P, S, I) at each side of a 2D view: up, down, left, right."""
    extra = int(view.dims.ndim) - 3
    down, across = (int(axis) - extra for axis in view.dims.displayed)
    vertical, horizontal = (str(way) for way in view.scene.camera.orientation2d)
    opposite = {"up": "down", "down": "up", "left": "right", "right": "left"}
    return {
        vertical: LETTERS[down][1],
        opposite[vertical]: LETTERS[down][0],
        horizontal: LETTERS[across][1],
        opposite[horizontal]: LETTERS[across][0],
    }
