"""The training loop and its checkpoints."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.checkpoint import State, save_small
from training.config import Config
from training.train import CHECKPOINT, CONFIGS, _StopSignal, advance, main, train


def same(one: State, other: State) -> bool:
    first, second = one._tensors(), other._tensors()
    return first.keys() == second.keys() and all(
        torch.equal(values, second[name]) for name, values in first.items()
    )


def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_one(tiny, tmp_path):
    uninterrupted = advance(State.start(tiny), 5)
    first = advance(State.start(tiny), 3)
    first.save(tmp_path / CHECKPOINT)
    resumed = advance(State.load(tmp_path / CHECKPOINT), 2)
    assert resumed.step == uninterrupted.step == 5
    assert same(resumed, uninterrupted)


def test_training_lowers_the_loss_of_a_repeated_sample(tiny):
    from training.steps import Samples, train_step

    config = replace(tiny, rounds=(1.0,), learning_rate=3e-3)
    state = State.start(config)
    values = []
    for _ in range(25):  # the same step, so the same sample and prompt
        samples = Samples(config, torch.device("cpu"))
        values.append(float(train_step(state.network, state.optimizer, samples, 7, config)[0]))
    assert values[-1] < 0.8 * values[0]


def test_a_stopped_run_saves_its_state_and_its_history(tiny, tmp_path):
    state = train(State.start(tiny), tmp_path, 3600, stopped=lambda: True)
    loaded = State.load(tmp_path / CHECKPOINT)
    assert loaded.step == state.step == 1
    assert same(loaded, state)
    assert loaded.history[0]["steps"] == 1
    assert loaded.history[0]["device"] == "cpu"


def test_a_checkpoint_survives_a_failure_while_the_next_is_written(tiny, tmp_path, monkeypatch):
    path = tmp_path / CHECKPOINT
    state = advance(State.start(tiny), 1)
    state.save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        advance(state, 1).save(path)
    assert path.read_bytes() == before
    assert State.load(path).step == 1


def test_sigterm_asks_the_run_to_stop():
    handlers = [signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)]
    try:
        stopped = _StopSignal()
        assert not stopped()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped()
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), handlers, strict=True):
            signal.signal(number, handler)


def test_the_small_checkpoint_has_the_averaged_weights_and_starts_a_run(tiny, tmp_path):
    state = advance(State.start(tiny), 3)
    save_small(state, tmp_path / "small.safetensors")
    loaded = State.load(tmp_path / "small.safetensors")
    average = state.average.state_dict()
    for name, values in loaded.network.state_dict().items():
        assert torch.equal(values, average[name].half().float())
    assert advance(loaded, 1).step == 4
    assert loaded.optimizer.param_groups[0]["lr"] == tiny.learning_rate / tiny.warm_up


def test_the_command_trains_and_goes_on_where_it_stopped(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("training.train._StopSignal", lambda: lambda: False)
    config = tmp_path / "tiny.toml"
    config.write_text("crop = 16\nbatch = 1\nwidths = [8, 16]\nseed = 9\n")
    for _ in range(2):
        arguments = ["--minutes", "0", "--run", str(tmp_path / "run"), "--config", str(config)]
        main(arguments)
    state = State.load(tmp_path / "run" / CHECKPOINT)
    assert state.step == 2
    assert [record["steps"] for record in state.history] == [1, 1]
    assert "2 steps" in capsys.readouterr().out


def test_the_path_of_the_gpu_runs_on_the_cpu_in_bfloat16_with_a_large_batch():
    config = Config.read(CONFIGS / "gpu.toml")
    assert config.bfloat16
    assert config.batch >= 16
    state = State.start(replace(config, crop=16, batch=8, widths=(8, 16)))
    before = state.network.logits.weight.clone()
    advance(state, 2)
    assert state.network.logits.weight.isfinite().all()
    assert not torch.equal(before, state.network.logits.weight)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_configurations_have_crops_that_the_network_can_halve(path: Path):
    config = Config.read(path)
    assert config.crop % 2 ** len(config.widths) == 0


def test_the_rate_rises_stays_and_falls_to_zero_along_half_a_cosine():
    config = Config(learning_rate=2e-3, warm_up=100, decay_from=1000, decay_to=3000)
    rates = [config.rate_at(step, step) for step in (49, 99, 1000, 1500, 2000, 3000, 4000)]
    part = 0.5 * (1 + 0.5**0.5)  # cos(45 degrees)
    expected = [1e-3, 2e-3, 2e-3, 2e-3 * part, 1e-3, 0, 0]
    assert rates == pytest.approx(expected, abs=1e-12)
    assert Config(learning_rate=2e-3).rate_at(10**6, 10**6) == 2e-3


def test_an_unknown_setting_is_an_error():
    with pytest.raises(ValueError, match="Unknown settings: widht"):
        Config.from_dict({"widht": 3})
