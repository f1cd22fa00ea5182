"""The request behind an answer, as the reliability checks need it."""

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
from napari_medvlm.settings.chosen_models import require_chosen
from napari_medvlm.worker.messages import AskRequest
from napari_medvlm.worker.runner import Runner


@dataclass(frozen=True, eq=False)
class AnswerCheckContext(CheckContext):
    """The request behind an answer, and the answer."""

    answer: Answer


def answer_check_context(
    history: ConversationHistory,
    turn_id: int,
    inputs: QuestionInputs,
    runner: Runner,
    device: str,
    changed: Callable[[], None],
) -> AnswerCheckContext:
    """The context for checks of the answer of a turn.

    The question is asked again without tools, with images rendered again from its inputs.

    Raises
    ------
    InvalidPrompt
        If it has no answer.
    BackendUnavailable
        If only a file names the model that gave it.
    """
    turn = history.turn(turn_id)
    if turn.answer is None:
        raise InvalidPrompt("There is no answer to check.", "Wait for it, or ask again.")
    before = history.before(turn_id)
    generated = generated_objects((*before, turn))
    question = question_of(turn, inputs, before, render_images(history.volume, inputs), generated)
    require_chosen(turn.backend, turn.model)
    model = ModelChoice(turn.backend, turn.model, device)
    request = AskRequest(
        model.backend, history.volume, model.model, model.device, replace(question, tools=())
    )

    def record(result: CheckResult) -> None:
        history.check(turn_id, result)
        changed()

    return AnswerCheckContext(runner, request, record, turn.answer)
