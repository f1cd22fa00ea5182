"""Which parts of a picture an answer comes from, as a layer over the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_medvlm.data.conversation import Evidence
from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import KEY, role

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image

ROLE = "found evidence"
NAME = "Answer: evidence map"
COLORS = ((1.0, 0.75, 0.0, 0.0), (1.0, 0.45, 0.0, 0.5), (0.9, 0.0, 0.1, 0.8))
"""Nothing to most, with how much each hides: added light would not be seen on bright tissue."""


class EvidenceLayer:
    """The map of evidence of one answer in one viewer: what has more to do with it is redder."""

    def __init__(self, viewer: Viewer, volume: Volume) -> None:
        self.viewer = viewer
        self.volume = volume
        self._layer: Image | None = None
        self._shown: Evidence | None = None

    @property
    def layer(self) -> Image | None:
        """The layer; `None` if there is none, or a person has deleted it."""
        return self._layer if self._layer in self.viewer.layers else None

    def show(self, evidence: Evidence | None, *, visible: bool) -> None:
        """Show this map and no other."""
        if evidence is not self._shown:
            self.close()
            self._shown = evidence
            if evidence is not None:
                self._add(evidence)
        if (layer := self.layer) is not None:
            layer.visible = visible

    def close(self) -> None:
        """Take it away."""
        if (layer := self.layer) is not None:
            self.viewer.layers.remove(layer)
        self._layer = self._shown = None

    def _add(self, evidence: Evidence) -> None:
        from napari.layers import Image
        from napari.utils.colormaps import Colormap

        grid = self.volume.grid
        self._layer = Image(
            displayed(evidence.heatmap.full(), grid, order=1),
            name=NAME,
            affine=display_grid(grid).affine,
            blending="translucent_no_depth",
            colormap=Colormap(COLORS, name="evidence"),
            contrast_limits=(0, 1),
            metadata={KEY: {"role": ROLE, "volume": self.volume}},
        )
        layers = self.viewer.layers  # boxes and numbers stay above it
        above = (
            k
            for k, layer_below in enumerate(layers)
            if (role(layer_below) or "").startswith("found")
        )
        layers.insert(next(above, len(layers)), self._layer)
