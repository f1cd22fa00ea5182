"""Working on cases: each of their structures by the simulated user, see `trial`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_medvlm.data.errors import (
    BackendUnavailable,
    MedVLMError,
    PromptNotSupported,
    SettingsError,
)
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case, present, unknown
from napari_medvlm.evaluation.segment.outcomes import Outcome
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.trial import Trial
from napari_medvlm.worker.environment_runner import RoutedRunner


class CaseWorker:
    """Works on one case after the other; the backend stays loaded, in a process of its own.

    Parameters
    ----------
    plan
        What the user does and who segments, as of `Plan.model_dump`.
    """

    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = Plan.model_validate(plan)
        self._runner = RoutedRunner()

    def __call__(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """Work on a case, as of `Case.model_dump`; what came of it, as of `Outcome.model_dump`."""
        return self.outcome(Case.model_validate(case)).model_dump(mode="json")

    def outcome(self, case: Case) -> Outcome:
        """Work on a case. What is wrong with it is told in the outcome, and not raised."""
        try:
            loaded = load(case)
            wanted = present(case, loaded, self._plan.structures)
            truths = {s.name: (s, loaded.truth(s)) for s in wanted}
            structures_present = {
                name: structure_and_truth
                for name, structure_and_truth in truths.items()
                if structure_and_truth[1].any()
            }
            attempts = [
                Trial(self._plan, self._runner).run(case.name, loaded.volume, *structure_and_truth)
                for structure_and_truth in structures_present.values()
            ]
        except MedVLMError as error:
            fatal = isinstance(error, BackendUnavailable | SettingsError | PromptNotSupported)
            return Outcome(case=case.name, problem=error.message, hint=error.hint, fatal=fatal)
        lacking = unknown(loaded.structures, self._plan.structures)
        absent = (*(name for name in truths if name not in structures_present), *lacking)
        return Outcome(case=case.name, attempts=tuple(attempts), absent=absent)

    def stop(self) -> None:
        """End the backend's process."""
        self._runner.stop()
