"""A second mask of an object next to the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.colormaps import label_colormap
from napari_medvlm.layers.convert import KEY

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

COLOR = "#ff40ff"
"""Differs from the colours of objects."""


class OtherMaskLayer:
    """The mask that another backend made of an object's prompts, drawn as an outline."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._layer: Labels | None = None

    def show(self, mask: Mask, volume: Volume, name: str) -> None:
        """Show a mask, in the place of the one before."""
        from napari.layers import Labels

        self.close()
        active = self.viewer.layers.selection.active
        values = mask.full().astype(np.uint8)
        layer = Labels(
            displayed(values, volume.grid, order=0),
            name=name,
            affine=display_grid(volume.grid).affine,
            colormap=label_colormap({1: COLOR}),
            features={"index": [0, 1], "object": ["none", name]},
            opacity=0.9,
            blending="translucent_no_depth",
        )
        layer.contour = 1
        layer.editable = False
        layer.metadata[KEY] = {
            "role": "other mask",
            "volume": volume,
            "labels": values,
            "owner": layer.unique_id,
        }
        self.viewer.add_layer(layer)
        self._layer = layer
        if active is not None:
            self.viewer.layers.selection.active = active

    def close(self) -> None:
        """Take it away."""
        if self._layer is not None and self._layer in self.viewer.layers:
            self.viewer.layers.remove(self._layer)
        self._layer = None
