"""Backends of another package, in this process and in the workers that it starts."""

from pathlib import Path

import numpy as np
import pytest

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.prompts import Point
from napari_medvlm.volume import Volume
from napari_medvlm.worker.process import WorkerRunner
from napari_medvlm.worker.wire import SegmentRequest

FOREIGN = Path(__file__).parents[1] / "foreign"


def use_foreign(monkeypatch):
    monkeypatch.syspath_prepend(str(FOREIGN))
    monkeypatch.setenv("PYTHONPATH", str(FOREIGN))
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture(autouse=True)
def foreign(monkeypatch):
    use_foreign(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture
def runner():
    with WorkerRunner(cancel_grace_s=0.5) as runner:
        yield runner


@pytest.fixture
def volume():
    return Volume(np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6))


@pytest.fixture
def ask(volume):
    def ask(backend="threshold", zyx=(2, 0, 0), volume=volume, excluded=None):
        point = Point.at_index(volume, zyx)
        return SegmentRequest(
            backend=backend, volume=volume, prompts=ObjectPrompts((point,), (1,), excluded)
        )

    return ask
