"""One training step: synthetic crops, a simulated dialogue, the gradient of its last round."""

from __future__ import annotations

import torch
from torch import Tensor

from training.config import Config
from training.fields import Draw, step_seed
from training.generator import Sample, generate
from training.losses import loss
from training.network import PromptUNet
from training.prompts import Prompts, encode
from training.user import begin, correct

CROPS = 2**40
"""Offset of the seeds of crops against those of steps."""


class Samples:
    """Synthetic crops, drawn once for `Config.reuse` steps and turned anew in each.

    Everything follows from the number of the step, so that nothing has to be stored.
    """

    def __init__(self, config: Config, device: torch.device) -> None:
        self._config, self._device = config, device
        self._drawn: tuple[int, Sample] | None = None

    def at(self, step: int, draw: Draw) -> Sample:
        """The crops of a step."""
        config, index = self._config, step // self._config.reuse
        if self._drawn is None or self._drawn[0] != index:
            crops = Draw(step_seed(config.seed, CROPS + index), self._device)
            self._drawn = (index, generate(crops, config.batch, config.crop, config.ring_enhancing))
        return _turned(draw, self._drawn[1])


def _turned(draw: Draw, sample: Sample) -> Sample:
    """Axes exchanged and mirrored for the batch, intensities inverted for a part of it."""
    order = torch.argsort(draw.uniform(0, 1, 3)).tolist()
    mirrored = [axis + 1 for axis in range(3) if bool(draw.chance(0.5, 1))]
    axes = [0, *(axis + 1 for axis in order)]
    sign = torch.where(draw.chance(0.3, len(sample.images), 1, 1, 1), -1.0, 1.0)
    images = sample.images.permute(axes).flip(mirrored) * sign
    targets = sample.targets.permute(axes).flip(mirrored)
    return Sample(images.contiguous(), targets.contiguous())


def train_step(
    network: PromptUNet,
    optimizer: torch.optim.Optimizer,
    samples: Samples,
    step: int,
    config: Config,
) -> tuple[Tensor, Tensor]:
    """Change the weights once; the loss and the Dice of the last round, on the device."""
    device = next(network.parameters()).device
    draw = Draw(step_seed(config.seed, step), device)
    sample = samples.at(step, draw)
    rounds = draw.choice(list(config.rounds), 1)[0] + 1
    starts = (config.interior_start, config.outside_start)
    prompts = begin(draw, sample.images, sample.targets, *starts)
    channels = _dialogue(network, draw, sample, prompts, rounds, config)
    for group in optimizer.param_groups:
        group["lr"] = config.rate_at(step, _updates(optimizer))
    with _precision(device, config):
        logits, scores = network(channels.contiguous(memory_format=torch.channels_last_3d))
    value, reached = loss(logits, scores, sample.targets)
    optimizer.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    return value.detach(), reached


@torch.no_grad()  # type: ignore[untyped-decorator]
def _dialogue(
    network: PromptUNet, draw: Draw, sample: Sample, prompts: Prompts, rounds: int, config: Config
) -> Tensor:
    """The channels of the last of some rounds; the earlier ones leave no gradient."""
    last = torch.zeros_like(sample.images)
    for _ in range(rounds - 1):
        with _precision(last.device, config):
            logits, _ = network(encode(sample.images, prompts, last))
        last = torch.sigmoid(logits.float())
        correct(draw, sample.images, sample.targets, last > 0.5, prompts)
    channels = encode(sample.images, prompts, last)
    count = len(last)
    for probability, names in ((config.drop_last, (5,)), (config.drop_likeness, (6, 7))):
        present = ~draw.chance(probability, count)
        for channel in names:
            channels[:, channel] *= present[:, None, None, None]
    return channels


def _updates(optimizer: torch.optim.Optimizer) -> int:
    """How often the moments were updated: 0 after a start from weights alone."""
    return next((int(state["step"]) for state in optimizer.state.values()), 0)


def _precision(device: torch.device, config: Config) -> torch.autocast:
    """Bfloat16 where the configuration says so."""
    return torch.autocast(device.type, torch.bfloat16, enabled=config.bfloat16)
