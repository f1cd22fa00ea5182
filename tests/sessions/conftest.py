"""Backends of another package."""

import pytest

from napari_medvlm.backends import registry
from tests.worker.conftest import use_foreign


@pytest.fixture
def foreign(monkeypatch):
    """Name of a backend of another package that segments only."""
    use_foreign(monkeypatch)
    yield "threshold"
    registry._entry_points.cache_clear()
    registry._load.cache_clear()
