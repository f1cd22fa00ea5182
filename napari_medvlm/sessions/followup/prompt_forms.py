"""Prompts for a lesion whose earlier mask is known."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Point, Prompt, Scribble

BOX_MARGIN_VOXELS = 1
"""Margin of a box around the mapped lesion."""
CORE_DEPTH = 0.5
"""Depth of the core that is scribbled over, as a part of the greatest depth."""


class PromptForm(StrEnum):
    """Which prompts guide the backend."""

    GUIDED = "mask by the prior's intensities"
    POINT = "point"
    SCRIBBLE = "scribble over the core"
    BOX = "box of the mapped lesion"


KINDS: dict[PromptForm, type] = {
    PromptForm.GUIDED: InitialMask,
    PromptForm.POINT: Point,
    PromptForm.SCRIBBLE: Scribble,
    PromptForm.BOX: Box,
}
"""What a backend must support for a form, in the order in which forms are preferred."""


def supported_forms(prompts: frozenset[type]) -> tuple[PromptForm, ...]:
    """The forms that a backend with such prompts supports."""
    return tuple(form for form, kind in KINDS.items() if kind in prompts)


def prompt_of(form: PromptForm, mapped: Mask, guided: Mask | None, grid: Grid) -> Prompt | None:
    """The prompt of a form; `None` without a guided mask if it needs one.

    Parameters
    ----------
    mapped
        The prior's lesion on the current study's grid, not empty.
    guided
        See `guided_mask`.
    """
    if form is PromptForm.GUIDED:
        return None if guided is None or not guided.voxels else InitialMask.of(grid, guided)
    if form is PromptForm.BOX:
        start = np.maximum(np.array(mapped.start) - BOX_MARGIN_VOXELS, 0)
        return Box.at_index(
            grid, start, np.minimum(np.array(mapped.stop) + BOX_MARGIN_VOXELS, grid.shape)
        )
    depth = _depth(mapped, grid)
    if form is PromptForm.SCRIBBLE:
        core = np.argwhere(depth >= CORE_DEPTH * depth.max()) + mapped.start
        return Scribble.at_index(grid, core)
    deepest = np.array(np.unravel_index(int(depth.argmax()), depth.shape)) + mapped.start
    s, p, left = grid.to_world(deepest).tolist()
    return Point(position_mm=(s, p, left))


def _depth(mask: Mask, grid: Grid) -> FloatArray:
    """Distance of the voxels of the crop from the outside, in millimetres."""
    from scipy import ndimage

    inside = np.pad(mask.crop, 1)
    depth: FloatArray = ndimage.distance_transform_edt(inside, sampling=grid.spacing)
    return depth[1:-1, 1:-1, 1:-1]
