"""What a run of questions does."""

from __future__ import annotations

from pydantic import Field

from napari_medvlm.evaluation.runs.task import EvaluationPlan


class Plan(EvaluationPlan):
    """Who answers, and what it sees.

    Attributes
    ----------
    slices
        How many slices of a volume are shown, evenly along the patient's axis.
    images
        Whether images are shown; without them the same questions measure what is guessed.
    boxes
        Whether models are asked to write boxes in their answers to all questions; else only to
        those whose evidence has boxes, as the instruction changes the answers.
    """

    slices: int = Field(16, ge=1)
    images: bool = True
    boxes: bool = False
