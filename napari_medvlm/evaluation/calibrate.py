"""The calibration curve of a run: fitted, checked on answers or regions that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.checks import calibration
from napari_medvlm.checks.calibration import Kind
from napari_medvlm.checks.reliability import Floats, brier, expected_calibration_error, reliability
from napari_medvlm.data.errors import InvalidReference, SettingsError
from napari_medvlm.evaluation.ask.outcomes import Outcome as Answered
from napari_medvlm.evaluation.ask.task import TASK as ASK
from napari_medvlm.evaluation.ground.outcomes import Outcome as Grounded
from napari_medvlm.evaluation.ground.outcomes import scored_regions
from napari_medvlm.evaluation.ground.task import TASK as GROUND
from napari_medvlm.evaluation.runs.evaluate import rewrite_report
from napari_medvlm.evaluation.runs.report import CALIBRATION
from napari_medvlm.evaluation.runs.run_folder import alone_in, case_contents, read_json, write_json

Json = dict[str, Any]
ScoredConfidence = tuple[str, float, bool]
"""What must stay in one part, a confidence, and whether it was right."""
FOLDS = 5
"""Into how many parts answers are divided to check the curve."""
SEED = 0


def calibrate(run: Path, method: Kind, copy: Path | None = None) -> Json:
    """Fit a curve to a run of questions or of grounding, and keep it for the checks of such.

    The report of the run then shows it.

    Parameters
    ----------
    run
        The run's folder.
    copy
        A file to write the curve to as well.

    Returns
    -------
    ``answers``, those that state a confidence and have options to choose from, or the regions
    with a score, and how many were ``right``; ``ece`` and ``brier`` before, ``ece_after`` and
    ``brier_after`` of answers that the curve has not seen (``checked``: by how many parts; 0: there
    were too few, so these are of the answers that it was fitted on), ``ece_fitted`` and
    ``brier_fitted`` of those that it was fitted on; ``file``, where the curve is kept; and the
    diagrams ``before`` and ``after``.

    Raises
    ------
    SettingsError
        If the folder holds no run of questions or of grounding.
    InvalidReference
        If there is no confidence, or all are right, or all wrong.
    CannotSave
        If the curve cannot be written, or the run goes on just now.
    """
    settings = _settings(run)
    with alone_in(run):
        return _calibrated(run, settings, method, copy)


def _calibrated(run: Path, settings: Json, method: Kind, copy: Path | None) -> Json:
    task, plan = settings["task"], settings["plan"]
    known = [answer for content in case_contents(run) for answer in _KNOWN[task](content)]
    if not known:
        raise InvalidReference(
            f"No answer in {run} has a confidence.",
            "Use a backend that gives probabilities or scores, or that states a percentage.",
        )
    groups = [group for group, _, _ in known]
    stated, right = (np.array([answer[k] for answer in known], float) for k in (1, 2))
    curve = calibration.fit(stated, right, method)
    backend, model = plan["backend"], plan["model"]
    if copy is not None:
        calibration.write(curve, copy)
    result = {
        "task": task,
        "backend": backend,
        "model": model,
        "method": method,
        "answers": len(known),
        "right": int(right.sum()),
        **_figures(stated, right, groups, method),
        "file": str(calibration.save(curve, backend, model, regions=task == "ground")),
    }
    write_json(run / CALIBRATION, result)
    if task == "ask":
        rewrite_report(ASK, run)
    else:
        rewrite_report(GROUND, run)
    return result


def _figures(stated: Floats, right: Floats, groups: list[str], method: Kind) -> Json:
    fitted = calibration.fit(stated, right, method)(stated)
    parts, unseen = _cross_validated(stated, right, groups, method)
    after = fitted if unseen is None else unseen
    return {
        "ece": expected_calibration_error(stated, right),
        "brier": brier(stated, right),
        "ece_after": expected_calibration_error(after, right),
        "brier_after": brier(after, right),
        "checked": parts,
        "ece_fitted": expected_calibration_error(fitted, right),
        "brier_fitted": brier(fitted, right),
        "before": [asdict(row) for row in reliability(stated, right)],
        "after": [asdict(row) for row in reliability(after, right)],
    }


def _cross_validated(
    stated: Floats, right: Floats, groups: list[str], method: Kind
) -> tuple[int, Floats | None]:
    """Each answer by a curve fitted without its part; questions on one image are in one part."""
    from sklearn.model_selection import StratifiedGroupKFold

    folds = min(FOLDS, len(set(groups)), int(min(right.sum(), (1 - right).sum())))
    if folds < 2:
        return 0, None
    after = np.zeros_like(stated)
    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=SEED)
    for seen, unseen in splits.split(stated, right, groups):
        if len(np.unique(right[seen])) < 2:
            return 0, None
        after[unseen] = calibration.fit(stated[seen], right[seen], method)(stated[unseen])
    return folds, after


def _settings(run: Path) -> Json:
    settings = read_json(run / "run.json")
    if settings is None or settings.get("task") not in _KNOWN:
        raise SettingsError(
            f"{run} holds no run of 'napari-medvlm evaluate ask' or 'ground'.",
            "Give the folder that it made with --out.",
        )
    return settings


def _of_answer(content: Json) -> list[ScoredConfidence]:
    """The answer to a question with something to choose; its part is its first image."""
    outcome = Answered.model_validate(content)
    if outcome.confidence is None or outcome.correct is None:
        return []
    images = content.get("source", {}).get("images") or [outcome.case]
    return [(str(images[0]), outcome.confidence, outcome.correct)]


def _of_regions(content: Json) -> list[ScoredConfidence]:
    """All regions that have a score."""
    outcome = Grounded.model_validate(content)
    return [(outcome.case, *region) for region in scored_regions(outcome)]


_KNOWN: Mapping[str, Callable[[Json], list[ScoredConfidence]]] = {
    "ask": _of_answer,
    "ground": _of_regions,
}
