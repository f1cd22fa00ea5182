"""Settings of a training run, read from a TOML file."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Config:
    """What defines a run, apart from its length.

    Parameters
    ----------
    seed
        0 to 899,999; with the number of a step it gives all random numbers of the step.
    crop
        Voxels along each axis.
    batch
        Crops per step.
    reuse
        Steps for which the same crops are used, mirrored and turned anew each time.
    widths
        Channels of the network per resolution.
    learning_rate, warm_up, weight_decay
        Of AdamW; the rate rises linearly for ``warm_up`` steps and is constant after.
    decay_from, decay_to
        Steps between which the rate falls from its full value to 0 along half a cosine; it stays
        constant if ``decay_to`` is 0. Steps from ``decay_to`` on change no weight.
    ema
        Decay per step of the averaged weights, which are exported.
    rounds
        Weights of 1, 2, ... prompts in a step.
    drop_last, drop_likeness
        Probability that the last mask, or the two channels of similar intensity, are left empty.
    interior_start
        Probability that the first voxel is any of the target; it is a deep voxel otherwise.
    outside_start
        Probability that a first point lies one or two voxels outside the target.
    ring_enhancing
        Probability that an object has a core on the other side of its organ's intensity, so that
        its rim is brighter or darker than both.
    bfloat16
        Whether the network is computed in bfloat16 where torch's autocast allows it.
    save_s
        Seconds between checkpoints.
    """

    seed: int = 1
    crop: int = 32
    batch: int = 2
    reuse: int = 3
    widths: tuple[int, ...] = (32, 64, 128)
    learning_rate: float = 1e-3
    warm_up: int = 100
    decay_from: int = 0
    decay_to: int = 0
    weight_decay: float = 1e-4
    ema: float = 0.998
    rounds: tuple[float, ...] = field(
        default=(0.4, 0.2, 0.12, 0.08, 0.06, 0.04, 0.03, 0.03, 0.02, 0.02)
    )
    drop_last: float = 0.1
    drop_likeness: float = 0.1
    interior_start: float = 0
    outside_start: float = 0
    ring_enhancing: float = 0
    bfloat16: bool = False
    save_s: float = 60

    def rate_at(self, step: int, updates: int) -> float:
        """The learning rate of a step, with the number of updates of the moments before it."""
        rate = self.learning_rate * min(1.0, (updates + 1) / self.warm_up)
        if self.decay_to:
            part = (step - self.decay_from) / max(self.decay_to - self.decay_from, 1)
            rate *= 0.5 * (1 + math.cos(math.pi * min(max(part, 0.0), 1.0)))
        return rate

    def as_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Config:
        """From the contents of a file; an unknown name is an error."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"Unknown settings: {', '.join(sorted(unknown))}.")
        lists = {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        return cls(**(values | lists))

    @classmethod
    def read(cls, path: Path) -> Config:
        """From a TOML file."""
        return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
