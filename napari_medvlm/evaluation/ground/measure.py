"""Measuring a case of grounding: the backend searches for the phrases, and is scored."""

from __future__ import annotations

from napari_medvlm.backends import registry
from napari_medvlm.data.geometry.channels import channels_on_grid
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.evaluation.ground.cases import Case, Loaded, load
from napari_medvlm.evaluation.ground.outcomes import Outcome
from napari_medvlm.evaluation.ground.plan import Plan
from napari_medvlm.evaluation.ground.scoring import phrases, score_case
from napari_medvlm.worker.environment_runner import RoutedRunner
from napari_medvlm.worker.messages import GroundRequest


def measure(case: Case, plan: Plan, runner: RoutedRunner) -> Outcome:
    """Search for the phrases of a case and score the regions; errors as of `load` and a backend."""
    loaded = load(case)
    reply = runner.reply_to(_request(case, loaded, plan))
    results = score_case(case, loaded, reply.grounding)
    return Outcome(
        case=case.name, results=results, seconds=reply.seconds, notes=reply.grounding.notes
    )


def _request(case: Case, loaded: Loaded, plan: Plan) -> GroundRequest:
    """All phrases of a case, on the slices of its references or of the acquisition.

    A sequence with a question is one question, for a backend that takes sequences.
    """
    from napari_medvlm.io import read_volume

    volume = loaded.volume
    on_slices = any(reference.slice is not None for reference in case.references)
    axis = 0 if on_slices or len(case.images) > 1 else patient_axes(volume.affine)[0]
    images = {name: read_volume(path) for name, path in case.channels.items()}
    channels = channels_on_grid(images, volume, plan.resample)
    scope = Scope(axis, slice_step_mm=plan.slice_step_mm)
    wanted = phrases(case, loaded)
    query = GroundQuery(wanted, scope, channels=channels)
    if case.question and registry.info(plan.backend).takes_sequences:
        prompts = dict.fromkeys(wanted, case.question)
        query = GroundQuery(wanted, Scope(axis), prompts, is_sequence=True)
    return GroundRequest(plan.backend, volume, plan.model, plan.device, query)
