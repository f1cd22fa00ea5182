"""The ONNX file."""

from __future__ import annotations

import pytest

from training.checkpoint import State
from training.export import export, largest_difference, main
from training.network import PromptUNet, parameter_count
from training.train import advance


def test_the_exported_network_equals_torch_at_any_crop_size(tiny, tmp_path):
    network = advance(State.start(tiny), 2).average
    export(network, tmp_path / "network.onnx")
    for crop in (16, 24, 32):
        assert largest_difference(network, tmp_path / "network.onnx", crop=crop) < 1e-4


def test_half_precision_weights_halve_the_file_and_change_little(tiny, tmp_path):
    network = advance(State.start(tiny), 2).average
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    export(network, full)
    export(network, half, half=True)
    assert half.stat().st_size < 0.7 * full.stat().st_size
    assert largest_difference(network, half, crop=16) < 5e-3


def test_the_command_reports_the_size_and_the_difference(tiny, tmp_path, capsys):
    import json

    advance(State.start(tiny), 1).save(tmp_path / "state.safetensors")
    main([str(tmp_path / "state.safetensors"), "--to", str(tmp_path / "a.onnx"), "--half"])
    facts = json.loads(capsys.readouterr().out)
    assert facts["bytes"] == (tmp_path / "a.onnx").stat().st_size
    assert facts["largest_difference"] < 5e-3


def test_the_default_network_is_within_the_limits():
    assert 300_000 < parameter_count(PromptUNet()) < 4_000_000


@pytest.mark.parametrize("size", [16, 32])
def test_a_network_returns_logits_on_the_grid_of_its_crop(size):
    import torch

    logits, score = PromptUNet((8, 16))(torch.zeros(2, 8, size, size, size))
    assert logits.shape == (2, size, size, size)
    assert score.shape == (2,)
