"""The figures of a run: a row for each interaction, and means for each structure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from napari_medvlm.evaluation.metrics.confidence_intervals import interval_by_case
from napari_medvlm.evaluation.metrics.means import known_mean
from napari_medvlm.evaluation.metrics.segmentation import area_under, challenge_nsd, interactions_to
from napari_medvlm.evaluation.runs.cases import SkippedCase, skipped_rows
from napari_medvlm.evaluation.runs.reasons import count_reasons
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome, Step
from napari_medvlm.evaluation.segment.plan import MASKS, Plan
from napari_medvlm.evaluation.segment.simulated_user import PromptKind
from napari_medvlm.evaluation.studies.strata import Columns, groups_of

Json = dict[str, Any]
WANTED = (0.80, 0.85, 0.90)
"""The Dice that interactions are counted to."""
CURVES = ("dice", "iou", "nsd", "hd95_mm")
OF_PROMPTS = ("noc", "missed", "dsc_auc", "nsd_auc")
"""Beginnings of the names of figures that masks of another program do not have."""
SURE = ("dice", "nsd", "hd95_mm")
"""Means with an interval."""


def rows(outcomes: Iterable[Outcome]) -> list[Json]:
    """A row for each interaction, or for the mask, of each structure of each case."""
    return [
        _row(outcome.case, attempt, number, step)
        for outcome in outcomes
        for attempt in outcome.attempts
        for number, step in enumerate(attempt.steps, 1)
    ]


def figures(attempt: Attempt, plan: Plan) -> Json:
    """The figures of one structure of one case, see `summary`."""
    steps = attempt.steps
    counted = steps[1:] if plan.first_prompt is PromptKind.BOX else steps
    dice = [step.dice for step in counted]
    values: Json = {name: [getattr(step, name) for step in steps] for name in CURVES}
    for wanted in WANTED:
        reached = interactions_to(attempt.dice, wanted)
        values[f"noc{wanted * 100:.0f}"] = float(reached or len(steps))
        values[f"missed{wanted * 100:.0f}"] = float(reached is None)
    values["dsc_auc"] = area_under(dice)
    values["nsd_auc"] = area_under(challenge_nsd([step.nsd for step in counted], dice))
    values["seconds"] = known_mean(step.seconds for step in steps)
    values["memory_mib"] = attempt.memory_mib
    values["failed"] = sum(bool(step.problem) for step in steps)
    if plan.backend == MASKS:
        values |= dict.fromkeys(name for name in values if name.startswith(OF_PROMPTS))
    return values


def auc_max(plan: Plan) -> int:
    """The area under a curve that is perfect from the first click on."""
    return max(plan.interactions - 1 - (plan.first_prompt is PromptKind.BOX), 0)


def summary(
    outcomes: Sequence[Outcome],
    skipped: Sequence[SkippedCase],
    plan: Plan,
    columns: Columns | None = None,
) -> Json:
    """The means of a run.

    For each structure over its cases, and over structures, each counting the same: ``dice``,
    ``iou``, ``nsd`` and ``hd95_mm`` after each interaction (``hd95_mm`` over the cases that have a
    mask); ``noc80`` to ``noc90``, the interactions to that Dice, counted as all of them where it is
    missed; ``missed80`` to ``missed90``, the share of cases that missed it; ``dsc_auc`` and
    ``nsd_auc`` over the clicks, at most ``auc_max``; ``seconds`` an interaction; the most
    ``memory_mib``, all of these from ``noc80`` on `None` for masks of another program; ``failed``,
    the number of interactions without a mask; ``intervals``, of some figures after the last
    interaction, see `intervals.interval_by_case`. ``reasons``: why
    interactions gave no mask, with a ``count``, of ``asked`` interactions. ``strata``: for each
    column and group, see `strata.groups_of`, the mean over structures.
    """
    structures, mean = _all_means(outcomes, plan)
    steps = [step for o in outcomes for attempt in o.attempts for step in attempt.steps]
    absent = [f"{o.case}: {name}" for o in outcomes for name in o.absent]
    return {
        "task": "segment",
        "backend": plan.backend,
        "plan": plan.model_dump(mode="json"),
        "auc_max": auc_max(plan),
        "cases": len(outcomes),
        "skipped": skipped_rows(skipped),
        "absent": absent,
        "reasons": count_reasons(step.problem for step in steps),
        "asked": len(steps),
        "structures": structures,
        "strata": _strata(outcomes, plan, columns or {}),
        "mean": mean,
    }


def _all_means(outcomes: Sequence[Outcome], plan: Plan) -> tuple[Json, Json]:
    """The means of each structure, and over structures."""
    by_structure: dict[str, list[Json]] = {}
    for outcome in outcomes:
        for attempt in outcome.attempts:
            by_structure.setdefault(attempt.structure, []).append(figures(attempt, plan))
    means = {
        name: _means(figures_of) | {"cases": len(figures_of)}
        for name, figures_of in by_structure.items()
    }
    structures = {name: own | _intervals(outcomes, name) for name, own in means.items()}
    if not means:
        return structures, {}
    mean = _means(list(means.values())) | {"cases": len(outcomes)}
    return structures, mean | _intervals(outcomes)


def _strata(outcomes: Sequence[Outcome], plan: Plan, columns: Columns) -> Json:
    sizes = {(o.case, a.structure): a.truth_ml for o in outcomes for a in o.attempts}
    strata: Json = {}
    for group in groups_of(sizes, columns):
        own = [
            outcome.model_copy(update={"attempts": attempts})
            for outcome in outcomes
            if (attempts := tuple(
                a for a in outcome.attempts if (outcome.case, a.structure) in group.keys
            ))
        ]  # fmt: skip
        strata.setdefault(group.column, {})[group.name] = _all_means(own, plan)[1]
    return strata


def sure_words(means: Json) -> str:
    """The interval of the last Dice of some `summary`, in brackets; nothing where there is none."""
    ends = means["intervals"]["dice"]
    return "" if ends is None else f" (95 %: {ends[0]:.3f} to {ends[1]:.3f})"


def _intervals(outcomes: Sequence[Outcome], structure: str | None = None) -> Json:
    """Of one structure, or of the mean over all of them."""
    last = [
        (outcome.case, attempt.structure, attempt.steps[-1])
        for outcome in outcomes
        for attempt in outcome.attempts
        if structure in (None, attempt.structure)
    ]
    return {
        "intervals": {
            name: interval_by_case((case, own, getattr(step, name)) for case, own, step in last)
            for name in SURE
        }
    }


def _row(case: str, attempt: Attempt, number: int, step: Step) -> Json:
    z, y, x = step.zyx or (None, None, None)
    scores = step.model_dump(exclude={"zyx", "problem"})
    if not attempt.has_prompts:
        figures_of = {name: scores[name] for name in CURVES} | {"truth_ml": attempt.truth_ml}
        return {"case": case, "structure": attempt.structure} | figures_of
    return {
        "case": case,
        "structure": attempt.structure,
        "interaction": number,
        **scores,
        "z": z,
        "y": y,
        "x": x,
        "memory_mib": attempt.memory_mib,
        "truth_ml": attempt.truth_ml,
        "problem": step.problem,
    }


def _means(rows: Sequence[Json]) -> Json:
    """The mean of each figure; sums of what is counted, and the most of what is memory."""
    result: Json = {}
    for name, first in rows[0].items():
        column = [row[name] for row in rows]
        if name in ("failed", "cases"):
            result[name] = sum(column)
        elif name == "memory_mib":
            result[name] = max((v for v in column if v is not None), default=None)
        elif isinstance(first, list):
            result[name] = [known_mean(step_values) for step_values in zip(*column, strict=True)]
        else:
            result[name] = known_mean(column)
    return result
