"""What a question may be about: labels of the viewer's layers, and boxes and points drawn there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.answer import NamedMask
from napari_medvlm.data.errors import GeometryMismatch
from napari_medvlm.data.geometry.display import display_grid
from napari_medvlm.data.geometry.grid import FloatArray, same_grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import labels_and_grid, mask_of_label, named_labels_of, role
from napari_medvlm.layers.label_names import names_of

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

MANY = 40
"""A layer with more labels than this is offered as a whole."""


@dataclass(frozen=True, eq=False)
class ObjectOption:
    """Something in a layer that has a name.

    Parameters
    ----------
    value
        A label, or the row of a shape or point; `None`: all named labels of the layer.
    region
        Of a shape or point, where it is.
    """

    name: str
    layer: Any
    value: int | None
    region: Region | None = None


def offered(viewer: Viewer, volume: Volume) -> list[ObjectOption]:
    """What the viewer's labels layers have, those of found regions left out.

    Single labels only of layers that lie on the volume; layers on another grid as a whole, if their
    labels have names.
    """
    from napari.layers import Labels

    options: list[ObjectOption] = []
    for layer in viewer.layers:
        if not isinstance(layer, Labels) or (role(layer) or "").startswith("found"):
            continue
        names = names_of(layer)
        if len(names) > MANY or (names and not _lies_on(layer, volume)):
            options.append(ObjectOption(f"{layer.name}, all {len(names)}", layer, None))
        elif _lies_on(layer, volume):
            named = names or _unnamed(layer)
            options += [ObjectOption(name, layer, value) for value, name in named.items()]
    return options


def drawn(viewer: Viewer, volume: Volume) -> list[ObjectOption]:
    """The rectangles and points in the user's own layers, as far as they lie in a volume."""
    from napari.layers import Points, Shapes

    options: list[ObjectOption] = []
    for layer in viewer.layers:
        if role(layer) is not None or not isinstance(layer, Shapes | Points):
            continue
        kinds = layer.shape_type if isinstance(layer, Shapes) else ["point"] * len(layer.data)
        for row, (kind, vertices) in enumerate(zip(kinds, layer.data, strict=True)):
            name = f"{layer.name} {row + 1}"
            region = _region(name, _world(layer, np.atleast_2d(vertices)), volume)
            if kind in ("rectangle", "point") and region is not None:
                options.append(ObjectOption(name, layer, row, region))
    return options


def regions_of(chosen: list[ObjectOption]) -> tuple[Region, ...]:
    """The boxes and points among what was chosen."""
    return tuple(option.region for option in chosen if option.region is not None)


def masks_of(chosen: list[ObjectOption], volume: Volume) -> tuple[NamedMask, ...]:
    """The objects among what was chosen; those without voxels left out."""
    options = []
    for option in chosen:
        if option.value is None or option.region is not None:
            continue
        try:
            mask = mask_of_label(option.layer, option.value, volume)
        except GeometryMismatch:  # the layer was moved meanwhile
            continue
        if mask.voxels:
            options.append(NamedMask(option.name, mask))
    return tuple(options)


def labels_among(chosen: list[ObjectOption]) -> tuple[NamedLabels, ...]:
    """The layers that were chosen as a whole."""
    return tuple(
        named_labels_of(option.layer, None, names_of(option.layer))
        for option in chosen
        if option.value is None
    )


def _world(layer: Any, vertices: Any) -> FloatArray:
    """Places ``(N, 3)`` in patient millimetres; a layer of two axes lies at S 0."""
    placed = np.zeros((len(vertices), 3))
    for row, vertex in enumerate(vertices):
        world = layer.data_to_world(vertex)[-3:]
        placed[row, 3 - len(world) :] = world
    return placed


def _region(name: str, spl_mm: FloatArray, volume: Volume) -> Region | None:
    """The box around places, at least a voxel wide; `None` outside the volume."""
    index = volume.grid.to_index(spl_mm) + 0.5
    start, stop = index.min(axis=0), index.max(axis=0)
    flat = stop - start < 1
    start[flat] = np.floor(start[flat])
    stop[flat] = start[flat] + 1
    start, stop = np.maximum(start, 0), np.minimum(stop, volume.shape)
    if not (stop > start).all():
        return None
    s, p, left = spl_mm[0].tolist()
    points = (Point(position_mm=(s, p, left)),) if len(spl_mm) == 1 else ()
    return Region(name, Box.at_index(volume, start, stop), name=name, points=points)


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
