"""Ask a single question about a volume, without a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.answer import Answer, AnswerKind, ChatTurn, NamedMask, Question
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.interface.arguments import as_mask, require_volume
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.image_selection import ImageSelection, ModelInput, pictures
from napari_medvlm.sessions.ask.other_images import NamedVolume
from napari_medvlm.worker.messages import AskRequest
from napari_medvlm.worker.runner import InlineRunner


def ask(  # noqa: PLR0913  # the inputs of a question
    volume: Volume,
    question: str,
    backend: str = "embedded",
    *,
    masks: Mapping[str, NDArray[Any] | Mask] | None = None,
    labels: Sequence[NamedLabels] = (),
    selection: ImageSelection | None = None,
    prior: Volume | None = None,
    pairing: Pairing | None = None,
    earlier: Sequence[ChatTurn] = (),
    context: str = "",
    kind: AnswerKind = AnswerKind.OPEN,
    options: Sequence[str] = (),
    model: str | None = None,
    device: str = "cpu",
) -> Answer:
    """Answer a question about a volume, in the caller's thread.

    Parameters
    ----------
    volume, question
        The image and the question.
    masks, labels
        Objects by name, masks or arrays ``(z, y, x)`` on the volume's grid; label images.
    selection
        The slices to send. `None`: none for a backend that measures; for a model, a single slice.
    prior, pairing
        An earlier study, sent at the same places, and its transform, see `register`.
    earlier, context
        The earlier turns, and the clinical context.
    kind, options
        The type of answer, and the options of a closed question.
    backend, model, device
        The model to use; see ``napari-medvlm backends``.

    Returns
    -------
    `Answer`. A question that cannot be answered is no error: see ``answered``.

    Raises
    ------
    MedVLMError
        If the backend fails; `GeometryMismatch` if a mask is on another grid; `InvalidPrompt` if
        no slice of a stack is selected for a model, or a prior is passed to one without images.
    """
    model_input = _model_input(volume, backend, selection, prior, pairing)
    parsed = Question(
        question,
        tuple(earlier),
        tuple(NamedMask(name, as_mask(name, m, volume)) for name, m in (masks or {}).items()),
        tuple(labels),
        context,
        kind,
        tuple(options),
        pictures=model_input.pictures,
        captions=model_input.captions,
    )
    return _answered(AskRequest(backend, volume, model, device, parsed), model_input.notes)


def _answered(request: AskRequest, notes: tuple[str, ...]) -> Answer:
    """The answer to a request, with the notes on its images before its own."""
    reply = InlineRunner().reply_to(request)
    return replace(reply.answer, notes=(*notes, *reply.answer.notes))


def _model_input(
    volume: Volume,
    backend: str,
    selection: ImageSelection | None,
    prior: Volume | None,
    pairing: Pairing | None,
) -> ModelInput:
    """Make the images to send; of a single slice without a selection, for a model."""
    require_volume(volume)
    require_answers(backend)
    selection = selection or _default_selection(volume, backend)
    if prior is not None:
        selection = _with_prior(selection, backend, require_volume(prior), pairing)
    return ModelInput() if selection is None else pictures(volume, selection)


def _with_prior(
    selection: ImageSelection | None, backend: str, prior: Volume, pairing: Pairing | None
) -> ImageSelection:
    """A selection with the slices of an earlier study, called ``"prior"``."""
    if selection is None:
        raise InvalidPrompt(
            f"{registry.info(backend).title} looks at no images, so it cannot compare two studies.",
            "Choose a vision-language model.",
        )
    other = NamedVolume("prior", prior, pairing, is_prior=True)
    return replace(selection, others=(*selection.others, other))


def _default_selection(volume: Volume, backend: str) -> ImageSelection | None:
    """Select the only slice for a model; raise `InvalidPrompt` if there are several."""
    info = registry.info(backend)
    if info.uses_no_images:
        return None
    if volume.shape[0] > 1:
        raise InvalidPrompt(
            f"{info.title} would see nothing of the image: no slices are selected.",
            "Select slices, such as selection=ImageSelection(Scope(0, 40, 60)).",
        )
    return ImageSelection()


def require_answers(backend: str) -> None:
    """Raise `BackendUnavailable` unless there is such a backend and it answers questions."""
    info = registry.info(backend)
    if Task.ANSWER not in info.tasks:
        raise BackendUnavailable(
            f"{info.title} does not answer questions.", "Choose another backend."
        )
