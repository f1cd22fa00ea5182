"""Working on cases of grounding: the backend looks for the phrases, and is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_medvlm.backends import registry
from napari_medvlm.data.errors import BackendUnavailable, MedVLMError, SettingsError
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ground.cases import Case, load
from napari_medvlm.evaluation.ground.outcomes import Outcome
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.evaluation.ground.scoring import phrases, score_case
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import GroundReply, GroundRequest


class CaseWorker:
    """Works on one case after the other; the backend stays loaded, in a process of its own.

    Parameters
    ----------
    plan
        As of `Plan.model_dump`.
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
            reply = self._ask(loaded.volume, case, phrases(case, loaded))
            results = score_case(case, loaded, reply.grounding)
        except MedVLMError as error:
            fatal = isinstance(error, BackendUnavailable | SettingsError)
            return Outcome(case=case.name, problem=error.message, hint=error.hint, fatal=fatal)
        return Outcome(
            case=case.name, results=results, seconds=reply.seconds, notes=reply.grounding.notes
        )

    def stop(self) -> None:
        """End the backend's process."""
        self._runner.stop()

    def _ask(self, volume: Volume, case: Case, wanted: tuple[str, ...]) -> GroundReply:
        plan = self._plan
        on_slices = any(reference.slice is not None for reference in case.references)
        axis = 0 if on_slices or len(case.images) > 1 else patient_axes(volume.affine)[0]
        query = GroundQuery(wanted, Scope(axis, slice_step_mm=plan.slice_step_mm))
        if case.question and registry.info(plan.backend).takes_sequences:
            prompts = dict.fromkeys(wanted, case.question)
            query = GroundQuery(wanted, Scope(axis), prompts, is_sequence=True)
        request = GroundRequest(plan.backend, volume, plan.model, plan.device, query)
        reply = self._runner.submit(request).result()
        assert isinstance(reply, GroundReply)
        return reply
