"""What came of a case: the scores after each interaction, the last mask and the session."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.evaluation.runs.cases import CaseResult


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Value):
    """The scores after an interaction.

    Attributes
    ----------
    prompt
        Kind of the prompt; empty where the mask equals the reference already.
    positive
        Whether the prompt was positive.
    zyx
        Where, as a voxel index; the box's or outline's middle.
    dice, iou, nsd, hd95_mm
        See `metrics.Scores`.
    seconds
        From the prompt to the mask, without loading the model and the image.
    problem
        Why no new mask came; the one before was kept.
    """

    prompt: str
    positive: bool
    zyx: Index | None
    dice: float
    iou: float
    nsd: float
    hd95_mm: float | None
    seconds: float | None
    problem: str = ""


class Attempt(_Value):
    """One structure of a case.

    Attributes
    ----------
    memory_mib
        The most that the backend's process had while it worked on it; `None` if unknown.
    mask
        The last one; `None` if it is empty.
    session
        The session file's text.
    truth_ml
        Volume of the structure in the labels; `None` in runs of older versions.
    """

    structure: str
    steps: tuple[Step, ...]
    memory_mib: float | None
    mask: InitialMask | None
    session: str = ""
    truth_ml: float | None = None

    @property
    def dice(self) -> list[float]:
        """After each interaction."""
        return [step.dice for step in self.steps]

    @property
    def has_prompts(self) -> bool:
        """Whether it was segmented with prompts; else its mask is of another program."""
        return bool(self.steps[0].prompt)


class Outcome(CaseResult):
    """What came of a case.

    Attributes
    ----------
    absent
        Structures of the data set of which the case has no voxel.
    """

    attempts: tuple[Attempt, ...] = ()
    absent: tuple[str, ...] = ()

    def has_steps(self, count: int) -> bool:
        """Whether each structure has that many interactions."""
        return all(len(attempt.steps) >= count for attempt in self.attempts)
