"""What a run does, and what its figures depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import PromptNotSupported
from napari_medvlm.data.prompts import Box, Lasso, Line, Point, Scribble
from napari_medvlm.evaluation.runs.task import EvaluationPlan
from napari_medvlm.evaluation.segment.simulated_user import CHALLENGE_SEED, PromptKind

PROMPTS = {
    PromptKind.POINT: Point,
    PromptKind.BOX: Box,
    PromptKind.SCRIBBLE: Scribble,
    PromptKind.LASSO: Lasso,
    PromptKind.LINE: Line,
}
MASKS = "masks"
"""The backend's name in runs of masks that another program made."""
PROMPT_SETTINGS = (
    "model", "device", "interactions", "first_prompt", "next_prompt", "jitter_mm", "seed",
)  # fmt: skip
"""Settings that a run of masks does not have."""
LIBRARIES = ("numpy", "scipy", "scikit-image", "SimpleITK")


class Plan(EvaluationPlan):
    """What the simulated user does and who segments.

    Attributes
    ----------
    interactions
        How many prompts the user gives for each structure.
    first_prompt, next_prompt
        Kind of the first prompt, and of the corrections.
    jitter_mm
        How unsteady its hand is: standard deviation along each axis.
    seed
        For all that is drawn at random.
    tolerance_mm
        How far surfaces may be apart for the surface Dice.
    structures
        Names or values of the structures; all if none.
    """

    interactions: int = Field(10, ge=1)
    first_prompt: PromptKind = PromptKind.POINT
    next_prompt: PromptKind = PromptKind.POINT
    jitter_mm: float = Field(0.0, ge=0)
    seed: int = Field(CHALLENGE_SEED, ge=0)
    tolerance_mm: float = Field(2.0, ge=0)
    structures: tuple[str, ...] = ()


def stated_settings(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a ``run.json``; of runs of masks without those of models and prompts."""
    without = PROMPT_SETTINGS if plan.get("backend") == MASKS else ()
    return {name: value for name, value in plan.items() if name not in without}


def require_able(plan: Plan) -> None:
    """Raise unless the backend segments, and by the plan's kinds of prompt.

    Raises
    ------
    BackendUnavailable
        If there is no such backend, or it does not segment.
    PromptNotSupported
        If it does not take one of the kinds, or boxes are to follow a box.
    """
    plan.require_task(Task.SEGMENT, "segment")
    info = registry.info(plan.backend)
    if plan.next_prompt is PromptKind.BOX:
        raise PromptNotSupported(
            "A box can only be the first prompt.",
            "Use point, scribble or lasso as the next prompt type.",
        )
    for kind in (plan.first_prompt, plan.next_prompt):
        if PROMPTS[kind] not in info.prompts:
            able = [k for k, prompt_type in PROMPTS.items() if prompt_type in info.prompts]
            raise PromptNotSupported(
                f"{info.title} does not support {kind} prompts.", f"Choose from: {', '.join(able)}."
            )
