"""Choosing the window (brightness and contrast) of the image, and undo of its changes."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QWidget

from napari_medvlm.data.volume import Window
from napari_medvlm.layers.display.window_control import WindowControl
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.runtime.notify import guarded

HELP = (
    "Window presets. Hold W and drag in the canvas: horizontally for the width, vertically for the"
    " level. Hold Shift+W and drag a rectangle to set the window from its intensities."
)
TOOLTIP_ROLE = 3
"""Qt's item data of a tooltip."""


class WindowRow(QWidget):
    """A list of window presets and a button for undo.

    Parameters
    ----------
    control
        The window of a viewer, which other docks and the mouse change, too.
    """

    def __init__(self, control: WindowControl) -> None:
        super().__init__()
        self._control = control
        self._offered: Mapping[str, Window] = {}
        self._list = QComboBox()
        self._list.setToolTip(HELP)
        self._list.setPlaceholderText("Manual")
        self._list.textActivated.connect(guarded(self._on_chosen))
        self.undo = button("Undo window", "Undo the last change of the window. (Shift+U)")
        on_click(self.undo, control.undo)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list, 1)
        layout.addWidget(self.undo)
        control.changed.connect(self._refresh)
        self._refresh()

    @property
    def shown(self) -> str:
        """The preset that is shown; empty if the window is none of them."""
        return str(self._list.currentText())

    def close_row(self) -> None:
        """Leave the window's changes to others."""
        self._control.changed.disconnect(self._refresh, missing_ok=True)

    def _refresh(self) -> None:
        presets, window = self._control.presets(), self._control.window
        if presets is not self._offered:
            self._offered = presets
            self._list.clear()
            for number, (name, preset) in enumerate(presets.items(), 1):
                self._list.addItem(name)
                self._list.setItemData(number - 1, f"{preset}; Ctrl+{number}", TOOLTIP_ROLE)
        names = [name for name, preset in presets.items() if _is_same(preset, window)]
        if self.shown not in names:
            self._list.setCurrentIndex(self._list.findText(names[0]) if names else -1)
        self.setEnabled(window is not None)

    def _on_chosen(self, name: str) -> None:
        self._control.show(self._offered[name])


def _is_same(preset: Window, window: Window | None) -> bool:
    if window is None:
        return False
    tolerance = 1e-6 * preset.width
    return all(abs(a - b) <= tolerance for a, b in zip(preset.limits, window.limits, strict=True))
