"""Asking questions about one volume: what a person does, without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.answer import Answer, AnswerKind, ChatTurn, NamedMask, Question
from napari_medvlm.data.errors import BackendUnavailable, GeometryMismatch
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.model_input import ImageSelection, ModelInput, pictures
from napari_medvlm.worker.messages import AnswerReply, AskRequest
from napari_medvlm.worker.runner import InlineRunner


def ask(  # noqa: PLR0913  # one for each thing that a question may rest on
    volume: Volume,
    question: str,
    backend: str = "embedded",
    *,
    masks: Mapping[str, NDArray[Any] | Mask] | None = None,
    labels: Sequence[NamedLabels] = (),
    view: ImageSelection | None = None,
    earlier: Sequence[ChatTurn] = (),
    context: str = "",
    kind: AnswerKind = AnswerKind.OPEN,
    options: Sequence[str] = (),
    model: str | None = None,
    device: str = "cpu",
) -> Answer:
    """The answer to a question about a volume; worked out in this thread.

    Parameters
    ----------
    volume, question
        The image, and what is asked of it in words.
    masks, labels
        Objects by name, each a mask or array ``(z, y, x)`` on the volume's grid; label images.
    view
        What a model is to see; `None`: no pictures, for backends that measure.
    earlier, context
        The conversation before the question, and what is known of the patient.
    kind, options
        What kind of answer is wanted, and of a closed question what there is to choose from.
    backend, model, device
        Who answers; see ``napari-medvlm backends``.

    Returns
    -------
    `Answer`. A question that is beyond the backend is no error: see ``answered``.

    Raises
    ------
    MedVLMError
        If the backend cannot be asked; `GeometryMismatch` if a mask lies on another grid.
    """
    require_answers(backend)
    looked = ModelInput() if view is None else pictures(volume, view)
    asked = Question(
        question,
        tuple(earlier),
        tuple(NamedMask(name, as_mask(name, m, volume)) for name, m in (masks or {}).items()),
        tuple(labels),
        context,
        kind,
        tuple(options),
        pictures=looked.pictures,
        captions=looked.captions,
    )
    reply = InlineRunner().submit(AskRequest(backend, volume, model, device, asked)).result()
    assert isinstance(reply, AnswerReply)
    return reply.answer


def require_answers(backend: str) -> None:
    """Raise `BackendUnavailable` unless there is such a backend and it answers questions."""
    info = registry.info(backend)
    if Task.ANSWER not in info.tasks:
        raise BackendUnavailable(
            f"{info.title} does not answer questions.", "Choose another backend for that."
        )


def as_mask(name: str, mask: NDArray[Any] | Mask, volume: Volume) -> Mask:
    """A mask or array as a mask; `GeometryMismatch` if it lies on another grid."""
    made = mask if isinstance(mask, Mask) else Mask.of(np.asarray(mask))
    if made.shape != volume.shape:
        raise GeometryMismatch(
            f"The mask {name} has the shape {made.shape}, the image {volume.shape}.",
            "Resample it to the image first.",
        )
    return made
