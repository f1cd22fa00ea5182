"""The prompts that a version of nnInteractive supports."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_medvlm.data.errors import PromptNotSupported
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import (
    Box,
    InitialMask,
    Lasso,
    Line,
    Point,
    Prompt,
    Scribble,
)
from napari_medvlm.data.prompts.base import Vector

NAMES: dict[type[Any], str] = {
    Point: "points",
    Scribble: "scribble",
    Line: "scribble",
    Lasso: "lasso",
}
"""Kinds of prompt as the library calls them; boxes have two names."""


def require_kind(prompt: Prompt, grid: Grid, session: Any) -> None:
    """Raise `PromptNotSupported` unless the model was trained for a kind of prompt."""
    taken: dict[str, bool] = session.supported_interactions
    match supported_prompt(prompt, grid):
        case InitialMask():
            kinds = ["initial_label"] if session.supports_initial_label else []
        case Box() as box:
            start, stop = box.bounds(grid)
            if min(stop - start) > 1 and not taken.get("bbox3d"):
                size = " x ".join(map(str, stop - start))
                raise PromptNotSupported(
                    f"This model takes boxes on one slice; the box is {size} voxels large.",
                    "Draw the box on a single slice, or use points.",
                )
            kinds = [kind for kind in ("bbox2d", "bbox3d") if taken.get(kind)]
        case other:
            kinds = [kind for kind in (NAMES[type(other)],) if taken.get(kind)]
    if not kinds:
        able = [kind for kind, yes in taken.items() if yes]
        raise PromptNotSupported(
            f"This model was not trained for a prompt of the kind {prompt.label}.",
            f"It takes: {', '.join(able)}.",
        )


def supported_prompt(prompt: Prompt, grid: Grid) -> Prompt:
    """A prompt as the model takes it.

    A box that was drawn on a plane at an angle to the slices becomes its outline, since the model's
    boxes run along the voxels; it sees a filled area either way. Any other prompt stays what it is.
    """
    if not isinstance(prompt, Box):
        return prompt
    edges = np.array(prompt.edges_mm)
    lengths = np.linalg.norm(edges, axis=1)
    thin = int(np.argmin(lengths))
    across = np.sort(np.abs(np.linalg.solve(grid.affine[:3, :3], edges.T)), axis=0)[:2]
    if across.sum(axis=0).max() < 0.5 or lengths[thin] > 1.01 * max(grid.spacing):
        return prompt
    first, other = np.delete(edges, thin, axis=0)
    corner = np.array(prompt.corner_mm) + edges[thin] / 2
    ring = (corner, corner + first, corner + first + other, corner + other)
    vertices: list[Vector] = [(float(s), float(p), float(x)) for s, p, x in ring]
    return Lasso(vertices_mm=tuple(vertices), positive=prompt.positive)
