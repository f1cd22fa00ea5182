"""What a run of grounding does."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.errors import BackendUnavailable

LIBRARIES = ("numpy", "scipy", "pycocotools")


class Plan(BaseModel):
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

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = "embedded"
    model: str | None = None
    device: str = "cpu"
    slice_step_mm: float = Field(0.0, ge=0)
    every_class: bool = False
    resample: bool = False


def require_able(backend: str, task: Task, what: str) -> None:
    """Raise `BackendUnavailable` if there is no such backend, or it does not do a task."""
    info = registry.info(backend)
    if task not in info.tasks:
        raise BackendUnavailable(f"{info.title} does not {what}.", "Choose another backend.")
