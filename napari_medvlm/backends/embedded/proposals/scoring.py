"""How well a region stands out: a quadratic function of its measures, fitted on phantoms."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.embedded.proposals.measures import NAMES

LIMIT = 3.0
"""Measures count up to so many standard deviations from their mean."""

Floats = NDArray[np.float64]


def score(measures: Floats) -> float:
    """The Dice that is expected of a region with these measures, ordered as `NAMES`."""
    choice = _choice()
    z = np.clip((measures[choice.columns] - choice.mean) / choice.scale, -LIMIT, LIMIT)
    pairs = np.outer(z, z)[np.triu_indices(z.size)]
    return float(choice.intercept + choice.weights @ np.concatenate([z, pairs]))


class _Choice:
    """The fitted function, from ``choice.json`` (made by ``python -m benchmarks.choice``)."""

    def __init__(self) -> None:
        text = resources.files(__package__).joinpath("choice.json").read_text("utf-8")
        read = json.loads(text)
        self.columns = [NAMES.index(name) for name in read["names"]]
        self.mean, self.scale, self.weights = (
            np.array(read[key]) for key in ("mean", "scale", "weights")
        )
        self.intercept = float(read["intercept"])


@lru_cache(maxsize=1)
def _choice() -> _Choice:
    return _Choice()
