"""The Dice that is expected of a region around a click: regression trees, fitted on phantoms."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.proposals.measures import CLICK_NAMES

Floats = NDArray[np.float64]
FILE, NEAR_FILE = "click_forest.npz", "near_forest.npz"
NUDGE = CLICK_NAMES.index("nudge")


def expected_dice(measures: Floats) -> Floats:
    """The Dice ``(N,)`` that is expected of regions with measures ``(N, len(CLICK_NAMES))``.

    Trees fitted on clicks in the object order the regions around the click; trees fitted also on
    clicks just outside of it rate the regions around other voxels against the best of those.
    """
    near = measures[:, NUDGE] > 0
    result = _forest(FILE)(measures)
    if near.any():
        other = _forest(NEAR_FILE)(measures)
        offset = 0.0 if near.all() else result[~near].max() - other[~near].max()
        result = np.where(near, other + offset, result)
    return result


class Forest:
    """Regression trees of one table of nodes.

    Parameters
    ----------
    columns
        The measures that the trees ask for, as indices of `CLICK_NAMES`.
    roots
        ``(T,)`` the first node of each tree.
    feature, limit, left, right
        ``(nodes,)``; a node goes to ``left`` where the feature is at most the limit. A leaf has the
        feature -1.
    value
        ``(nodes,)`` of the leaves.
    """

    def __init__(
        self,
        columns: list[int],
        roots: NDArray[np.int64],
        feature: NDArray[np.int64],
        limit: Floats,
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        value: Floats,
    ) -> None:
        self._columns, self._roots = columns, roots
        self._feature, self._limit, self._value = feature, limit, value
        self._children = np.stack([left, right])

    def __call__(self, measures: Floats) -> Floats:
        """The mean over the trees ``(N,)`` for rows of measures ``(N, M)``."""
        asked = measures[:, self._columns]
        rows = np.arange(len(asked))[:, None]
        at = np.broadcast_to(self._roots, (len(asked), len(self._roots))).copy()
        while True:
            feature = self._feature[at]
            inner = feature >= 0
            if not inner.any():
                return np.asarray(self._value[at].mean(axis=1), np.float64)
            right = (asked[rows, feature] > self._limit[at]).astype(np.int64)
            at = np.where(inner, self._children[right, at], at)


@lru_cache(maxsize=2)
def _forest(file: str) -> Forest:
    """Trees of the package (made by ``python -m benchmarks.click_choice``)."""
    with resources.as_file(resources.files(__package__).joinpath(file)) as path:
        return read(path)


def read(path: Path) -> Forest:
    """The trees of a file."""
    with np.load(path) as table:
        columns = [CLICK_NAMES.index(str(name)) for name in table["names"]]
        roots, feature, left, right = (
            table[key].astype(np.int64) for key in ("roots", "feature", "left", "right")
        )
        limit, value = (table[key].astype(np.float64) for key in ("limit", "value"))
    return Forest(columns, roots, feature, limit, left, right, value)
