"""The simulated user's hand: prompts for a structure, from what is wrong with the mask."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.data.prompts import Box, Lasso, Point, Prompt, Scribble
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.segment import simulated_user
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.simulated_user import ClickRule, PromptKind


@dataclass(frozen=True)
class SimulatedPrompt:
    """A prompt that the user gives, and where."""

    prompt: Prompt | None = None
    zyx: Index | None = None


@dataclass(frozen=True, eq=False)
class PromptSimulator:
    """The user's hand at one structure: what it says next."""

    plan: Plan
    volume: Volume
    truth: BoolArray
    box: tuple[Index, Index] | None
    key: str
    _rule: ClickRule = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rule", ClickRule(seed=self.plan.seed))

    def next(self, mask: BoolArray, number: int) -> SimulatedPrompt | None:
        """What it says of a mask; `None` if that is perfect."""
        kind = self.plan.next_prompt if number else self.plan.first_prompt
        rng = np.random.default_rng([self.plan.seed, number, _number(self.key)])
        if kind is PromptKind.BOX:
            return self._boxed(mask, rng)
        error = simulated_user.largest_error(self.truth, mask, self._rule)
        if error is None:
            return None
        if kind is PromptKind.SCRIBBLE:
            return self._at(Scribble, simulated_user.stroke(error), error.click)
        if kind is PromptKind.LASSO:
            around = simulated_user.outline(error)
            if around is not None:
                return self._at(Lasso, around, error.click)
        click = error.click
        if self.plan.jitter_mm:
            click = simulated_user.jittered(error, self.volume.spacing, self.plan.jitter_mm, rng)
        return self._at(Point, click.zyx, click)

    def _at(self, kind: Any, zyx: Any, click: simulated_user.Click) -> SimulatedPrompt:
        return SimulatedPrompt(kind.at_index(self.volume, zyx, click.positive), click.zyx)

    def _boxed(self, mask: BoolArray, rng: np.random.Generator) -> SimulatedPrompt | None:
        if np.array_equal(mask, self.truth):
            return None
        jitter_mm = self.plan.jitter_mm
        start, stop = self.box or simulated_user.box_around(
            self.truth, self.volume.spacing, jitter_mm, rng
        )
        z, y, x = ((a + b) // 2 for a, b in zip(start, stop, strict=True))
        return SimulatedPrompt(Box.at_index(self.volume, start, stop), (z, y, x))


def _number(key: str) -> int:
    """A number for the generator that depends on nothing but the words."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
