"""What checks of an answer or a region rest on, and where they leave what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from napari_medvlm.data.answer import Answer
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.ask.tool_loop import (
    QuestionInputs,
    generated_objects,
    question_of,
    render_images,
)
from napari_medvlm.sessions.check_context import CheckContext
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.worker.messages import AskRequest
from napari_medvlm.worker.runner import Runner


@dataclass(frozen=True, eq=False)
class AnswerCheckContext(CheckContext):
    """The same of an answer."""

    answer: Answer


def answer_check_context(
    minutes: ConversationHistory,
    exchange: int,
    given: QuestionInputs,
    runner: Runner,
    device: str,
    changed: Callable[[], None],
) -> AnswerCheckContext:
    """What checks of an exchange's answer rest on.

    It is asked again without tools; pictures are made anew from what the question rests on.

    Raises
    ------
    InvalidPrompt
        If it has no answer.
    """
    asked = minutes.exchange(exchange)
    if asked.answer is None:
        raise InvalidPrompt("There is no answer to check.", "Wait for it, or ask again.")
    before = minutes.before(exchange)
    made = generated_objects((*before, asked))
    question = question_of(asked, given, before, render_images(minutes.volume, given), made)
    who = ModelChoice(asked.backend, asked.model, device)
    request = AskRequest(
        who.backend, minutes.volume, who.model, who.device, replace(question, tools=())
    )

    def keep(finding: CheckResult) -> None:
        minutes.check(exchange, finding)
        changed()

    return AnswerCheckContext(runner, request, keep, asked.answer)
