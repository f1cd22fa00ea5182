"""Backends of other packages."""

import os
from pathlib import Path

import pytest

from napari_medvlm.backends import registry
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
