"""The check that compares with a second model or a segmentation."""

from __future__ import annotations

from dataclasses import dataclass

from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.subject import Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.iou import region_iou

OVERLAPS = 0.1
"""Intersection over union from which two regions count as the same."""
NAMES_ONLY = frozenset({"embedded"})
"""Backends that find structures by name only: what they miss may be present."""


@dataclass(frozen=True)
class SecondModel:
    """A backend that locates the same finding, and its model."""

    backend: str
    model: str | None = None


class SecondModelCheck(Check):
    """Whether a second model finds the same region.

    Parameters
    ----------
    second_request
        Used if no object of that name was segmented.
    """

    name = "independent witness"
    description = "Compares the region with a segmented object or the result of a second model."
    needs_model = True

    def __init__(self, second_model: SecondModel | None = None) -> None:
        self.second_model = second_model

    def cost(self, subject: Subject) -> int:
        """One, unless an object of that name was segmented."""
        return int(self._asks(subject) and not subject.named_masks())

    def _asks(self, subject: Subject) -> bool:
        title, request = self.second_model, subject.request
        other = title is not None and (title.backend, title.model) != (
            request.backend,
            request.model,
        )
        return bool(subject.boxes) and other

    def _why_not(self) -> str:
        if self.second_model is None:
            return "No second model was chosen."
        return (
            "The second model must differ from the one that produced the answer "
            f"({self.second_model.backend})."
        )

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Compare the two regions that overlap most."""
        if not subject.boxes:
            return self.not_applicable("The answer has no region to compare.")
        masks, title = subject.named_masks(), "The segmentation"
        if not masks:
            if self.second_model is None or not self._asks(subject):
                return self.not_applicable(self._why_not())
            title = f"The backend {self.second_model.backend}"
            try:
                request = subject.second_request(self.second_model.backend, self.second_model.model)
            except InvalidPrompt as error:
                return self.not_applicable(error.message)
            answer = ask(request)
            masks = answer.regions
            if not masks and self.second_model.backend in NAMES_ONLY:
                return self.not_applicable(
                    f"{title} cannot find it: {answer.text}", second_model=title
                )
            if not masks:
                return self.flagged(f"{title} does not find it: {answer.text}", second_model=title)
        grid = subject.volume.grid
        best = max(region_iou(a, b, grid) for a in subject.original.regions for b in masks)
        details = {"witness": title, "overlap": round(best, 4)}
        if best < OVERLAPS:
            return self.flagged(f"{title} finds it elsewhere.", **details)
        return self.passed(f"{title} finds it at the same position.", **details)
