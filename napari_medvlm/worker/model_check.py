"""Runs a model on a known input, and records the result.

The input is the phantom of the conformance kit: a bright ellipsoid on noise. A valid result shows
that the files load, and that inputs and outputs fit; it does not show that the model is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import ObjectPrompts, Task
from napari_medvlm.backends.conformance.phantom import CENTER, phantom
from napari_medvlm.backends.conformance.segment import prompts_of
from napari_medvlm.backends.models.registry import Model
from napari_medvlm.data.answer import Question
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, MedVLMError
from napari_medvlm.data.geometry.channels import Channel
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.prompts import PROMPT_TYPES
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume
from napari_medvlm.settings import verified_models
from napari_medvlm.settings.verified_models import VerifiedRun
from napari_medvlm.worker.messages import (
    AnswerReply,
    AskRequest,
    GroundReply,
    GroundRequest,
    LabelReply,
    LabelRequest,
    Reply,
    Request,
    SegmentReply,
    SegmentRequest,
)
from napari_medvlm.worker.runner import Job, OnProgress, Runner

PHRASE = "a bright thing"
LIBRARIES = ("napari-medvlm", "torch", "transformers", "monai", "nninteractive")
SLICE = CENTER[0]
POLL_S = 0.2


def run_known_input(model: Model, runner: Runner, device: str, progress: OnProgress) -> VerifiedRun:
    """Run each task of a model's backend on the phantom, and record the result in the settings.

    A task that this model is not for (`BackendUnavailable`) is left out if another one ran.

    Parameters
    ----------
    progress
        Called every 0.2 s while a task runs; cancels it by raising `Cancelled`.

    Raises
    ------
    Cancelled
        If the run was cancelled; nothing is recorded.
    SettingsError
        If the result cannot be written.
    """
    results: list[str] = []
    errors: list[str] = []
    unavailable: list[str] = []
    for request in _requests(model, device):
        try:
            results.append(_outcome(_reply(runner.submit(request), progress)))
        except Cancelled:
            raise
        except BackendUnavailable as error:
            unavailable.append(str(error))
        except MedVLMError as error:
            errors.append(str(error))
    passed = bool(results) and not errors
    sentences = results + errors + ([] if results else unavailable)
    run = VerifiedRun(
        model=model.name,
        date=date.today().isoformat(),
        passed=passed,
        result="; ".join(sentences) or "The backend has no task that a known input can run.",
        versions=dict(_versions()),
        device=device,
        bytes=model.bytes,
    )
    verified_models.record(run)
    return run


def _reply(job: Job, progress: OnProgress) -> Reply:
    """The reply of a job; `Cancelled` raised by the progress cancels it."""
    while True:
        try:
            return job.result(POLL_S)
        except TimeoutError:
            try:
                progress(0.0, "Running a known input")
            except Cancelled:
                job.cancel()
                raise


def _requests(model: Model, device: str) -> list[Request]:
    """A request on the phantom for each task of the backend, in the order of `Task`."""
    info = registry.info(model.about.backend)
    volume = phantom()
    own = (info.name, volume, str(model.path), device)
    scope = Scope.of_slice(0, SLICE)
    channels = tuple(
        Channel(name, volume) for name in registry.channels(info.name, str(model.path))
    )
    report = PHRASE if registry.takes_report(info.name, str(model.path)) else ""
    kinds = [kind for kind in PROMPT_TYPES if kind in info.prompts]
    makers: Mapping[Task, Callable[[], Request]] = {
        Task.SEGMENT: lambda: SegmentRequest(
            *own, prompts=ObjectPrompts((prompts_of(kinds[0], volume),))
        ),
        Task.GROUND: lambda: GroundRequest(
            *own, query=GroundQuery((PHRASE,), scope, channels=channels, report=report)
        ),
        Task.LABEL: lambda: LabelRequest(
            *own, query=LabelQuery(("nodule", "effusion"), exclusive=True, scope=scope)
        ),
        Task.ANSWER: lambda: AskRequest(*own, question=_question(volume)),
    }
    return [
        makers[task]()
        for task in Task
        if task in info.tasks and task in makers and (task is not Task.SEGMENT or kinds)
    ]


def _question(volume: Volume) -> Question:
    return Question("What is seen?", pictures=(picture_of(volume, SliceRef(0, SLICE)),))


def _outcome(reply: Reply) -> str:
    """The result of a task in a few words."""
    match reply:
        case SegmentReply(mask=mask):
            return f"segmented {mask.voxels} voxels"
        case GroundReply(grounding=grounding):
            return f"located {len(grounding.regions)} region(s) for {PHRASE!r}"
        case LabelReply(labelling=labelling):
            shares = (f"{name} {share:.2f}" for name, share in labelling.probabilities.items())
            return f"classified: {', '.join(shares)}"
        case AnswerReply(answer=answer):
            text = " ".join(answer.text.split())[:60]
            return f"answered {text!r}" if answer.answered else f"gave no answer: {answer.reason}"
    raise TypeError(f"There is no outcome of {type(reply).__name__}.")


def _versions() -> list[tuple[str, str]]:
    versions = []
    for name in LIBRARIES:
        try:
            versions.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return versions
