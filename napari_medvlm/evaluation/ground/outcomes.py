"""What came of a case of grounding: each phrase with the wanted and the predicted regions."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator

from napari_medvlm.evaluation.runs.cases import CaseResult

MIN_IOU = 0.5
"""The intersection over union with a wanted region from which a region is right."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoredBox(_Value):
    """A region: its half-open index box ``(z, y, x)``, not rounded.

    Attributes
    ----------
    score
        The backend's own, 0 to 1; `None` of wanted ones, or if it has none.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    score: float | None = None


class PhraseResult(_Value):
    """One phrase on one image.

    Attributes
    ----------
    label
        The class that it belongs to.
    iou
        See `agreement.PhraseAgreement`; 0 where nothing is wanted.
    pointed
        Whether the place that the backend points to lies in a wanted region; `None` where nothing
        is wanted.
    wanted, predicted
        The regions, predicted ones best first.
    overlaps
        ``(predicted, wanted)``: intersection over union, 0 to 1.
    compared
        What ``iou`` compares: ``mask``, voxels of masks; ``box``, extents, as either the wanted or
        a predicted region has no mask; empty where nothing is wanted, or in runs of older versions.
    dice, nsd, hd95_mm
        Of masks, all predicted ones against all wanted ones, see `metrics.Scores`; the surface
        Dice within `scoring.TOLERANCE_MM`. `None` of boxes; ``hd95_mm`` also if nothing was found.
    reason
        Why the backend found nothing, in a sentence; empty if it found a region.
    """

    phrase: str
    label: str
    iou: float
    pointed: bool | None
    wanted: tuple[ScoredBox, ...]
    predicted: tuple[ScoredBox, ...]
    overlaps: tuple[tuple[float, ...], ...]
    compared: str = ""
    dice: float | None = None
    nsd: float | None = None
    hd95_mm: float | None = None
    reason: str = ""

    @model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: object) -> object:
        """Read ``found`` of runs by version 0.1 as ``predicted``."""
        if isinstance(values, dict) and "found" in values:
            return {"predicted" if key == "found" else key: v for key, v in values.items()}
        return values


class Outcome(CaseResult):
    """What came of a case.

    Attributes
    ----------
    seconds
        From the question to the regions, all phrases together, without loading model and image.
    notes
        Notes of the backend that limit the result.
    """

    results: tuple[PhraseResult, ...] = ()
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


def scored_regions(outcome: Outcome) -> list[tuple[float, bool]]:
    """The score of each region that has one, 0 to 1, and whether the region is right."""
    return [
        (region.score, max(ious, default=0.0) >= MIN_IOU)
        for phrase in outcome.results
        for region, ious in zip(phrase.predicted, phrase.overlaps, strict=True)
        if region.score is not None
    ]
