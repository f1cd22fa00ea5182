"""What a simulated user did and got: its prompts so far and the mask after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.colors import NEGATIVE, PENDING, POSITIVE
from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.colormaps import label_colormap
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.display.screen_size import ScreenSize
from napari_medvlm.layers.orientation import go_to
from napari_medvlm.layers.prompts.base import FILLED, HOLLOW

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels, Layer, Points

COLOR = "#ffd92f"
"""Differs from napari's colour of a single label, and from the truth's outline."""


@dataclass(frozen=True, eq=False)
class SimulatedStep:
    """A prompt of the simulated user, and the mask that followed.

    Parameters
    ----------
    zyx
        Where, on the volume's grid; `None` if there was no prompt left.
    """

    zyx: Index | None
    positive: bool
    mask: Mask


class SimulatedLayers:
    """The mask after an interaction, and rings at the user's prompts until then.

    Green rings say *this*, red ones *not this*; the newest is an orange ring with a face of its
    colour.
    """

    def __init__(self, viewer: Viewer, volume: Volume, name: str) -> None:
        self.viewer = viewer
        self.volume = volume
        self._name = name
        self._values = np.zeros(volume.shape, np.uint8)
        self._drawn: tuple[slice, ...] = (slice(0, 0),) * 3
        self._mask: Labels = self._make_mask()
        self._dots: Points = self._make_dots()

    def show(self, steps: Sequence[SimulatedStep]) -> None:
        """Show the last mask and all prompts, also if the layers were taken away meanwhile."""
        self._add()
        mask = steps[-1].mask
        self._values[self._drawn] = 0
        self._values[mask.slices] = mask.crop
        self._drawn = mask.slices
        self._mask.refresh(extent=False, thumbnail=False)
        placed = [step for step in steps if step.zyx is not None]
        world = self.volume.grid.to_world(np.array([step.zyx for step in placed]).reshape(-1, 3))
        colors = [POSITIVE if step.positive else NEGATIVE for step in placed]
        faces, rings = [color + HOLLOW for color in colors], list(colors)
        if steps[-1].zyx is not None:
            faces[-1], rings[-1] = colors[-1] + FILLED, PENDING
        self._dots.data = display_grid(self.volume.grid).to_index(world)
        if placed:
            self._dots.face_color = faces
            self._dots.border_color = rings

    def look_at(self, step: SimulatedStep) -> None:
        """Move all planes through a prompt."""
        if step.zyx is not None:
            go_to(self.viewer, self.volume.grid.to_world(step.zyx).tolist())

    def close(self) -> None:
        """Take the layers away."""
        layers: tuple[Layer, ...] = (self._mask, self._dots)
        for layer in layers:
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)

    def _add(self) -> None:
        active = self.viewer.layers.selection.active
        layers: tuple[Layer, ...] = (self._mask, self._dots)
        missing = [layer for layer in layers if layer not in self.viewer.layers]
        for layer in missing:
            self.viewer.add_layer(layer)
        if missing and active is not None:
            self.viewer.layers.selection.active = active

    def _make_mask(self) -> Labels:
        from napari.layers import Labels

        layer = Labels(
            displayed(self._values, self.volume.grid, order=0),
            name=f"{self._name}: simulated",
            affine=display_grid(self.volume.grid).affine,
            colormap=label_colormap({1: COLOR}),
            features={"index": [0, 1], "object": ["none", f"{self._name}, simulated"]},
            opacity=0.5,
            blending="translucent_no_depth",
        )
        layer.editable = False
        layer.metadata[KEY] = {"role": "simulated", "volume": self.volume, "labels": self._values}
        return layer

    def _make_dots(self) -> Points:
        from napari.layers import Points

        layer = Points(
            ndim=3,
            name=f"{self._name}: simulated prompts (green: positive, red: negative)",
            affine=display_grid(self.volume.grid).affine,
            border_width=0.2,
        )
        layer.editable = False
        layer.metadata[KEY] = {"role": "simulated prompts", "volume": self.volume}
        self._screen_size = ScreenSize(self.viewer, layer)
        return layer
