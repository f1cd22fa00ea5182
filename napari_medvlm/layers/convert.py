"""Image and labels layers from and to volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.display import Reslice, display_grid, displayed
from napari_medvlm.data.geometry.grid import Grid, placed, require_same_grid, same_grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.data.window_presets import default_window
from napari_medvlm.io import finite
from napari_medvlm.layers.colormaps import label_colormap

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image, Labels, Layer

KEY = "medvlm"
"""Where a layer's metadata say what it is to us: a mapping with at least ``role``."""


OTHER_COLOR = "#808080"
"""Of labels without a colour of their own, where others have one."""


def role(layer: Layer) -> str | None:
    """What a layer is to us, or `None` if it is not ours: a copy of ours is the user's."""
    mine = layer.metadata.get(KEY)
    if not isinstance(mine, Mapping) or mine.get("owner", layer.unique_id) != layer.unique_id:
        return None
    return mine.get("role")


def is_image(layer: Layer) -> bool:
    """Whether a layer is an image that can be worked on: not a heatmap of ours."""
    from napari.layers import Image

    return isinstance(layer, Image) and not (role(layer) or "").startswith("found")


def layers_of(viewer: Viewer, volume: Volume) -> tuple[Layer, ...]:
    """All layers of ours that are about a volume."""
    volumes = []
    for layer in viewer.layers:
        mine = layer.metadata.get(KEY)
        if isinstance(mine, Mapping) and mine.get("volume") is volume:
            volumes.append(layer)
    return tuple(volumes)


def layer_data(volume: Volume) -> tuple[Any, dict[str, Any], str]:
    """A volume as a napari layer in the patient's frame: data, keywords, layer type."""
    data = displayed(volume.data, volume.grid, order=1)
    keywords: dict[str, Any] = {
        "name": volume.name,
        "affine": display_grid(volume.grid).affine,
        "metadata": {KEY: {"role": "image", "volume": volume}},
        "rgb": volume.is_color,
    }
    if not volume.is_color:
        keywords["contrast_limits"] = default_window(volume).limits
        keywords["colormap"] = "gray"
    return data, keywords, "image"


def labels_data(named: NamedLabels) -> tuple[Any, dict[str, Any], str]:
    """Labels with names as a napari layer in the patient's frame: data, keywords, layer type."""
    shown = display_grid(named.grid)
    keywords: dict[str, Any] = {
        "name": named.title,
        "affine": shown.affine,
        "features": {
            "index": [0, *named.names],
            "object": ["none", *named.names.values()],
        },
        "metadata": {
            KEY: {
                "role": "labels",
                "labels": named.values,
                "grid": named.grid,
                "tracking_uids": dict(named.tracking_uids),
                "covered": dict(named.covered),
                "notes": named.notes,
            }
        },
    }
    if named.colors:
        keywords["colormap"] = label_colormap(named.colors, OTHER_COLOR)
    return displayed(named.values, named.grid, order=0), keywords, "labels"


def volume_of(layer: Image) -> Volume:
    """The volume that an image layer shows.

    A layer that another reader made is taken as it stands in the viewer, whose axes are read as
    patient millimetres S, P, L.

    Raises
    ------
    InvalidImage
        If it has more axes than a volume, or nothing that can be worked on.
    """
    mine = layer.metadata.get(KEY)
    if isinstance(mine, Mapping) and isinstance(mine.get("volume"), Volume):
        volume: Volume = mine["volume"]
        return volume
    if layer.ndim not in (2, 3):
        raise InvalidImage(
            f"The layer {layer.name} has {layer.ndim} axes; a volume must have three.",
            "Right-click the layer, choose 'Split Stack' and use one of the volumes.",
        )
    lazy = layer.data[0] if layer.multiscale else layer.data
    if not isinstance(lazy, np.ndarray):
        require_memory(Path(layer.name), float(np.prod(lazy.shape)) * lazy.dtype.itemsize)
    data = np.asarray(lazy)[..., :3] if layer.rgb else np.asarray(lazy)
    mended, notes = finite(data[None] if layer.ndim == 2 else data)
    return Volume(mended, _affine(layer), name=layer.name, notes=notes)


def forget_replaced(layer: Image) -> bool:
    """Make an image layer of ours the user's if its voxels were replaced; whether they were.

    Its volume has the voxels that were read from the file, not those that are seen.
    """
    mine = layer.metadata.get(KEY, {})
    volume = mine.get("volume")
    is_ours = role(layer) == "image" and isinstance(volume, Volume) and "paired" not in mine
    if not is_ours or _shows(layer.data, volume):
        return False
    del layer.metadata[KEY]
    return True


def _shows(data: Any, volume: Volume) -> bool:
    """Whether data of a layer are the voxels of a volume, or a copy of them."""
    own = displayed(volume.data, volume.grid, order=1)
    if isinstance(own, Reslice) or not isinstance(data, np.ndarray):
        return isinstance(own, Reslice) and isinstance(data, Reslice)
    is_same = data.shape == own.shape and data.dtype == own.dtype
    return is_same and (np.may_share_memory(data, own) or np.array_equal(data, own))


def series_in(layers: Iterable[Layer]) -> dict[str, Grid]:
    """The grids of the DICOM series among layers, by their UIDs."""
    return {volume.series: volume.grid for volume in series_volumes(layers)}


