"""Learning what a backend's confidence is worth from the folder of an evaluation run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QMenu, QPushButton

from napari_medvlm.checks.calibration import Kind
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background

METHODS: dict[Kind, str] = {
    "isotonic": "isotonic regression, for many answers",
    "platt": "logistic curve, for few answers",
    "temperature": "a single parameter, for very few answers",
}


class CalibrationButton(QPushButton):
    """Asks for the curve and for the run, fits it in the background, and shows the result."""

    def __init__(self) -> None:
        super().__init__("Calibrate from a run…")
        self.setToolTip(
            "Fit a calibration curve to a run of 'napari-medvlm evaluate ask' or "
            "'ground'. The confidence check uses it to report how often such answers "
            "were correct."
        )
        self.curves = QMenu(self)
        for kind, about in METHODS.items():
            action = self.curves.addAction(f"{kind.capitalize()}: {about.lower()}")
            assert action is not None
            action.triggered.connect(guarded(partial(self._ask, kind)))
        self.setMenu(self.curves)

    def learn(self, run: Path, kind: Kind) -> None:
        """Fit a curve to a run in the background."""
        from napari_medvlm.evaluation.calibrate import calibrate

        in_background(lambda: calibrate(run, kind), _show_result)

    def _ask(self, kind: Kind, _: bool = False) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Run folder")
        if chosen:
            self.learn(Path(chosen), kind)


def _show_result(result: dict[str, Any]) -> None:
    model = " with ".join(filter(None, (result["backend"], result["model"])))
    doubt = (
        "" if result["checked"] else " (measured on the fitted answers: too few to hold any out)"
    )
    show_message(
        f"{model}: {result['answers']} state a confidence; expected calibration error "
        f"{result['ece']:.3f} before, {result['ece_after']:.3f} after{doubt}. Run the check again."
    )
