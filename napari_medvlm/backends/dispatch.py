"""Calling a backend: what is checked before, and after."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from napari_medvlm.backends.base import Backend, ObjectPrompts, Prepared, Progress
from napari_medvlm.backends.faults import is_foreign, method_position
from napari_medvlm.data.answer import Answer, AnswerDelta, AnswerKind, Question
from napari_medvlm.data.classification import ClassificationResult, LabelQuery
from napari_medvlm.data.errors import BackendFailed, InvalidPrompt
from napari_medvlm.data.geometry.channels import channels_in_order
from napari_medvlm.data.grounding import Grounding, GroundQuery, NotFound
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.volume import Volume

Result = TypeVar("Result")
AT_FAULT = "This is an error of the backend, for its author to repair."
RETURNED = {
    Mask: "Return napari_medvlm.Mask.of(array).",
    Grounding: "Return a napari_medvlm.Grounding with the regions and what was not found.",
    ClassificationResult: "Return a ClassificationResult with a probability for each label.",
    Prepared: "Return a Prepared with the number of slices that were computed.",
    Heatmap: "Return a Heatmap on the volume's grid, as SliceImage.heatmap makes it.",
    AnswerDelta: "Yield AnswerDelta(text) as text comes, and AnswerDelta(answer=Answer(...)) last.",
}
"""What the author of a backend should return instead, by the type that was expected."""


def set_volume(backend: Backend, volume: Volume) -> None:
    """Give a backend an image whose voxels it cannot change."""
    backend.set_volume(read_only(volume))


def segment(backend: Backend, volume: Volume, prompts: ObjectPrompts, progress: Progress) -> Mask:
    """The mask of prompts on the volume that the backend was given last.

    It lies on the volume's grid for sure and is without the voxels of locked objects, and so are
    its `Mask.others`.

    Raises
    ------
    PromptNotSupported
        If the backend does not take a prompt of this kind.
    BackendFailed
        If the result is not a `Mask`, or lies on another grid.
    """
    for prompt in prompts:
        backend.info.require_prompt(prompt)
    if not backend.info.takes_phrases:
        prompts = replace(prompts, phrases=())
    mask = _checked(backend, "segment", backend.segment(prompts, progress), Mask)
    others = {name: _allowed(backend, m, prompts, volume) for name, m in mask.others.items()}
    return replace(_allowed(backend, mask, prompts, volume), others=others)


def _allowed(backend: Backend, mask: Mask, prompts: ObjectPrompts, volume: Volume) -> Mask:
    """A mask without the voxels of locked objects; `BackendFailed` if on another grid."""
    if mask.shape != volume.shape:
        raise BackendFailed(
            f"{_named(backend, 'segment')} gave a mask of shape {mask.shape} for an image of "
            f"{volume.shape}.",
            f"{AT_FAULT} A mask has the shape of the image, volume.shape.",
        )
    return mask if prompts.excluded is None else mask.without(prompts.excluded)


def prepare(
    backend: Backend, volume: Volume, axis: int, slices: Sequence[int], progress: Progress
) -> Prepared:
    """Precompute slices of the backend's current volume.

    Raises
    ------
    InvalidPrompt
        If there are no such slices.
    BackendUnavailable
        If it cannot do so.
    """
    if axis not in range(3) or not set(slices) <= set(range(volume.shape[axis])):
        raise InvalidPrompt(
            f"The image of shape {volume.shape} has no slices {min(slices, default=0)} to "
            f"{max(slices, default=0)} across axis {axis}.",
            "Choose slices of the image.",
        )
    return _checked(backend, "prepare", backend.prepare(axis, progress, slices), Prepared)


def ground(backend: Backend, volume: Volume, query: GroundQuery, progress: Progress) -> Grounding:
    """Locate phrases in the backend's current volume.

    Every phrase has a region or is not found for sure, and masks and heatmaps lie on the volume's
    grid.

    Raises
    ------
    InvalidPrompt
        If there is nothing to look for, or a channel of the model is missing.
    GeometryMismatch
        If a channel lies on another grid.
    BackendFailed
        If a mask or heatmap lies on another grid.
    """
    if not any(phrase.strip() for phrase in query.phrases):
        raise InvalidPrompt("No phrase was given.", "Write one phrase a line.")
    query.scope.bounds(volume.grid)
    title, names = backend.info.title, backend.channel_names
    channels = channels_in_order(query.channels, names, title, volume.grid)
    channels = tuple(replace(channel, volume=read_only(channel.volume)) for channel in channels)
    query = replace(query, channels=channels)
    grounding = _checked(backend, "ground", backend.ground(query, progress), Grounding)
    for region in grounding.regions:
        for part in (region.mask, region.heatmap):
            if part is not None and part.shape != volume.shape:
                raise BackendFailed(
                    f"{_named(backend, 'ground')} gave a {region.kind} of shape {part.shape} for "
                    f"an image of {volume.shape}.",
                    f"{AT_FAULT} A {region.kind} has the shape of the image, volume.shape.",
                )
    reported = {r.phrase for r in grounding.regions} | {n.phrase for n in grounding.not_found}
    silent = [phrase for phrase in query.phrases if phrase not in reported]
    missing = tuple(
        NotFound(p, f"{backend.info.title} returned no result for this phrase.") for p in silent
    )
    return replace(grounding, not_found=(*grounding.not_found, *missing))


def label(
    backend: Backend, volume: Volume, query: LabelQuery, progress: Progress
) -> ClassificationResult:
    """Classify labels in the backend's current volume.

    Raises
    ------
    InvalidPrompt
        If there is no label.
    """
    if not any(name.strip() for name in query.labels):
        raise InvalidPrompt("No label was given.", "Write one label a line.")
    query.scope.bounds(volume.grid)
    return _checked(backend, "label", backend.label(query, progress), ClassificationResult)


def answer(
    backend: Backend,
    volume: Volume,
    question: Question,
    progress: Progress,
    deliver: Callable[[str], None],
) -> Answer:
    """The answer to a question about the volume that the backend was given last.

    Parameters
    ----------
    deliver
        Called with each piece of text as it comes.

    Raises
    ------
    InvalidPrompt
        If nothing is asked, or a choice question has no options.
    BackendFailed
        If there is no answer at the end.
    """
    if not question.text.strip():
        raise InvalidPrompt("The question is empty.", "Write a question.")
    if question.kind is AnswerKind.CHOICE and not question.options:
        raise InvalidPrompt("The choice question has no options.", "Give the options to choose.")
    complete: Answer | None = None
    deltas = backend.answer(question, progress)
    if isinstance(deltas, str | Answer) or not isinstance(deltas, Iterable):
        _checked(backend, "answer", deltas, AnswerDelta)
    for delta in deltas:
        _checked(backend, "answer", delta, AnswerDelta)
        if delta.text:
            deliver(delta.text)
        complete = delta.answer or complete
    if complete is None:
        raise BackendFailed(
            f"{_named(backend, 'answer')} ended without an answer.",
            f"{AT_FAULT} {RETURNED[AnswerDelta]}",
        )
    return complete


def explain(
    backend: Backend,
    question: Question,
    written: str,
    picture: int,
    progress: Progress,
) -> Heatmap:
    """Compute the evidence map of an image on the image's grid.

    Raises
    ------
    InvalidPrompt
        If there is no such image, or nothing was written.
    BackendFailed
        If the map lies on another grid than the image.
    """
    if not written.strip() or not 0 <= picture < len(question.pictures):
        raise InvalidPrompt(
            f"There is no answer to explain for image {picture + 1} of {len(question.pictures)}.",
            "Choose an image that was sent, and an answer with text.",
        )
    heatmap = _checked(
        backend, "explain", backend.explain(question, written, picture, progress), Heatmap
    )
    if heatmap.shape != question.pictures[picture].grid.shape:
        raise BackendFailed(
            f"{_named(backend, 'explain')} gave a heatmap of shape {heatmap.shape} for a picture "
            f"of {question.pictures[picture].grid.shape}.",
            f"{AT_FAULT} {RETURNED[Heatmap]}",
        )
    return heatmap


def _checked(backend: Backend, method: str, result: object, expected: type[Result]) -> Result:
    """Return a result of the expected type; else raise `BackendFailed` with what to return."""
    if isinstance(result, expected):
        return result
    returned = type(result).__name__
    raise BackendFailed(
        f"{_named(backend, method)} gave {returned}, which is not a {expected.__name__}.",
        f"{AT_FAULT} {RETURNED[expected]}",
    )


def _named(backend: Backend, method: str) -> str:
    """A backend and its method, with the line of its code if it is of another package."""
    position = method_position(type(backend), method) if is_foreign(type(backend)) else ""
    return f"{backend.info.name}: {method} ({position})" if position else backend.info.name


def read_only(volume: Volume) -> Volume:
    """The same image, whose voxels cannot be changed."""
    if not volume.data.flags.writeable:
        return volume
    view = volume.data.view()
    view.flags.writeable = False
    same = copy.copy(volume)  # without checking the voxels again
    object.__setattr__(same, "data", view)
    return same
