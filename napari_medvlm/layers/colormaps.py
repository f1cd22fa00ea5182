"""Colours of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.colors import colors_up_to
from napari_medvlm.ledger.records import ObjectInfo

if TYPE_CHECKING:
    from napari.utils.colormaps import CyclicLabelColormap

COLORS = 256


def label_colormap(colors: Mapping[int, str], other: str = "transparent") -> CyclicLabelColormap:
    """A colormap that gives labels their colours (``#rrggbb``), and all others but 0 another.

    A table of 256 entries: napari's colormap of named labels compiles code when it is first drawn,
    which stalls the window for more than a second. Labels from 256 on share the entries from 1 on.
    """
    from napari.utils.colormaps import CyclicLabelColormap
    from napari.utils.colormaps.standardize_color import transform_color

    table = np.tile(transform_color(other), (COLORS, 1))
    table[0] = 0
    for label, color in colors.items():
        table[(label - 1) % (COLORS - 1) + 1] = transform_color(color)
    return CyclicLabelColormap(colors=table)


def object_colors(objects: Sequence[ObjectInfo], hidden: Set[int]) -> dict[int, str]:
    """Colours by label of objects, of which some are hidden, and of objects to come.

    With the latter a new object rarely changes the colormap: napari compiles a shader for each.
    Visible objects are the last: from label 256 on, labels share an entry of the colormap.
    """
    ids = {info.id for info in objects}
    new = {i: c for i, c in colors_up_to(1 + max(ids, default=0)).items() if i not in ids}
    not_shown = dict.fromkeys(ids & hidden, "transparent")
    return new | not_shown | {info.id: info.color for info in objects if info.id not in hidden}
