"""Answerers of known honesty, and questions of known truth."""

import os
from pathlib import Path

import numpy as np
import pytest

from napari_medvlm.backends import registry
from napari_medvlm.data.volume import Modality, Volume, Window

ANSWERERS = Path(__file__).parents[1] / "answerers"


@pytest.fixture
def answerers(monkeypatch):
    use_answerers(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


def use_answerers(monkeypatch):
    monkeypatch.syspath_prepend(str(ANSWERERS))
    monkeypatch.setenv("PYTHONPATH", str(ANSWERERS), prepend=os.pathsep)
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


def spotted(value=None, at=(3, 4), size=6, seed=0, side=24):
    """A picture of ``side`` x ``side`` with a bright (250) or dark (5) spot, or none, on noise."""
    data = np.random.default_rng(seed).integers(100, 121, (1, side, side)).astype(np.uint8)
    data[0, 0, :2] = 40, 200  # a scale for the window
    if value is not None:
        shades = np.arange(size * size).reshape(size, size) % 5
        data[0, at[0] : at[0] + size, at[1] : at[1] + size] = value + shades
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    return Volume(data, affine, Modality.CR, window=Window(127.5, 255))
