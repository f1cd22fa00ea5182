"""Prompts as the method reads them: seeds in order, and boxes that bound the object."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.errors import PromptNotSupported
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import (
    PROMPT_TYPES,
    Box,
    InitialMask,
    Lasso,
    Point,
    Prompt,
    check_prompt,
)

IndexArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Seed:
    """Voxels ``(N, 3)`` of the image that are in the object, or are not.

    Parameters
    ----------
    kind
        The kind of the prompt that it comes from.
    size_step
        Steps to larger (positive) or smaller (negative) extents of what it means.
    """

    voxels: IndexArray
    positive: bool
    kind: str = "point"
    size_step: int = 0


@dataclass(eq=False)
class EmbeddedPrompts:
    """All that the prompts say since the last initial mask.

    Parameters
    ----------
    base
        The mask to start from.
    seeds
        In the order given.
    bounds
        Half-open index boxes ``(start, stop)`` that hold the object.
    flat
        For each of ``bounds`` the axis along which the object goes on beyond it, or `None`.
    """

    base: Mask | None = None
    seeds: list[Seed] = field(default_factory=list)
    bounds: list[tuple[IndexArray, IndexArray]] = field(default_factory=list)
    flat: list[int | None] = field(default_factory=list)

    @property
    def positives(self) -> list[Seed]:
        """The seeds inside the object."""
        return [seed for seed in self.seeds if seed.positive]


def read(prompts: ObjectPrompts, grid: Grid) -> EmbeddedPrompts:
    """What the prompts say of a grid.

    Raises
    ------
    PromptNotSupported
        If a prompt is of a kind that is not known here.
    InvalidPrompt
        If a prompt covers no voxel of the grid.
    """
    parsed = EmbeddedPrompts()
    for prompt in prompts:
        if not isinstance(prompt, PROMPT_TYPES):
            raise PromptNotSupported(
                f"The embedded backend does not take a {type(prompt).__name__}.",
                "Use a point, box, scribble, lasso, line or initial mask.",
            )
        check_prompt(prompt, grid)
        if isinstance(prompt, InitialMask):
            parsed = EmbeddedPrompts(base=prompt.mask(grid))
        else:
            _read_prompt(prompt, grid, parsed)
    return parsed


def _read_prompt(prompt: Prompt, grid: Grid, parsed: EmbeddedPrompts) -> None:
    match prompt:
        case Box(positive=True):
            start, stop = prompt.bounds(grid)
            flat = prompt.is_flat(grid) and grid.shape[int(np.argmin(stop - start))] > 1
            parsed.bounds.append((start, stop))
            parsed.flat.append(int(np.argmin(stop - start)) if flat else None)
        case Box():
            start, stop = prompt.bounds(grid)
            ranges = [np.arange(a, b) for a, b in zip(start, stop, strict=True)]
            voxels = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
            parsed.seeds.append(Seed(voxels, positive=False, kind="box"))
        case Point():
            seed = Seed(prompt.voxels(grid), prompt.positive, prompt.kind, prompt.size_step)
            parsed.seeds.append(seed)
        case Lasso() if len(prompt.vertices_mm) < 3:
            pass
        case InitialMask():
            pass
        case _:
            parsed.seeds.append(Seed(prompt.voxels(grid), prompt.positive, prompt.kind))
