"""Backends of other packages, and sessions that ask them."""

import os
from pathlib import Path

import pytest

from napari_medvlm.backends import registry
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.worker.process_runner import WorkerRunner
from tests.conftest import make_phantom
from tests.worker.conftest import use_foreign

SCRIPTED = Path(__file__).parents[1] / "scripted"


@pytest.fixture
def foreign(monkeypatch):
    """Name of a backend of another package that segments only."""
    use_foreign(monkeypatch)
    yield "threshold"
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture
def scripted(monkeypatch):
    """Name of a backend that answers what the context of the question tells it to."""
    monkeypatch.syspath_prepend(str(SCRIPTED))
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTED), prepend=os.pathsep)
    registry._entry_points.cache_clear()
    registry._load.cache_clear()
    yield "scripted"
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture(scope="module")
def scene():
    volume, left, right = make_phantom((12, 20, 22))
    return volume, {"left kidney": left, "right kidney": right}


@pytest.fixture
def inline(scene, scripted):
    with AskSession(scene[0], scripted, "inline") as session:
        yield session


@pytest.fixture
def runner():
    with WorkerRunner(cancel_grace_s=2.0) as runner:
        yield runner
