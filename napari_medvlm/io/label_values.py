"""The values of a label image: which ones a file can hold, and in which integer type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import CannotSave

TYPES = (np.uint8, np.uint16, np.int32, np.uint32)
"""Types that labels are written in, the first that holds the greatest; `int32` before `uint32`,
which fewer programs read."""


def label_array(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Labels in the smallest type of `TYPES` that holds them, unchanged in value.

    Parameters
    ----------
    name
        The file's name, for the message.
    values
        Of any shape: bool, or whole numbers from 0 on of any type.

    Raises
    ------
    CannotSave
        If a value is a fraction, NaN, negative or beyond 4294967295.
    """
    if values.dtype.kind not in "biuf":
        raise CannotSave(
            f"{name} cannot hold values of type {values.dtype}.", "Save labels: whole numbers."
        )
    if values.size == 0:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        _require_whole(name, values)
    low, high = values.min(), values.max()
    if low < 0:
        raise CannotSave(
            f"{name} cannot hold the label {int(low)}: labels are counted from 0 on.",
            "Give those voxels another label, or 0 for the background.",
        )
    fitting = next((kind for kind in TYPES if high <= np.iinfo(kind).max), None)
    if fitting is None:
        raise CannotSave(
            f"{name} cannot hold the label {int(high)}: the greatest is {np.iinfo(np.uint32).max}.",
            "Renumber the labels, as skimage.segmentation.relabel_sequential does.",
        )
    return values.astype(fitting, copy=False)


def whole_numbers(values: NDArray[Any]) -> NDArray[np.integer] | None:
    """The values as integers of at least 32 bits; `None` if one is a fraction or too large."""
    if values.dtype.kind != "f":
        return values
    if not np.array_equal(values, np.round(values)):
        return None
    greatest = float(np.abs(values).max(initial=0))
    if greatest >= 2.0**63:
        return None
    return values.astype(np.int32 if greatest <= np.iinfo(np.int32).max else np.int64)


def _require_whole(name: str, values: NDArray[Any]) -> None:
    fractions = ~np.isfinite(values) | (values != np.round(values))
    if fractions.any():
        raise CannotSave(
            f"{name} cannot hold {values[fractions][0]:g}: a mask has whole numbers.",
            "Compare probabilities with a threshold first, for instance `values > 0.5`.",
        )
