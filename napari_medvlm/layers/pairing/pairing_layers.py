"""The layers of two paired studies: the registered prior, a checkerboard and a subtraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_medvlm.data.geometry.comparison import Checkerboard, Subtraction, intensity_match
from napari_medvlm.data.geometry.display import Reslice, display_grid, displayed
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.geometry.jacobian import volume_change_percent
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.geometry.warp import prior_on_current
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import KEY, is_image, layer_data
from napari_medvlm.layers.convert import role as role_of
from napari_medvlm.layers.layer_set import LayerSet

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Layer

KIND = "paired"
PRIOR, CHECKERBOARD, SUBTRACTION = "prior", "checkerboard", "subtraction"
VOLUME_CHANGE = "volume change"
COMPARISONS = (CHECKERBOARD, SUBTRACTION, VOLUME_CHANGE)
CHANGE_LIMIT = 50.0
"""Per cent of volume that have the strongest colour."""
FIELD_MM = 20.0
"""Edge of a field of the checkerboard."""
NOISE_FACTOR = 3.0
"""The threshold of the subtraction in standard deviations of the noise."""
STEP = 4
"""Every fourth voxel along each axis is a sample of the intensities."""


@dataclass(frozen=True, eq=False)
class PairedStudies:
    """Two volumes, the transform between them, and the prior where that puts it.

    Parameters
    ----------
    moved
        The prior in the current volume's frame: the same voxels with another affine, or, of a
        deformable pairing, resampled on the current volume's grid.
    """

    current: Volume
    prior: Volume
    pairing: Pairing
    moved: Volume

    @classmethod
    def of(cls, current: Volume, prior: Volume, pairing: Pairing) -> PairedStudies:
        """Pair two volumes; takes seconds if the pairing is deformable."""
        name = f"{prior.name} (registered)"
        if pairing.displacement_mm is None:
            affine = pairing.affine_mm @ prior.affine
            moved = replace(prior, affine=affine, name=name, series="", source=None)
        else:
            data = prior_on_current(pairing, current.grid, prior)
            moved = replace(
                prior, data=data, affine=current.affine, name=name, series="", source=None
            )
        return cls(current, prior, pairing, moved)


def is_study(layer: Layer) -> bool:
    """Whether a layer is an image that can be paired: none that a pairing made."""
    return is_image(layer) and not (role_of(layer) or "").startswith(KIND)


def paired_studies(viewer: Viewer) -> PairedStudies | None:
    """The two studies whose pairing a viewer shows, if there is a pairing."""
    for layer in viewer.layers:
        mine = layer.metadata.get(KEY)
        if isinstance(mine, Mapping) and isinstance(mine.get("paired"), PairedStudies):
            return cast("PairedStudies", mine["paired"])
    return None


class PairingLayers:
    """Layers of two paired studies in a viewer.

    Parameters
    ----------
    viewer
        Where they are shown.
    current, prior
        The layers of the two studies; the prior's is hidden while the registered one is shown.
    """

    def __init__(self, viewer: Viewer, current: Image, prior: Image) -> None:
        self.viewer = viewer
        self.current, self.prior = current, prior
        self._layers: LayerSet | None = None
        self._studies: PairedStudies | None = None
        self._prior_was_visible = prior.visible

    def show(self, studies: PairedStudies) -> None:
        """Show the registered prior over the current image; comparisons are made again."""
        shown = [role for role in COMPARISONS if self.has(role)]
        if self._layers is None:
            self._layers = LayerSet(self.viewer, studies.current, KIND)
            self._prior_was_visible = self.prior.visible
        for role in (*shown, PRIOR):
            self._layers.remove(role)
        self._studies = studies
        self.prior.visible = False
        limits = tuple(self.prior.contrast_limits)
        self._add(PRIOR, studies.moved, layer_data(studies.moved)[1] | {"contrast_limits": limits})
        for role in shown:
            if role != VOLUME_CHANGE or studies.pairing.displacement_mm is not None:
                self.toggle(role, True)

    def has(self, role: str) -> bool:
        """Whether the layer of a role is in the viewer."""
        return self._layers is not None and self._layers.get(role) is not None

    def layer(self, role: str) -> Image | None:
        """The layer of a role, if it is in the viewer."""
        return None if self._layers is None else self._layers.get(role)

    def preview(self, moved: Volume) -> None:
        """Show the prior with another affine, in the same layer."""
        layer, affine = self.layer(PRIOR), display_grid(moved.grid).affine
        if layer is not None and not np.array_equal(layer.affine.affine_matrix, affine):
            layer.data, layer.affine = displayed(moved.data, moved.grid, order=1), affine

    def blink(self) -> None:
        """Show the prior if the current image is shown, and the other way round."""
        layer = self.layer(PRIOR)
        if layer is not None:
            layer.visible = not layer.visible

    def show_over(self, on: bool) -> None:
        """Show the registered prior over the current image, or hide it."""
        layer = self.layer(PRIOR)
        if layer is not None:
            layer.visible = on

    def show_original(self, on: bool) -> None:
        """Show the prior's own layer at its own position instead of the registered one."""
        self.prior.visible = on
        self.show_over(not on)

    def toggle(self, role: str, on: bool) -> None:
        """Add or remove the checkerboard, the subtraction or the change of volume."""
        if self._layers is None or self._studies is None:
            return
        if not on:
            self._layers.remove(role)
        elif not self.has(role):
            make = {
                CHECKERBOARD: self._checkerboard,
                SUBTRACTION: self._subtraction,
                VOLUME_CHANGE: self._volume_change,
            }[role]
            self._add(role, *make(self._studies))

    def set_threshold(self, value: float) -> None:
        """Hide differences below a value, in the current image's units."""
        layer = self.layer(SUBTRACTION)
        if layer is not None and isinstance(layer.data, Subtraction):
            layer.data.threshold = value
            layer.refresh(extent=False)

    @property
    def threshold(self) -> float:
        """The threshold of the subtraction; 0 if it is not shown."""
        layer = self.layer(SUBTRACTION)
        return layer.data.threshold if layer is not None else 0.0

    def close(self) -> None:
        """Remove the layers and show the prior's own layer as before."""
        if self._layers is not None:
            self._layers.clear()
        if self.prior in self.viewer.layers:
            self.prior.visible = self._prior_was_visible
        self._layers = self._studies = None

    def _add(self, role: str, data: Any, keywords: dict[str, Any]) -> None:
        from napari.layers import Image

        assert self._layers is not None
        if isinstance(data, Volume):
            data = layer_data(data)[0]
        active = self.viewer.layers.selection.active
        keywords = {k: v for k, v in keywords.items() if k != "metadata"}
        layer = self._layers.add(role, Image(data, **keywords))
        if role == PRIOR:
            assert self._studies is not None
            layer.metadata[KEY] |= {"volume": self._studies.moved, "paired": self._studies}
        if active is not None and active in self.viewer.layers:
            self.viewer.layers.selection.active = active

    def _checkerboard(self, studies: PairedStudies) -> tuple[Any, dict[str, Any]]:
        current, prior, grid = _on_display_grid(studies)
        z, y, x = (max(1, round(FIELD_MM / mm)) for mm in grid.spacing)
        limits = [(float(a), float(b)) for a, b in map(_limits, (self.current, self.prior))]
        data = Checkerboard(current, prior, limits[0], limits[1], (z, y, x))
        return data, {
            "name": "Checkerboard", "affine": grid.affine, "contrast_limits": (0.0, 1.0),
            "colormap": "gray",
        }  # fmt: skip

    def _subtraction(self, studies: PairedStudies) -> tuple[Any, dict[str, Any]]:
        current, prior, grid = _on_display_grid(studies)
        every = (slice(None, None, STEP),) * 3
        samples = [np.asarray(array[every], np.float32).ravel() for array in (current, prior)]
        bright = samples[0] > np.median(samples[0])
        units = studies.current.unit, studies.prior.unit
        slope, offset, noise = intensity_match(
            samples[0][bright], samples[1][bright], units[0] == units[1] != ""
        )
        low, high = _limits(self.current)
        reach = (high - low) / 2
        data = Subtraction(current, prior, slope, offset, NOISE_FACTOR * noise)
        return data, {
            "name": "Current minus prior", "affine": grid.affine,
            "contrast_limits": (-reach, reach), "colormap": _difference_colors(),
        }  # fmt: skip

    @staticmethod
    def _volume_change(studies: PairedStudies) -> tuple[Any, dict[str, Any]]:
        percent, grid = volume_change_percent(studies.pairing)
        return displayed(np.nan_to_num(percent), grid, order=1), {
            "name": "Volume change, %", "affine": display_grid(grid).affine,
            "contrast_limits": (-CHANGE_LIMIT, CHANGE_LIMIT), "colormap": _difference_colors(),
            "blending": "additive",
        }  # fmt: skip


def _difference_colors() -> Any:
    """Blue for negative values (darker, smaller), orange for positive ones (brighter, larger)."""
    from napari.utils.colormaps import Colormap

    return Colormap([[0.1, 0.5, 1.0, 1.0], [0, 0, 0, 1], [1.0, 0.5, 0.1, 1.0]], "difference")


def _limits(layer: Image) -> tuple[float, float]:
    low, high = layer.contrast_limits
    return float(low), float(high)


def _on_display_grid(studies: PairedStudies) -> tuple[Any, Any, Grid]:
    """The current image and the prior on the grid on which the current image is shown."""
    current, moved = studies.current, studies.moved
    grid = display_grid(current.grid)
    return (
        displayed(current.intensity(), current.grid, order=1),
        Reslice(moved.intensity().astype(np.float32), moved.grid, grid, order=1),
        grid,
    )