def series_volumes(layers: Iterable[Layer]) -> tuple[Volume, ...]:
    """The volumes among layers that were read from DICOM series."""
    volumes = [layer.metadata[KEY].get("volume") for layer in layers if role(layer) == "image"]
    return tuple(v for v in volumes if isinstance(v, Volume) and v.series)


def labels_of(layer: Labels, volume: Volume) -> NDArray[np.integer]:
    """The labels of a layer that lies on a volume, on the volume's own grid.

    Raises
    ------
    GeometryMismatch
        If the voxels of the layer are not those of the volume.
    """
    labels, grid = labels_and_grid(layer)
    return _on_volume(labels, grid, volume, layer.name)


def mask_of_label(layer: Labels, value: int, volume: Volume) -> Mask:
    """The region of a value on the volume's own grid, with the voxels where another is drawn.

    Raises
    ------
    GeometryMismatch
        As of `labels_of`.
    """
    if not covered_in(layer.metadata):
        return Mask.of(labels_of(layer, volume) == value)
    return named_labels_of(layer, volume, {}).mask_of(value)


def named_labels_of(layer: Labels, volume: Volume | None, names: Mapping[int, str]) -> NamedLabels:
    """The labels of a layer with the regions that overlap there.

    Parameters
    ----------
    volume
        The image whose grid the labels are wanted on; `None`: the layer's own grid.

    Raises
    ------
    GeometryMismatch
        As of `labels_of`.
    """
    labels, grid = labels_and_grid(layer)
    metadata = layer.metadata
    own = NamedLabels(
        np.asarray(labels), grid, names, layer.name,
        tracking_uids=tracking_uids_in(metadata), covered=covered_in(metadata),
    )  # fmt: skip
    if volume is None or same_grid(grid, volume.grid):
        return own
    return own.moved(volume.grid, lambda values: _on_volume(values, grid, volume, layer.name))


def mask_for_saving(data: Any, meta: Mapping[str, Any]) -> tuple[NDArray[np.integer], Volume]:
    """A labels layer, as napari hands it to a writer, on the grid that it is saved on.

    Parameters
    ----------
    data, meta
        The layer's data and attributes, as of ``layer.as_layer_data_tuple()``.

    Returns
    -------
    The labels ``(z, y, x)`` and the volume whose grid they lie on: for our own layers the image's
    own, whatever the viewer shows; for others the layer's.
    """
    from napari.layers import Labels, Layer

    layer = Layer.create(data, dict(meta), "labels")
    assert isinstance(layer, Labels)
    labels, grid = labels_and_grid(layer)
    mine = layer.metadata.get(KEY)
    if isinstance(mine, Mapping) and isinstance(mine.get("volume"), Volume):
        return labels, mine["volume"]
    return labels, Volume(labels, grid.affine, name=layer.name)


def tracking_uids_in(metadata: Mapping[str, Any]) -> dict[int, str]:
    """The DICOM UID of each value of a labels layer, from the layer's metadata."""
    mine = metadata.get(KEY)
    return dict(mine.get("tracking_uids", {})) if isinstance(mine, Mapping) else {}


def covered_in(metadata: Mapping[str, Any]) -> dict[int, Mask]:
    """The covered voxels of the regions of a labels layer, see `NamedLabels`.

    The layer of a session has a function that returns them, since its objects change.
    """
    mine = metadata.get(KEY)
    covered = mine.get("covered", {}) if isinstance(mine, Mapping) else {}
    return dict(covered() if callable(covered) else covered)


def labels_and_grid(layer: Labels) -> tuple[NDArray[np.integer], Grid]:
    """The values of a labels layer, and the grid that they lie on."""
    mine = layer.metadata.get(KEY)
    if isinstance(mine, Mapping) and "labels" in mine:
        own, grid = mine["labels"], mine["grid"] if "grid" in mine else mine["volume"].grid
        if not isinstance(layer.data, np.ndarray) or np.may_share_memory(layer.data, own):
            return own, grid
        if layer.data.shape == display_grid(grid).shape:  # a copy, which may have been painted on
            shown = Reslice(layer.data, display_grid(grid), grid, order=0)
            return np.asarray(shown), grid
    labels = np.asarray(layer.data)
    labels = labels[None] if labels.ndim == 2 else labels
    z, y, x = labels.shape
    return labels, Grid((z, y, x), _affine(layer))


def _on_volume(
    labels: NDArray[np.integer], grid: Grid, volume: Volume, name: str
) -> NDArray[np.integer]:
    """Labels of a layer on the volume's own grid; `GeometryMismatch` if the voxels are others."""
    if same_grid(grid, display_grid(volume.grid)):
        result: NDArray[np.integer] = np.asarray(Reslice(labels, grid, volume.grid, order=0))
        return result
    on_grid = placed(labels, grid, volume.grid)
    if on_grid is None:
        require_same_grid(grid, volume.grid, f"The layer {name}")
    return labels if on_grid is None else on_grid


def _affine(layer: Layer) -> NDArray[np.float64]:
    """From the layer's index to the viewer's world, with a first axis added to a 2D layer."""
    n = layer.ndim
    affine = np.eye(4)
    origin = np.array(layer.data_to_world((0.0,) * n))
    steps = [np.array(layer.data_to_world(tuple(step))) - origin for step in np.eye(n)]
    affine[3 - n : 3, 3 - n : 3] = np.transpose(steps)
    affine[3 - n : 3, 3] = origin
    return affine
