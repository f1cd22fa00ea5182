"""A network small enough to train within a test."""

from __future__ import annotations

import pytest

from training.config import Config


@pytest.fixture
def tiny():
    return Config(
        seed=3, crop=16, batch=2, reuse=2, widths=(8, 16), warm_up=2, rounds=(0.4, 0.3, 0.3)
    )
