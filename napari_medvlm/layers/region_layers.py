"""Regions as layers: boxes, masks, heatmaps and points of phrases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.display import display_grid, displayed
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.colormaps import label_colormap
from napari_medvlm.layers.convert import KEY
from napari_medvlm.layers.display.screen_size import ScreenSize
from napari_medvlm.layers.early_imports import import_early
from napari_medvlm.layers.layer_set import LayerSet
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.views.region_views import LinkedRegionBoxes

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Layer
    from napari.utils.colormaps import Colormap

POINT_DIAMETER_PX = 10.0
HEATMAP = "heatmap: "
"""Prefix of the roles of heatmap layers; the phrase follows."""


class RegionLayers:
    """The regions of a volume in one viewer.

    Boxes are one Shapes layer, masks one Labels layer, points one Points layer; each phrase has a
    heatmap of its own. Boxes with depth are visible on every plane that they span. Callouts are one
    Points layer. Layers are updated in place, and only if their regions changed: what the user sets
    in napari's layer controls stays.

    Parameters
    ----------
    viewer, volume
        The viewer that shows the regions, and the volume that they lie in.
    title
        Prefix of the layers' names.
    on_chosen
        Called with the key of the region whose box or callout the user selects.
    kind
        Prefix of the layers' roles, ``found`` or ``found`` and more words.
    """

    def __init__(
        self,
        viewer: Viewer,
        volume: Volume,
        title: str,
        on_chosen: Callable[[int], None],
        kind: str = "found",
    ) -> None:
        import_early()
        self.viewer = viewer
        self.volume = volume
        self.title = title
        self.grid = display_grid(volume.grid)
        self._layers = LayerSet(viewer, volume, kind)
        self._boxes = LinkedRegionBoxes(self._layers, title, on_chosen)
        self._drawn: dict[str, tuple[object, ...]] = {}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._colors: dict[str, str] = {}

    def show(self, shown: Sequence[DisplayedRegion]) -> None:
        """Show these regions and no others."""
        active = self.viewer.layers.selection.active
        self._show_heatmaps(shown)
        self._show_masks(
            [
                displayed_region
                for displayed_region in shown
                if displayed_region.region.mask is not None
            ]
        )
        self._show_points(
            [displayed_region for displayed_region in shown if displayed_region.region.points]
        )
        self._boxes.show(shown)
        if active in self.viewer.layers:
            self.viewer.layers.selection.active = active

    def choose(self, *keys: int | None) -> None:
        """Draw the boxes of some regions thicker than the others."""
        self._boxes.choose(*keys)

    def __iter__(self) -> Iterator[Layer]:
        """All layers that are in the viewer, and those of boxes in its side views."""
        yield from self._layers
        yield from self._boxes

    def layer(self, role: str) -> Layer | None:
        """The layer of a role: boxes, masks, points, callouts or ``heatmap: PHRASE``."""
        return self._layers.get(role)

    def close(self) -> None:
        """Remove all layers from the viewer."""
        self._boxes.close()
        self._layers.clear()

    def _remove(self, role: str) -> None:
        self._layers.remove(role)
        self._drawn.pop(role, None)
        self._arrays.pop(role, None)

    def _is_drawn(self, role: str, shown: Sequence[DisplayedRegion]) -> bool:
        """Whether the layer of a role shows these regions already; if not, note that it will."""
        drawn = tuple(
            (displayed_region.key, displayed_region.color, displayed_region.region)
            for displayed_region in shown
        )
        if self._layers.get(role) is not None and self._drawn.get(role) == drawn:
            return True
        self._drawn[role] = drawn
        return False

    def _array(self, role: str, dtype: Any) -> NDArray[Any]:
        """The array ``(z, y, x)`` behind a layer, zeroed; a new one if there is no layer."""
        array = self._arrays.get(role)
        if array is None or array.dtype != dtype or self._layers.get(role) is None:
            array = self._arrays[role] = np.zeros(self.volume.shape, dtype)
        else:
            array[...] = 0
        return array

    def _show_masks(self, shown: Sequence[DisplayedRegion]) -> None:
        if not shown:
            self._remove("masks")
            return
        if self._is_drawn("masks", shown):
            return
        before = self._arrays.get("masks")
        values = self._array("masks", np.uint8 if max(s.key for s in shown) < 255 else np.uint16)
        for displayed_region in shown:
            assert displayed_region.region.mask is not None
            values[displayed_region.region.mask.slices][displayed_region.region.mask.crop] = (
                displayed_region.key + 1
            )
        layer: Any = self._layers.get("masks")
        if layer is None:
            layer = self._new_masks(values)
        elif values is before:
            layer.refresh()
        else:
            layer.data = displayed(values, self.volume.grid, order=0)
        layer.colormap = label_colormap(
            {displayed_region.key + 1: displayed_region.color for displayed_region in shown}
        )
        layer.features = {
            "index": [0, *(displayed_region.key + 1 for displayed_region in shown)],
            "name": [
                "none",
                *(
                    displayed_region.region.name or displayed_region.region.phrase
                    for displayed_region in shown
                ),
            ],
        }
        layer.metadata[KEY]["labels"] = values

    def _new_masks(self, values: NDArray[Any]) -> Layer:
        from napari.layers import Labels

        layer = Labels(
            displayed(values, self.volume.grid, order=0),
            name=f"{self.title}: masks",
            affine=self.grid.affine,
            opacity=0.45,
            blending="translucent_no_depth",
        )
        layer.editable = False
        return self._layers.add("masks", layer)

    def _show_points(self, shown: Sequence[DisplayedRegion]) -> None:
        if not shown:
            self._remove("points")
            return
        if self._is_drawn("points", shown):
            return
        dots = [
            (displayed_region, point)
            for displayed_region in shown
            for point in displayed_region.region.points
        ]
        layer: Any = self._layers.get("points") or self._new_points()
        layer.selected_data = set()
        layer.data = self.grid.to_index([point.position_mm for _, point in dots])
        layer.face_color = [displayed_region.color for displayed_region, _ in dots]
        layer.features = {
            "phrase": [displayed_region.region.phrase for displayed_region, _ in dots]
        }

    def _new_points(self) -> Layer:
        from napari.layers import Points

        layer = Points(ndim=3, name=f"{self.title}: points", affine=self.grid.affine)
        self._screen_size = ScreenSize(self._layers.viewer, layer, POINT_DIAMETER_PX)
        return self._layers.add("points", layer)

    def _show_heatmaps(self, shown: Sequence[DisplayedRegion]) -> None:
        by_role: dict[str, list[DisplayedRegion]] = {}
        for displayed_region in shown:
            if displayed_region.region.heatmap is not None:
                by_role.setdefault(HEATMAP + displayed_region.region.phrase, []).append(
                    displayed_region
                )
        for role in self._layers.roles:
            if role.startswith(HEATMAP) and role not in by_role:
                self._remove(role)
        for role, regions in by_role.items():
            self._show_heatmap(role, regions)

    def _show_heatmap(self, role: str, shown: Sequence[DisplayedRegion]) -> None:
        if self._is_drawn(role, shown):
            return
        values = self._array(role, np.float32)
        for displayed_region in shown:
            assert displayed_region.region.heatmap is not None
            part = values[_slices(displayed_region.region.heatmap)]
            np.maximum(part, displayed_region.region.heatmap.crop, out=part)
        color = shown[0].color
        layer: Any = self._layers.get(role)
        if layer is None:
            self._new_heatmap(role, values, color)
        else:
            layer.refresh()
            if self._colors.get(role) != color:
                layer.colormap = _colormap(color)
        self._colors[role] = color

    def _new_heatmap(self, role: str, values: NDArray[Any], color: str) -> None:
        from napari.layers import Image

        layer = Image(
            displayed(values, self.volume.grid, order=1),
            name=f"{self.title}: {role}",
            affine=self.grid.affine,
            blending="additive",
            colormap=_colormap(color),
            contrast_limits=(0, 1),
            opacity=0.7,
        )
        self._layers.add(role, layer)


def _colormap(color: str) -> Colormap:
    from napari.utils.colormaps import Colormap

    return Colormap(["black", color], name=f"black to {color}")


def _slices(heatmap: Heatmap) -> tuple[slice, ...]:
    return tuple(
        slice(start, start + size)
        for start, size in zip(heatmap.start, heatmap.crop.shape, strict=True)
    )
