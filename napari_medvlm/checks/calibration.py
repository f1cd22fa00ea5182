"""Curves from stated confidences to the share of answers that are right.

A curve is fitted on an evaluation run, where the truth is known, and kept in a file next to the
settings. It takes a stated confidence to the share of answers that were right.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_medvlm.checks.reliability import Floats, checked_pairs, expected_calibration_error
from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import DAMAGED, CannotSave, InvalidReference, SettingsError
from napari_medvlm.settings.paths import home, private_folder

Kind = Literal["temperature", "platt", "isotonic"]
EDGE = 1e-6
"""Confidences are kept this far from 0 and 1 before their logit is taken."""


@dataclass(frozen=True)
class Curve:
    """From stated confidence to the share of right answers.

    Parameters
    ----------
    kind
        ``"temperature"``: the logit divided by ``y[0]``. ``"platt"``: a logistic curve over the
        logit, with slope and offset ``y``. ``"isotonic"``: straight lines between ``x`` and ``y``.
    count
        How many answers it was fitted on.
    ece, ece_after
        The expected calibration error of those before and after.
    fitted_at
        When, as ISO 8601.
    """

    kind: Kind
    x: tuple[float, ...]
    y: tuple[float, ...]
    count: int
    ece: float = 0.0
    ece_after: float = 0.0
    fitted_at: str = ""

    def __call__(self, confidence: ArrayLike) -> Floats:
        """The share of right answers at stated confidences ``(n,)``."""
        stated = np.asarray(confidence, np.float64)
        if self.kind == "isotonic":
            return np.interp(stated, self.x, self.y)
        slope, offset = (1 / self.y[0], 0.0) if self.kind == "temperature" else self.y
        result: Floats = 1 / (1 + np.exp(-(slope * _logit(stated) + offset)))
        return result


def fit(confidence: ArrayLike, right: ArrayLike, kind: Kind = "isotonic") -> Curve:
    """The curve of an evaluation run.

    Raises
    ------
    InvalidReference
        As of `reliability`; or if all answers are right, or all wrong.
    """
    stated, truth = checked_pairs(confidence, right)
    if truth.min() == truth.max():
        raise InvalidReference(
            f"All {len(truth)} answers are {'right' if truth[0] else 'wrong'}: no curve fits.",
            "Evaluate on more cases.",
        )
    x, y = {"temperature": _temperature, "platt": _platt, "isotonic": _isotonic}[kind](
        stated, truth
    )
    curve = Curve(kind, x, y, len(truth))
    return Curve(
        kind,
        x,
        y,
        len(truth),
        expected_calibration_error(stated, truth),
        expected_calibration_error(curve(stated), truth),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


def file_of(backend: str, model: str | None, regions: bool = False) -> Path:
    """Where the curve of a backend and its model is kept, of answers or of regions."""
    parts = (backend, model, "regions" if regions else None)
    name = "-".join(re.sub(r"[^\w.]+", "_", part) for part in parts if part)
    return home() / "calibration" / f"{name}.json"


def save(curve: Curve, backend: str, model: str | None = None, regions: bool = False) -> Path:
    """Keep a curve for a backend and its model, of answers or of regions; the file.

    Raises
    ------
    CannotSave
        If it cannot be written.
    """
    return write(curve, file_of(backend, model, regions))


def write(curve: Curve, path: Path) -> Path:
    """Write a curve to any file; the file. Errors as of `save`."""
    try:
        private_folder(path.parent)
        write_text(path, json.dumps(asdict(curve), indent=1) + "\n")
    except OSError as error:
        raise CannotSave(
            f"The calibration could not be written to {path}: {error.strerror}.",
            "Make room, or name another file or, in NAPARI_MEDVLM_HOME, another folder.",
        ) from error
    return path


def load(backend: str, model: str | None = None, regions: bool = False) -> Curve | None:
    """The curve of a backend and its model, of answers or of regions; `None` if none was fitted.

    Raises
    ------
    SettingsError
        If the file is damaged.
    """
    path = file_of(backend, model, regions)
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text("utf-8"))
        values["fitted_at"] = values.pop("made", values.get("fitted_at", ""))  # files of 0.1
        return Curve(**{**values, "x": tuple(values["x"]), "y": tuple(values["y"])})
    except DAMAGED as error:
        raise SettingsError(
            f"{path.name} is no calibration: {error}.", f"Fit it again, or move {path} away."
        ) from error


def _logit(share: Floats) -> Floats:
    retained = np.clip(share, EDGE, 1 - EDGE)
    result: Floats = np.log(retained / (1 - retained))
    return result


def _temperature(stated: Floats, truth: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """After Guo, Pleiss, Sun and Weinberger, ICML 2017: the least log loss."""
    from scipy.optimize import minimize_scalar

    logit, sign = _logit(stated), 1 - 2 * truth

    def loss(log_t: float) -> float:
        return float(np.logaddexp(0, sign * logit / np.exp(log_t)).mean())

    return (), (float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x)),)


def _platt(stated: Floats, truth: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e6).fit(_logit(stated)[:, None], truth)
    return (), (float(model.coef_[0, 0]), float(model.intercept_[0]))


def _isotonic(stated: Floats, truth: Floats) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(stated, truth)
    return tuple(model.X_thresholds_.tolist()), tuple(model.y_thresholds_.tolist())
