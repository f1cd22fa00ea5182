"""The calibration curve of a run of questions: fitted, checked on answers that it has not seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.errors import InvalidReference, SettingsError
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.outcomes import Outcome
from napari_medvlm.evaluation.ask.report import CALIBRATION, write_report
from napari_medvlm.evaluation.runs import read_json, write_json
from napari_medvlm.trusting import calibration
from napari_medvlm.trusting.calibration import Floats, Kind

Json = dict[str, Any]
PARTS = 5
"""Into how many parts answers are divided to check the curve."""
SEED = 0


def calibrate(run: Path, method: Kind, copy: Path | None = None) -> Json:
    """Fit a curve to a run of questions and keep it for the checks beside answers.

    The report of the run then shows it.

    Parameters
    ----------
    run
        The run's folder.
    copy
        A file to write the curve to as well.

    Returns
    -------
    ``answers``, those that tell how sure they are and have something to choose, and how many were
    ``right``; ``ece`` and ``brier`` before, ``ece_after`` and ``brier_after`` of answers that the
    curve has not seen (``checked``: by how many parts; 0: there were too few, so these are of the
    answers that it was fitted on), ``ece_fitted`` and ``brier_fitted`` of those that it was fitted
    on; ``file``, where the curve is kept; and the diagrams ``before`` and ``after``.

    Raises
    ------
    SettingsError
        If the folder holds no run of questions.
    InvalidReference
        If no answer tells how sure it is, or all are right, or all wrong.
    CannotSave
        If the curve cannot be written.
    """
    settings = read_json(run / "run.json")
    if settings is None or settings.get("task") != "ask":
        raise SettingsError(
            f"{run} holds no run of 'napari-medvlm evaluate ask'.",
            "Give the folder that it made with --out.",
        )
    known = [one for one in _outcomes(run) if _counts(one[1])]
    if not known:
        raise InvalidReference(
            f"No answer in {run} tells how sure it is.",
            "Use a backend that gives probabilities of the options, or have it state a percentage.",
        )
    stated = np.array([outcome.confidence for _, outcome in known], float)
    right = np.array([outcome.correct for _, outcome in known], float)
    groups = [outcome.case if item is None else str(item.images[0]) for item, outcome in known]
    curve = calibration.fit(stated, right, method)
    backend, model = settings["plan"]["backend"], settings["plan"]["model"]
    if copy is not None:
        calibration.write(curve, copy)
    told = {
        "backend": backend,
        "model": model,
        "method": method,
        "answers": len(known),
        "right": int(right.sum()),
        **_figures(stated, right, groups, method),
        "file": str(calibration.save(curve, backend, model)),
    }
    write_json(run / CALIBRATION, told)
    _report(run, settings)
    return told


def _figures(stated: Floats, right: Floats, groups: list[str], method: Kind) -> Json:
    fitted = calibration.fit(stated, right, method)(stated)
    parts, unseen = _unseen(stated, right, groups, method)
    after = fitted if unseen is None else unseen
    return {
        "ece": calibration.expected_calibration_error(stated, right),
        "brier": calibration.brier(stated, right),
        "ece_after": calibration.expected_calibration_error(after, right),
        "brier_after": calibration.brier(after, right),
        "checked": parts,
        "ece_fitted": calibration.expected_calibration_error(fitted, right),
        "brier_fitted": calibration.brier(fitted, right),
        "before": [asdict(one) for one in calibration.reliability(stated, right)],
        "after": [asdict(one) for one in calibration.reliability(after, right)],
    }


def _unseen(
    stated: Floats, right: Floats, groups: list[str], method: Kind
) -> tuple[int, Floats | None]:
    """Each answer by a curve fitted without its part; questions on one image are in one part."""
    from sklearn.model_selection import StratifiedGroupKFold

    parts = min(PARTS, len(set(groups)), int(min(right.sum(), (1 - right).sum())))
    if parts < 2:
        return 0, None
    after = np.zeros_like(stated)
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=SEED)
    for seen, unseen in folds.split(stated, right, groups):
        if len(np.unique(right[seen])) < 2:
            return 0, None
        after[unseen] = calibration.fit(stated[seen], right[seen], method)(stated[unseen])
    return parts, after


def _counts(outcome: Outcome) -> bool:
    return outcome.confidence is not None and outcome.correct is not None


def _outcomes(run: Path) -> Iterator[tuple[Item | None, Outcome]]:
    """What came of the questions; older runs do not keep the question with it."""
    for path in sorted((run / "cases").glob("[!.]*.json")):
        content = read_json(path)
        if content is not None:
            source = content.get("source")
            item = None if source is None else Item.model_validate(source)
            yield item, Outcome.model_validate(content)


def _report(run: Path, settings: Json) -> None:
    """Write the report anew, where the run has all that it needs."""
    summary = read_json(run / "summary.json")
    asked = [(item, outcome) for item, outcome in _outcomes(run) if item is not None]
    if summary is not None and asked:
        write_report(run, summary, settings, asked)
