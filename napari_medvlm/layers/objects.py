"""Objects that a question may be about: the labels of the viewer's layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.answers import NamedMask
from napari_medvlm.errors import GeometryMismatch
from napari_medvlm.geometry import display_grid, same_grid
from napari_medvlm.grounding import NamedLabels
from napari_medvlm.layers.images import labels_and_grid, labels_of, role
from napari_medvlm.layers.names import names_of
from napari_medvlm.results import Mask
from napari_medvlm.volume import Volume

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

MANY = 40
"""A layer with more labels than this is offered as a whole."""


@dataclass(frozen=True, eq=False)
class Offered:
    """A label of a layer, or with ``value`` `None` all named labels of it."""

    name: str
    layer: Labels
    value: int | None


def offered(viewer: Viewer, volume: Volume) -> list[Offered]:
    """What the viewer's labels layers have, those of found regions left out.

    Single labels only of layers that lie on the volume; layers on another grid as a whole, if their
    labels have names.
    """
    from napari.layers import Labels

    found: list[Offered] = []
    for layer in viewer.layers:
        if not isinstance(layer, Labels) or (role(layer) or "").startswith("found"):
            continue
        names = names_of(layer)
        if len(names) > MANY or (names and not _lies_on(layer, volume)):
            found.append(Offered(f"{layer.name} ({len(names)} labels)", layer, None))
        elif _lies_on(layer, volume):
            named = names or _unnamed(layer)
            found += [Offered(name, layer, value) for value, name in named.items()]
    return found


def masks_of(chosen: list[Offered], volume: Volume) -> tuple[NamedMask, ...]:
    """The objects among what was chosen; those without voxels left out."""
    found = []
    for one in chosen:
        if one.value is None:
            continue
        try:
            mask = Mask.of(labels_of(one.layer, volume) == one.value)
        except GeometryMismatch:  # the layer was moved meanwhile
            continue
        if mask.voxels:
            found.append(NamedMask(one.name, mask))
    return tuple(found)


def labels_among(chosen: list[Offered]) -> tuple[NamedLabels, ...]:
    """The layers that were chosen as a whole."""
    found = []
    for one in chosen:
        if one.value is None:
            values, grid = labels_and_grid(one.layer)
            found.append(NamedLabels(np.asarray(values), grid, names_of(one.layer), one.layer.name))
    return tuple(found)


def _lies_on(layer: Labels, volume: Volume) -> bool:
    _, grid = labels_and_grid(layer)
    return same_grid(grid, display_grid(volume.grid)) or same_grid(grid, volume.grid)


def _unnamed(layer: Labels) -> dict[int, str]:
    """The values of a layer without names, called after the layer."""
    values, _ = labels_and_grid(layer)
    present = [v for v in np.unique(np.asarray(values)).tolist() if v > 0][:MANY]
    if len(present) == 1:
        return {present[0]: layer.name}
    return {value: f"{layer.name} {value}" for value in present}
