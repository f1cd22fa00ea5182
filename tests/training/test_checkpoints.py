"""The checkpoints of the repository and their cards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import training
from training.checkpoint import State
from training.network import parameter_count

CHECKPOINTS = sorted((Path(training.__file__).parent / "checkpoints").glob("*.safetensors"))


@pytest.mark.parametrize("path", CHECKPOINTS, ids=lambda path: path.stem)
def test_a_checkpoint_is_small_can_be_resumed_and_has_the_hash_of_its_card(path: Path):
    data = path.read_bytes()
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    state = State.load(path)
    assert len(data) <= 8_000_000
    assert hashlib.sha256(data).hexdigest() in card
    assert f"{parameter_count(state.network):,} parameters" in card
    assert f"{state.step:,} steps" in card
    assert "CC0" in card
