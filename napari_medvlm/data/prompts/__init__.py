"""Prompts: points, boxes, scribbles, lassos, lines and masks in patient millimetres."""

from napari_medvlm.data.prompts.base import IndexArray
from napari_medvlm.data.prompts.check import PROMPT_TYPES, Prompt, check_prompt, require_prompt
from napari_medvlm.data.prompts.initial_mask import InitialMask
from napari_medvlm.data.prompts.shapes import MAX_SIZE_STEP, Box, Lasso, Line, Point, Scribble

__all__ = [
    "MAX_SIZE_STEP",
    "PROMPT_TYPES",
    "Box",
    "IndexArray",
    "InitialMask",
    "Lasso",
    "Line",
    "Point",
    "Prompt",
    "Scribble",
    "check_prompt",
    "require_prompt",
]
