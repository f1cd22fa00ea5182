"""Measuring a case of segmentation: the simulated user at each of its structures, see `trial`."""

from __future__ import annotations

from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case, present, unknown
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.trial import Trial
from napari_medvlm.worker.environment_runner import RoutedRunner


def measure(case: Case, plan: Plan, runner: RoutedRunner) -> Outcome:
    """Segment all structures of a case that have a voxel; errors as of `load` and `Trial.run`."""
    loaded = load(case)
    wanted = present(case, loaded, plan.structures)
    truths = {structure.name: (structure, loaded.truth(structure)) for structure in wanted}
    attempts = [
        Trial(plan, runner).run(case.name, loaded.volume, structure, truth)
        for structure, truth in truths.values()
        if truth.any()
    ]
    absent = [name for name, (_, truth) in truths.items() if not truth.any()]
    absent += unknown(loaded.structures, plan.structures)
    return Outcome(case=case.name, attempts=tuple(attempts), absent=tuple(absent))
