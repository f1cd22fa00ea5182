"""Choosing one of the viewer's layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox

from napari_medvlm.widgets.runtime.threads import MainThreadQueue

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer


class LayerChoice(QComboBox):
    """The layers of a viewer that fit, kept up to date as layers come, go and are renamed.

    Attributes
    ----------
    chosen
        The layer that is now shown, or `None`, whenever that changes.
    """

    chosen = Signal(object)

    def __init__(self, viewer: Viewer, fits: Callable[[Layer], bool]) -> None:
        super().__init__()
        self.setToolTip("Layer to use.")
        self._viewer = viewer
        self._fits = fits
        self._last: Layer | None = None
        self._shortened = MainThreadQueue(self._refresh, self)
        viewer.layers.events.inserted.connect(self._refresh)
        viewer.layers.events.removed.connect(self._on_removed)
        self.currentIndexChanged.connect(self._on_index)
        self._refresh()

    def choose(self, layer: Layer) -> None:
        """Choose a layer, if it is offered."""
        for index in range(self.count()):
            # napari may give a plugin a proxy of the layer: equal to it, but not identical.
            if self.itemData(index) == layer:
                self.setCurrentIndex(index)

    @property
    def layer(self) -> Layer | None:
        """The layer chosen."""
        return self.currentData()

    def _refresh(self, _: Any = None) -> None:
        before = self.layer
        layers = [layer for layer in self._viewer.layers if self._fits(layer)]
        with QSignalBlocker(self):
            self.clear()
            for layer in layers:
                self.addItem(layer.name, layer)
                layer.events.name.connect(self._rename)
            if before in layers:
                self.setCurrentIndex(layers.index(before))
        self._on_index()

    def _on_removed(self, _: Any) -> None:
        """Follow in a moment: a listener may take layers away, and napari may be at it, too."""
        self._shortened(None)

    def _rename(self, event: Any) -> None:
        for index in range(self.count()):
            if self.itemData(index) is event.source:
                self.setItemText(index, event.source.name)

    def _on_index(self, _: int = 0) -> None:
        if self.layer is not self._last:
            self._last = self.layer
            self.chosen.emit(self.layer)
