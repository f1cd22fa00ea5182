"""The check that asks somebody else."""

from __future__ import annotations

from dataclasses import dataclass

from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.subject import Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.iou import region_iou

OVERLAPS = 0.1
"""The intersection over union from which a witness's place is the same one."""
NAMES_ONLY = frozenset({"embedded"})
"""Backends that know names of structures and nothing else: what they do not find may be there."""


@dataclass(frozen=True)
class SecondModel:
    """Another backend that looks for the same."""

    backend: str
    model: str | None = None


class IndependentWitness(Check):
    """Whether somebody else finds the same place.

    Parameters
    ----------
    witness
        Who is asked where no object of that name was segmented.
    """

    name = "independent witness"
    about = "Compares its place with a segmented object, or with what another backend finds."

    def __init__(self, witness: SecondModel | None = None) -> None:
        self.witness = witness

    def cost(self, subject: Subject) -> int:
        """One, unless there is an object."""
        return int(self._asks(subject) and not subject.named_masks())

    def _asks(self, subject: Subject) -> bool:
        who, request = self.witness, subject.request
        other = who is not None and (who.backend, who.model) != (request.backend, request.model)
        return bool(subject.places) and other

    def _why_not(self) -> str:
        if self.witness is None:
            return "No backend was chosen as a witness."
        return f"The witness, {self.witness.backend}, is who found it: choose another backend."

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """By the best overlap of any two of their places."""
        if not subject.places:
            return self.mute("It names no place to compare.")
        masks, who = subject.named_masks(), "The segmentation"
        if not masks:
            if self.witness is None or not self._asks(subject):
                return self.mute(self._why_not())
            who = f"The backend {self.witness.backend}"
            try:
                request = subject.witness(self.witness.backend, self.witness.model)
            except InvalidPrompt as error:
                return self.mute(error.message)
            said = ask(request)
            masks = said.regions
            if not masks and self.witness.backend in NAMES_ONLY:
                return self.mute(f"{who} can say nothing of it: {said.text}", witness=who)
            if not masks:
                return self.flagged(f"{who} does not find it: {said.text}", witness=who)
        grid = subject.volume.grid
        best = max(region_iou(a, b, grid) for a in subject.said.regions for b in masks)
        details = {"witness": who, "overlap": round(best, 4)}
        if best < OVERLAPS:
            return self.flagged(f"{who} has it at another place.", **details)
        return self.passed(f"{who} has it at the same place.", **details)
