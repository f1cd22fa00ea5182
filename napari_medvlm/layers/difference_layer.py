"""Where two masks differ, as a layer; and labels of one layer on the grid of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import GeometryMismatch, InvalidReference
from napari_medvlm.data.geometry.display import Reslice, display_grid, displayed
from napari_medvlm.data.geometry.grid import Grid, placed, same_grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.layers.colormaps import label_colormap
from napari_medvlm.layers.convert import KEY, named_labels_of, role

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels, Layer

ONLY_A, ONLY_B, BOTH = 1, 2, 3
COLORS = {ONLY_A: "#ff7f0e", ONLY_B: "#1f9bff", BOTH: "#66d9c2"}
"""Orange, blue and pale green are distinguishable without seeing red or green."""
ROLE = "difference"
NOT_MASKS = (ROLE, "scribbles")
"""Labels layers of ours that show no objects."""


@dataclass(frozen=True, eq=False)
class Paired:
    """Two masks on one grid.

    Parameters
    ----------
    note
        What had to be done to bring them there, or was lost; else empty.
    """

    a: Mask
    b: Mask
    grid: Grid
    note: str = ""


def has_labels(layer: Layer) -> bool:
    """Whether a layer's labels can be compared or taken as the truth."""
    from napari.layers import Labels

    return (
        isinstance(layer, Labels)
        and layer.ndim in (2, 3)
        and not layer.multiscale
        and role(layer) not in NOT_MASKS
    )


def values_in(layer: Labels) -> list[int]:
    """The values of a labels layer but 0, at most 1000; takes up to seconds."""
    present = sorted(named_labels_of(layer, None, {}).present)
    return [value for value in present if value > 0][:1000]


def paired(a: tuple[Labels, int], b: tuple[Labels, int]) -> Paired:
    """A label of one layer and one of another, on the grid of the first; takes up to seconds.

    Raises
    ------
    InvalidReference
        If one of the labels has no voxel.
    GeometryMismatch
        If the second does not reach into the first one's grid.
    """
    labels, others = (named_labels_of(layer, None, {}) for layer in (a[0], b[0]))
    grid = labels.grid
    first, theirs = labels.mask_of(a[1]), others.mask_of(b[1])
    wanted = theirs.voxels
    for layer, value, there in ((a[0], a[1], first.voxels), (b[0], b[1], wanted)):
        if not there:
            raise InvalidReference(
                f"Layer {layer.name} has no voxels with label {value}.",
                "Choose another label, or draw it first.",
            )
    moved, exact = _on(theirs.full().view(np.uint8), others.grid, grid)
    second = moved != 0
    if not second.any():
        raise GeometryMismatch(
            f"Label {b[1]} of {b[0].name} lies outside the grid of {a[0].name}.",
            "Choose layers of the same patient and image.",
        )
    return Paired(first, Mask.of(second), grid, _note(exact, wanted, second, b[0].name))


class DifferenceLayer:
    """What is in the first mask only, in the second only, and in both, each in its colour."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer
        self._layer: Labels | None = None
        self._grid: Grid | None = None

    @property
    def is_shown(self) -> bool:
        """Whether it is among the viewer's layers; people may take it away themselves."""
        return self._layer is not None and self._layer in self.viewer.layers

    def show(self, pair: Paired, a: str, b: str) -> None:
        """Show two masks, called ``a`` and ``b``, in the place of those before."""
        if not self.is_shown or self._grid is None or not same_grid(self._grid, pair.grid):
            self.close()
            self._layer = self._added(pair.grid)
            self._grid = pair.grid
        assert self._layer is not None
        values: NDArray[np.uint8] = self._layer.metadata[KEY]["labels"]
        values[...] = 0
        values[pair.a.slices] += ONLY_A * pair.a.crop.astype(np.uint8)
        values[pair.b.slices] += ONLY_B * pair.b.crop.astype(np.uint8)
        self._layer.name = f"{a} / {b}: difference"
        words = ["none", f"only {a}", f"only {b}", "both"]
        self._layer.features = {"index": [0, ONLY_A, ONLY_B, BOTH], "object": words}
        self._layer.refresh(extent=False, thumbnail=False)

    def close(self) -> None:
        """Take it away."""
        if self._layer is not None and self._layer in self.viewer.layers:
            self.viewer.layers.remove(self._layer)
        self._layer = self._grid = None

    def _added(self, grid: Grid) -> Labels:
        from napari.layers import Labels

        values = np.zeros(grid.shape, np.uint8)
        layer = Labels(
            displayed(values, grid, order=0),
            affine=display_grid(grid).affine,
            colormap=label_colormap(COLORS),
            opacity=0.8,
            blending="translucent_no_depth",
        )
        layer.editable = False
        layer.metadata[KEY] = {"role": ROLE, "labels": values, "grid": grid}
        active = self.viewer.layers.selection.active
        self.viewer.add_layer(layer)
        if active is not None:
            self.viewer.layers.selection.active = active
        return layer


def _on(labels: NDArray[np.integer], own: Grid, grid: Grid) -> tuple[NDArray[np.integer], bool]:
    """Labels on another grid, and whether each voxel is still itself."""
    if same_grid(own, grid):
        return np.asarray(labels), True
    on_it = placed(np.asarray(labels), own, grid)
    if on_it is not None:
        return on_it, True
    moved: NDArray[np.integer] = np.asarray(Reslice(np.asarray(labels), own, grid, order=0))
    return moved, same_grid(own, display_grid(grid))


def _note(exact: bool, wanted: int, second: NDArray[np.bool_], name: str) -> str:
    if not exact:
        return f"{name} has a different grid; it was resampled to the first mask's grid."
    lost = wanted - int(np.count_nonzero(second))
    if lost > 0.01 * wanted:
        return f"{lost} of {wanted} voxels of {name} lie outside the first mask's grid."
    return ""
