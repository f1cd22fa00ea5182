"""Which other image is put in the place of the one that was asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox

from napari_medvlm.layers import is_image, volume_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer

    from napari_medvlm.data.volume import Volume

FAR_AWAY = "Slices far away"


class OtherImage(QComboBox):
    """Slices far away, or an image of the viewer; looks for those whenever it is about to be used.

    It follows no events of the viewer: it lives on cards that come and go.

    Parameters
    ----------
    viewer
        Whose images are offered.
    """

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self._read: tuple[Layer, Volume] | None = None
        self.setToolTip(
            "What is asked about instead: choose an image of which something else is right."
        )
        self.look()

    @property
    def volume(self) -> Volume | None:
        """The image chosen; `None`: slices far away, or the layer is gone."""
        layer = self.currentData()
        if layer is None or layer not in self._viewer.layers:
            return None
        if self._read is None or self._read[0] is not layer:
            self._read = layer, volume_of(layer)
        return self._read[1]

    def look(self) -> None:
        """Offer the images that are open now."""
        before = self.currentData()
        with QSignalBlocker(self):
            self.clear()
            self.addItem(FAR_AWAY, None)
            for layer in self._viewer.layers:
                if is_image(layer):
                    self.addItem(layer.name, layer)
                    if layer is before:
                        self.setCurrentIndex(self.count() - 1)

    def showPopup(self) -> None:  # noqa: N802  # Qt's name
        """Look again, then open."""
        self.look()
        super().showPopup()
