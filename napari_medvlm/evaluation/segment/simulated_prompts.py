"""The simulated user's hand: prompts for a structure, from what is wrong with the mask."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.data.prompts import Box, Lasso, Line, Point, Prompt, Scribble
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
        drawn = self._drawn(kind, error)
        if drawn is not None:
            return SimulatedPrompt(drawn, error.click.zyx)
        click = error.click
        if self.plan.jitter_mm:
            click = simulated_user.jittered(error, self.volume.spacing, self.plan.jitter_mm, rng)
        return SimulatedPrompt(Point.at_index(self.volume, click.zyx, click.positive), click.zyx)

    def _drawn(self, kind: PromptKind, error: simulated_user.LargestError) -> Prompt | None:
        """A scribble, lasso or line on the error; `None` for a click, or where it is too small."""
        volume, positive = self.volume, error.click.positive
        if kind is PromptKind.SCRIBBLE:
            return Scribble.at_index(volume, simulated_user.stroke(error), positive)
        if kind is PromptKind.LASSO:
            around = simulated_user.outline(error)
            return None if around is None else Lasso.at_index(volume, around, positive)
        if kind is PromptKind.LINE:
            ends = simulated_user.diameter(error, volume.spacing)
            return None if ends is None else Line.at_index(volume, ends[0], ends[1], positive)
        return None

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
