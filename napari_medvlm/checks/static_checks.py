"""Checks that ask nothing: of the image, of the answer's form, of its confidence."""

from __future__ import annotations

from napari_medvlm.checks import calibration
from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.image_quality import Thresholds, indicators, noted
from napari_medvlm.checks.subject import Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.worker.messages import GroundRequest

APART = 0.15
"""How far stated and measured confidence may lie apart."""


class OutputFormat(Check):
    """Whether the answer came as it should."""

    name = "form"
    about = "Was it read without repair, and are its places inside the image?"

    def cost(self, subject: Subject) -> int:
        """Nothing is asked."""
        return 0

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """By what was noted when the answer was read."""
        flaws = subject.flaws()
        if not flaws:
            return self.passed("It came in the form that was asked for; nothing was repaired.")
        return self.flagged(" ".join(flaws), flaws=list(flaws))


class Confidence(Check):
    """What its confidence is worth.

    Parameters
    ----------
    curve
        Of another backend than the subject's; `None`: the one that is kept for it.
    """

    name = "confidence"
    about = "Compares the confidence that it states with how often such answers were right."

    def __init__(self, curve: calibration.Curve | None = None) -> None:
        self.curve = curve

    def cost(self, subject: Subject) -> int:
        """Nothing is asked."""
        return 0

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """By the curve of an evaluation run."""
        stated, request = subject.said.confidence, subject.request
        if stated is None:
            return self.mute("It does not say how sure it is.")
        regions = isinstance(request, GroundRequest)
        curve = self.curve or calibration.load(request.backend, request.model, regions)
        what = "regions" if regions else "answers"
        told = f"It states {100 * stated:.0f} %"
        if curve is None:
            return self.mute(f"{told}; no evaluation run tells what that is worth.", stated=stated)
        measured = float(curve([stated])[0])
        details = {"stated": stated, "measured": round(measured, 4), "answers": curve.count}
        told += f"; of {curve.count} evaluated {what}, such were right in {100 * measured:.0f} %"
        if stated - measured > APART:
            return self.flagged(f"{told}: it is too sure.", **details)
        return self.passed(f"{told}.", **details)


class Quality(Check):
    """Whether the image is good enough to be asked about."""

    name = "image quality"
    about = "Looks for noise, blur, motion, cropping, gaps between slices and saturation."

    def cost(self, subject: Subject) -> int:
        """Nothing is asked."""
        return 0

    def judge(self, subject: Subject, ask: Ask) -> CheckResult:
        """By the thresholds of ``quality.yaml``."""
        found = indicators(subject.volume, Thresholds.load())
        told = noted(found)
        details = {one.name: {"value": one.value, "threshold": one.threshold} for one in found}
        if told:
            return self.flagged(told, **details)
        return self.passed("Nothing about the image stands out.", **details)
