"""What a run of grounding does."""

from __future__ import annotations

from pydantic import Field

from napari_medvlm.evaluation.runs.task import EvaluationPlan


class Plan(EvaluationPlan):
    """Who looks, and where.

    Attributes
    ----------
    slice_step_mm
        For backends that look at slices: from one slice to the next; 0: every slice.
    every_class
        Whether each image is searched for every class of the data set.
    resample
        Whether channels on other grids are resampled to that of the image.
    """

    slice_step_mm: float = Field(0.0, ge=0)
    every_class: bool = False
    resample: bool = False
