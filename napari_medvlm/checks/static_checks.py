"""Checks without model calls: image quality, output format and stated confidence."""

from __future__ import annotations

from napari_medvlm.checks import calibration
from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.image_quality import Thresholds, indicators, quality_note
from napari_medvlm.checks.subject import Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.worker.messages import GroundRequest

APART = 0.15
"""Largest acceptable excess of stated over measured confidence."""


class OutputFormat(Check):
    """Whether the output was well-formed."""

    name = "form"
    description = "Is the output well-formed, and are its regions inside the image?"

    def cost(self, subject: Subject) -> int:
        """No model calls."""
        return 0

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Flag problems noted while the output was parsed."""
        flaws = subject.flaws()
        if not flaws:
            return self.passed("Output is well-formed; no repair was needed.")
        return self.flagged(" ".join(flaws), flaws=list(flaws))


class Confidence(Check):
    """Whether the stated confidence is calibrated.

    Parameters
    ----------
    curve
        Calibration curve; `None`: the stored one of the backend and model.
    """

    name = "confidence"
    description = "Compares the stated confidence with the measured accuracy of such answers."

    def __init__(self, curve: calibration.Curve | None = None) -> None:
        self.curve = curve

    def cost(self, subject: Subject) -> int:
        """No model calls."""
        return 0

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Compare with the curve of an evaluation run."""
        stated, request = subject.original.confidence, subject.request
        if stated is None:
            return self.not_applicable("No confidence was stated.")
        regions = isinstance(request, GroundRequest)
        curve = self.curve or calibration.load(request.backend, request.model, regions)
        what = "regions" if regions else "answers"
        summary = f"Stated confidence {100 * stated:.0f} %"
        if curve is None:
            return self.not_applicable(f"{summary}; no calibration data available.", stated=stated)
        measured = float(curve([stated])[0])
        details = {"stated": stated, "measured": round(measured, 4), "answers": curve.count}
        summary += (
            f"; of {curve.count} evaluated {what}, those were correct in {100 * measured:.0f} %"
        )
        if stated - measured > APART:
            return self.flagged(f"{summary}: overconfident.", **details)
        return self.passed(f"{summary}.", **details)


class Quality(Check):
    """Whether the image quality is sufficient."""

    name = "image quality"
    description = "Measures noise, blur, motion, cropping, slice gaps and saturation."

    def cost(self, subject: Subject) -> int:
        """No model calls."""
        return 0

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Compare with the thresholds of ``quality.yaml``."""
        measured_indicators = indicators(subject.volume, Thresholds.load())
        summary = quality_note(measured_indicators)
        details = {
            indicator.name: {"value": indicator.value, "threshold": indicator.threshold}
            for indicator in measured_indicators
        }
        if summary:
            return self.flagged(summary, **details)
        return self.passed("No image quality problem was detected.", **details)
