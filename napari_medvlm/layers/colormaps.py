"""Colours of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

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
