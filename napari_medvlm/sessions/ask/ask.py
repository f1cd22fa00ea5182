"""Ask a single question about a volume, without a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.answer import Answer, AnswerKind, ChatTurn, NamedMask, Question
from napari_medvlm.data.errors import BackendUnavailable, GeometryMismatch, InvalidPrompt
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.model_input import ImageSelection, ModelInput, pictures
from napari_medvlm.worker.messages import AnswerReply, AskRequest
from napari_medvlm.worker.runner import InlineRunner


def ask(  # noqa: PLR0913  # the inputs of a question
    volume: Volume,
    question: str,
    backend: str = "embedded",
    *,
    masks: Mapping[str, NDArray[Any] | Mask] | None = None,
    labels: Sequence[NamedLabels] = (),
    selection: ImageSelection | None = None,
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
        The slices to send. `None`: no images for a backend that measures; for a model, the image
        if it is a single slice.
    earlier, context
        The earlier turns, and the clinical context.
    kind, options
        The type of answer, and the options of a closed question.
    backend, model, device
        The model to use; see ``napari-medvlm backends``.

    Returns
    -------
    `Answer`. A question that the backend cannot answer is no error: see ``answered``.

    Raises
    ------
    MedVLMError
        If the backend fails; `GeometryMismatch` if a mask is on another grid; `InvalidPrompt` if a
        model is asked about a stack of slices and none is selected.
    """
    require_answers(backend)
    selection = selection or _default_selection(volume, backend)
    model_input = ModelInput() if selection is None else pictures(volume, selection)
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
    reply = InlineRunner().submit(AskRequest(backend, volume, model, device, parsed)).result()
    assert isinstance(reply, AnswerReply)
    return reply.answer


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


def as_mask(name: str, mask: NDArray[Any] | Mask, volume: Volume) -> Mask:
    """Convert to a mask; `GeometryMismatch` if it is on another grid."""
    converted = mask if isinstance(mask, Mask) else Mask.of(np.asarray(mask))
    if converted.shape != volume.shape:
        raise GeometryMismatch(
            f"The mask {name} has the shape {converted.shape}, the image {volume.shape}.",
            "Resample it to the image first.",
        )
    return converted
