"""The type of all prompts, and checks of a prompt."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.interface.prompt_arguments import (
    EXAMPLES,
)
from napari_medvlm.data.prompts.base import text_of
from napari_medvlm.data.prompts.initial_mask import InitialMask
from napari_medvlm.data.prompts.shapes import Box, Lasso, Line, Point, Scribble

Prompt = Annotated[Point | Box | Scribble | Lasso | Line | InitialMask, Field(discriminator="kind")]
PROMPT_TYPES = (Point, Box, Scribble, Lasso, Line, InitialMask)


def require_prompt(prompt: object) -> None:
    """Raise `InvalidPrompt` unless an object is a prompt."""
    if not isinstance(prompt, PROMPT_TYPES):
        raise InvalidPrompt(
            f"{type(prompt).__name__} is not a prompt.",
            f"Make one with {EXAMPLES['Point']} or {EXAMPLES['Box']}.",
        )


def check_prompt(prompt: Prompt, grid: Grid) -> None:
    """Raise `InvalidPrompt` unless the prompt says something about the grid."""
    match prompt:
        case InitialMask():
            count = prompt.mask(grid).voxels
        case Box():
            start, stop = prompt.bounds(grid)
            count = int(np.prod(np.maximum(stop - start, 0)))
        case Lasso() if len(prompt.vertices_mm) < 3:
            count = 0
        case _:
            count = len(prompt.voxels(grid))
    if count:
        return
    if isinstance(prompt, Point):
        raise InvalidPrompt(
            f"The point {text_of(grid.to_index(prompt.position_mm))} (z, y, x) lies outside the "
            f"image, whose shape is {grid.shape}.",
            "Click inside the image.",
        )
    raise InvalidPrompt(
        f"The {prompt.label} covers no voxel of the image.",
        "Draw it over the image, at least one voxel large.",
    )
