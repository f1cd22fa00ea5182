"""The state of a run in one safetensors file that is replaced as a whole."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.config import Config
from training.network import PromptUNet


@dataclass(eq=False)
class State:
    """What a run consists of between two steps.

    Parameters
    ----------
    network, average
        The trained weights and their exponential average.
    step
        Number of finished steps.
    seconds
        Time spent in all sessions of the run.
    history
        One record per session: device, threads, crop, batch, steps, seconds.
    """

    config: Config
    network: PromptUNet
    average: PromptUNet
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()

    @classmethod
    def start(cls, config: Config, device: torch.device | str = "cpu") -> State:
        """New weights, drawn from the seed of the configuration."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = PromptUNet(config.widths)
        average = PromptUNet(config.widths)
        average.load_state_dict(network.state_dict())
        network.to(device)
        average.to(device).requires_grad_(False)
        return cls(config, network, average, _optimizer(network, config))

    def save(self, path: Path) -> None:
        """Write the file beside the old one, flush it to the disk, then replace the old one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file(self._tensors(), partial, metadata={"state": json.dumps(self._facts())})
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)

    @classmethod
    def load(
        cls, path: Path, device: torch.device | str = "cpu", config: Config | None = None
    ) -> State:
        """Read a file; another configuration may change all but the widths of the network."""
        with safe_open(path, "pt", device="cpu") as file:
            facts = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        config = config or Config.from_dict(facts["config"])
        state = cls.start(config, device)
        state.network.load_state_dict(_single(tensors, "network."))
        state.average.load_state_dict(_single(tensors, "average.", "network."))
        for name, parameter in state.network.named_parameters():
            moments = {
                key: tensors[f"adam.{key}.{name}"].to(parameter.device if key != "step" else "cpu")
                for key in ("exp_avg", "exp_avg_sq", "step")
                if f"adam.{key}.{name}" in tensors
            }
            if moments:
                state.optimizer.state[parameter] = moments
        state.step, state.seconds = facts["step"], facts["seconds"]
        state.history = tuple(facts["history"])
        return state

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        for name, parameter in self.network.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"adam.{key}.{name}"] = value
        return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}

    def _facts(self) -> dict[str, Any]:
        return {
            "config": self.config.as_dict(),
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "history": list(self.history),
        }


def save_small(state: State, path: Path) -> None:
    """Write the averaged weights in half precision, without the optimizer's moments."""
    weights = {f"network.{k}": v.half().cpu() for k, v in state.average.state_dict().items()}
    save_file(weights, path, metadata={"state": json.dumps(state._facts())})


def _single(tensors: dict[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """The float32 tensors under the first prefix that the file has."""
    for prefix in prefixes:
        matching = {
            k.removeprefix(prefix): v.float() for k, v in tensors.items() if k.startswith(prefix)
        }
        if matching:
            return matching
    raise KeyError(f"The file has no tensors named {prefixes[0]}*.")


def _optimizer(network: PromptUNet, config: Config) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
