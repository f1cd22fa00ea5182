"""Asking a model which parts of a picture made it write its answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_medvlm.backends import registry
from napari_medvlm.backends.base import Task
from napari_medvlm.data.conversation import Turn
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.tool_loop import QuestionInputs, answered_question, render_images
from napari_medvlm.worker.messages import ExplainRequest


def obstacle(exchange: Turn) -> str:
    """Why no map of evidence can be made of an answer, in a sentence; empty: one can."""
    try:
        info = registry.info(exchange.backend)
    except BackendUnavailable as error:
        return str(error)
    if Task.EXPLAIN not in info.tasks:
        return (
            f"{info.title} does not tell how likely its words were; a model that runs on this "
            "computer may."
        )
    if exchange.answer is None or not exchange.answer.written:
        return "There is no whole answer of the model yet."
    if not any(not sent.of for sent in exchange.sent):
        return "No picture of this image was sent."
    return ""


def require_explainable(exchange: Turn, picture: int) -> None:
    """Nothing, if a map of evidence can be made of a picture of an answer.

    Raises
    ------
    InvalidPrompt
        If not.
    """
    if reason := obstacle(exchange):
        raise InvalidPrompt(reason, "Choose an answer that a local model gave to pictures.")
    if not 0 <= picture < len(exchange.sent) or exchange.sent[picture].of:
        raise InvalidPrompt(
            f"Picture {picture + 1} of {len(exchange.sent)} is none of this image.",
            "Choose a picture that was sent of the image that was asked about.",
        )


def explain_request(
    volume: Volume,
    exchange: Turn,
    given: QuestionInputs,
    earlier: Sequence[Turn],
    device: str,
    picture: int,
) -> ExplainRequest:
    """What is asked of the backend that answered.

    Raises
    ------
    InvalidPrompt
        If the pictures cannot be made again as they were sent.
    """
    looked = render_images(volume, given)
    sent = [one.pixels for one in exchange.sent]
    again = [one.pixels for one in looked.pictures]
    if len(sent) != len(again) or not all(map(np.array_equal, sent, again)):
        raise InvalidPrompt(
            "The pictures cannot be made again as they were sent: something that they showed is "
            "not open any more.",
            "Ask again, then make the map of the new answer.",
        )
    question = answered_question(exchange, given, earlier, looked)
    written = "" if exchange.answer is None else exchange.answer.written
    return ExplainRequest(
        exchange.backend, volume, exchange.model, device, question, written, picture
    )
