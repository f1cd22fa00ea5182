"""Evidence maps: the parts of an image on which an answer depends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs, answered_question, render_images
from napari_medvlm.settings.chosen_models import require_chosen
from napari_medvlm.worker.messages import ExplainRequest


def obstacle(turn: Turn) -> str:
    """Why no evidence map of an answer can be computed, in a sentence; empty if it can."""
    try:
        info = registry.info(turn.backend)
    except BackendUnavailable as error:
        return str(error)
    if Task.EXPLAIN not in info.tasks:
        return f"{info.title} reports no token probabilities. A local model may."
    if turn.answer is None or not turn.answer.written:
        return "There is no complete answer yet."
    if not any(not pixels_sent.of for pixels_sent in turn.sent):
        return "No slice of this image was sent."
    return ""


def require_explainable(turn: Turn, number: int) -> None:
    """Check that an evidence map can be computed of an image that was sent.

    Raises
    ------
    InvalidPrompt
        If it cannot.
    """
    if reason := obstacle(turn):
        raise InvalidPrompt(reason, "Choose an answer of a local model to a question with images.")
    if not 0 <= number < len(turn.sent) or turn.sent[number].of:
        raise InvalidPrompt(
            f"Image {number + 1} of {len(turn.sent)} does not show this image.",
            "Choose a slice of the image that the question is about.",
        )


def explain_request(
    volume: Volume,
    turn: Turn,
    inputs: QuestionInputs,
    earlier: Sequence[Turn],
    device: str,
    number: int,
) -> ExplainRequest:
    """The request for an evidence map, to the backend that answered.

    Raises
    ------
    InvalidPrompt
        If the images cannot be rendered again as they were sent.
    BackendUnavailable
        If only a file names the model that answered.
    """
    model_input = render_images(volume, inputs)
    pixels_sent = [image.pixels for image in turn.sent]
    pixels_again = [image.pixels for image in model_input.pictures]
    if len(pixels_sent) != len(pixels_again) or not all(
        map(np.array_equal, pixels_sent, pixels_again)
    ):
        raise InvalidPrompt(
            "The images that were sent cannot be rendered again: an object or image in them is no "
            "longer open.",
            "Ask again, and compute the map of the new answer.",
        )
    question = answered_question(turn, inputs, earlier, model_input)
    written = "" if turn.answer is None else turn.answer.written
    require_chosen(turn.backend, turn.model)
    return ExplainRequest(turn.backend, volume, turn.model, device, question, written, number)
