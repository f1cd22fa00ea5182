"""Train: ``python -m training.train --minutes N --device cpu|cuda --run FOLDER``.

Goes on from the checkpoint of the folder if there is one. SIGTERM and Ctrl-C end the step, save and
stop; after a kill, the run goes on from the last checkpoint, which is never half written.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch

from training.checkpoint import State
from training.config import Config
from training.steps import Samples, train_step

CHECKPOINT = "state.safetensors"
LOG = "log.jsonl"
LOG_STEPS = 50
CONFIGS = Path(__file__).parent / "configs"


def train(
    state: State, folder: Path, seconds: float, stopped: Callable[[], bool] = lambda: False
) -> State:
    """Step until the time is over or ``stopped``; save at intervals and at the end.

    At least one step is made.
    """
    device = next(state.network.parameters()).device
    samples = Samples(state.config, device)
    session = _Session(state, folder, device)
    while True:
        value, reached = train_step(
            state.network, state.optimizer, samples, state.step, state.config
        )
        _average(state)
        state.step += 1
        session.record(float(value), float(reached))
        if session.elapsed() >= seconds or stopped():
            session.save()
            return state
        session.save_if_due()


def advance(state: State, steps: int) -> State:
    """Make a number of steps without a file."""
    samples = Samples(state.config, next(state.network.parameters()).device)
    for _ in range(steps):
        train_step(state.network, state.optimizer, samples, state.step, state.config)
        _average(state)
        state.step += 1
    return state


class _Session:
    """The time, the log and the checkpoints of one call of `train`."""

    def __init__(self, state: State, folder: Path, device: torch.device) -> None:
        self._state, self._folder, self._device = state, folder, device
        self._began, self._saved = time.monotonic(), time.monotonic()
        self._before = (state.step, state.seconds, state.history)
        self._sums = [0.0, 0.0, 0]
        folder.mkdir(parents=True, exist_ok=True)

    def elapsed(self) -> float:
        """Seconds of this session."""
        return time.monotonic() - self._began

    def record(self, value: float, reached: float) -> None:
        """Add a step to the log; means of `LOG_STEPS` steps are written."""
        total, overlap, count = self._sums
        self._sums = [total + value, overlap + reached, count + 1]
        if self._sums[2] == LOG_STEPS:
            line = {
                "step": self._state.step,
                "loss": round(self._sums[0] / LOG_STEPS, 4),
                "dice": round(self._sums[1] / LOG_STEPS, 4),
                "seconds": round(self._before[1] + self.elapsed(), 1),
            }
            with (self._folder / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            self._sums = [0.0, 0.0, 0]

    def save_if_due(self) -> None:
        """Save after each `Config.save_s` seconds."""
        if time.monotonic() - self._saved >= self._state.config.save_s:
            self.save()

    def save(self) -> None:
        """Save with the time and the record of this session."""
        step, seconds, history = self._before
        record = {
            "device": self._device.type,
            "threads": torch.get_num_threads(),
            "crop": self._state.config.crop,
            "batch": self._state.config.batch,
            "seed": self._state.config.seed,
            "learning_rate": self._state.config.learning_rate,
            "steps": self._state.step - step,
            "seconds": round(self.elapsed(), 1),
        }
        self._state.seconds = seconds + self.elapsed()
        self._state.history = (*history, record)
        self._state.save(self._folder / CHECKPOINT)
        self._saved = time.monotonic()


@torch.no_grad()  # type: ignore[untyped-decorator]
def _average(state: State) -> None:
    """Exponential average, shorter at the start of a run."""
    decay = min(state.config.ema, (state.step + 1) / (state.step + 10))
    for mean, value in zip(state.average.parameters(), state.network.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--config", type=Path, help="TOML file; default: the device's or the run's")
    parser.add_argument("--resume-from", type=Path, help="a checkpoint to begin a new run with")
    parser.add_argument("--crop", type=int, help="voxels, instead of the configured number")
    parser.add_argument(
        "--batch", type=int, help="crops per step, instead of the configured number"
    )
    parser.add_argument("--learning-rate", type=float, help="instead of the configured one")
    parser.add_argument("--threads", type=int, help="threads of the CPU")
    chosen = parser.parse_args(arguments)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    state = _opened(chosen)
    stop = _StopSignal()
    train(state, chosen.run, chosen.minutes * 60, stop)
    print(f"{state.step} steps in {state.seconds / 60:.1f} minutes: {chosen.run / CHECKPOINT}")


def _opened(chosen: argparse.Namespace) -> State:
    path = chosen.run / CHECKPOINT
    source = path if path.exists() else chosen.resume_from
    config = Config.read(chosen.config) if chosen.config else None
    if source is None and config is None:
        config = Config.read(CONFIGS / ("gpu.toml" if chosen.device == "cuda" else "cpu.toml"))
    if source is not None and config is None:
        config = State.load(source).config
    assert config is not None
    overrides = {k: getattr(chosen, k) for k in ("crop", "batch", "learning_rate")}
    config = replace(config, **{k: v for k, v in overrides.items() if v})
    if source is None:
        return State.start(config, chosen.device)
    return State.load(source, chosen.device, config)


class _StopSignal:
    """Becomes true at SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self._received = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = True

    def __call__(self) -> bool:
        return self._received


if __name__ == "__main__":
    main()
