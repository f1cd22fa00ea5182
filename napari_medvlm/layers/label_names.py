"""Label layers whose values have names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_medvlm.data.errors import GeometryMismatch
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import named_labels_of, role

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Labels

COLUMNS = ("name", "object", "label", "structure")
"""Columns of a layer's features that may hold the names."""


def named_labels(viewer: Viewer, volume: Volume) -> tuple[NamedLabels, ...]:
    """The label layers of a viewer that have names, found regions left out.

    On the volume's grid if they lie on it, else on their own.
    """
    from napari.layers import Labels

    named = []
    for layer in viewer.layers:
        if not isinstance(layer, Labels) or (role(layer) or "").startswith("found"):
            continue
        names = names_of(layer)
        if not names:
            continue
        try:
            named.append(named_labels_of(layer, volume, names))
        except GeometryMismatch:
            named.append(named_labels_of(layer, None, names))
    return tuple(named)


def names_of(layer: Labels) -> dict[int, str]:
    """The name of each value, from the layer's features; empty if it has none."""
    return names_in(layer.features)


def names_in(table: Any) -> dict[int, str]:
    """The name of each value, from a table of features; empty if it has none."""
    columns = [] if table is None else list(table)
    column = next((c for c in columns if str(c).lower() in COLUMNS), None)
    if column is None or "index" not in columns:
        return {}
    pairs = zip(table["index"], table[column], strict=True)
    return {int(value): str(name) for value, name in pairs if int(value)}
