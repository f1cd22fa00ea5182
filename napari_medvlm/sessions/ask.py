"""Asking questions about one volume: what a person does, without a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.answers import Answer, NamedMask, Question, Turn
from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.errors import BackendUnavailable, GeometryMismatch
from napari_medvlm.grounding import NamedLabels, Scope
from napari_medvlm.results import Mask
from napari_medvlm.sessions.viewing import Looked, View, pictures
from napari_medvlm.volume import Volume
from napari_medvlm.worker.runner import InlineRunner
from napari_medvlm.worker.wire import AnswerReply, AskRequest


def ask(  # noqa: PLR0913  # one for each thing that a question may rest on
    volume: Volume,
    question: str,
    backend: str = "embedded",
    *,
    masks: Mapping[str, NDArray[Any] | Mask] | None = None,
    labels: Sequence[NamedLabels] = (),
    scope: Scope | None = None,
    view: View | None = None,
    earlier: Sequence[Turn] = (),
    context: str = "",
    model: str | None = None,
    device: str = "cpu",
) -> Answer:
    """The answer to a question about a volume; worked out in this thread.

    Parameters
    ----------
    volume
        The image.
    question
        In words.
    backend, model, device
        Who answers; see ``napari-medvlm backends``.
    masks
        Objects by name, each a mask or an array ``(z, y, x)`` on the volume's grid.
    labels
        Label images of this patient.
    scope, view
        What a model is to see: slices, or more than that; neither: no pictures.
    earlier, context
        The conversation before the question, and what is known of the patient.

    Returns
    -------
    `Answer` with a `Claim` for each sentence. A question that is beyond the backend is no error:
    see ``answered``.

    Raises
    ------
    GeometryMismatch
        If a mask lies on another grid.
    MedVLMError
        If the backend cannot be asked.
    """
    require_answers(backend)
    looked = _looked(volume, scope, view)
    asked = Question(
        question,
        tuple(earlier),
        tuple(NamedMask(name, as_mask(name, m, volume)) for name, m in (masks or {}).items()),
        tuple(labels),
        context,
        pictures=looked.pictures,
        captions=looked.captions,
    )
    job = InlineRunner().submit(AskRequest(backend, volume, model, device, asked))
    reply = job.result()
    assert isinstance(reply, AnswerReply)
    return reply.answer


def require_answers(backend: str) -> None:
    """Raise `BackendUnavailable` unless there is such a backend and it answers questions."""
    info = registry.info(backend)
    if Task.ANSWER not in info.tasks:
        raise BackendUnavailable(
            f"{info.title} does not answer questions.", "Choose another backend for that."
        )


def _looked(volume: Volume, scope: Scope | None, view: View | None) -> Looked:
    shown = View(scope) if view is None and scope is not None else view
    return Looked() if shown is None else pictures(volume, shown)


def as_mask(name: str, mask: NDArray[Any] | Mask, volume: Volume) -> Mask:
    """A mask or array as a mask; `GeometryMismatch` if it lies on another grid."""
    made = mask if isinstance(mask, Mask) else Mask.of(np.asarray(mask))
    if made.shape != volume.shape:
        raise GeometryMismatch(
            f"The mask {name} has the shape {made.shape}, the image {volume.shape}.",
            "Resample it to the image first.",
        )
    return made
