"""One answer: pictures, rounds with tools, and the answer at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from napari_medvlm.data.answer import Answer, ChatTurn, NamedMask, Question
from napari_medvlm.data.conversation import State, Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.model_input import ImageSelection, ModelInput, pictures
from napari_medvlm.sessions.ask.tool_schemas import TOOLS, specs
from napari_medvlm.sessions.ask.tools import Scene, Toolbox
from napari_medvlm.sessions.ask.visual_prompts import pointed
from napari_medvlm.sessions.request_sender import ModelChoices, RequestSender
from napari_medvlm.worker.messages import AnswerReply, AskRequest

MAX_ROUNDS = 6
"""Rounds with tools; then the model must answer."""
ENOUGH = " No more tools can be called: answer now with what is known."


@dataclass(frozen=True, eq=False)
class QuestionInputs:
    """What a question rests on, besides its text.

    Parameters
    ----------
    masks
        Objects by name.
    tools
        Names of the tools that the model may call.
    """

    view: ImageSelection | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)
    labels: tuple[NamedLabels, ...] = ()
    tools: tuple[str, ...] = ()

    def check(self, text: str, volume: Volume) -> None:
        """Raise `InvalidPrompt` unless a question of that text can be asked about a volume."""
        if not text.strip():
            raise InvalidPrompt("Nothing is asked.", "Write a question.")
        if self.view is not None:
            self.view.check(volume)
        unknown = [name for name in self.tools if name not in TOOLS]
        if unknown:
            raise InvalidPrompt(
                f"There is no tool called {unknown[0]}.", f"The tools are: {', '.join(TOOLS)}."
            )


@dataclass(frozen=True, eq=False)
class AnswerLoop:
    """Who is asked, and how to tell of what comes.

    Parameters
    ----------
    on_text
        Called with each piece of text.
    on_step
        Called with each round that is over.
    """

    volume: Volume
    calls: RequestSender
    helpers: ModelChoices
    on_text: Callable[[str], None]
    on_step: Callable[[ToolRound], None]
    rounds: int = MAX_ROUNDS

    def answer(
        self, exchange: Turn, given: QuestionInputs, earlier: Sequence[Turn], looked: ModelInput
    ) -> Answer:
        """The answer to an exchange's question, after as many rounds as it takes."""
        made = generated_objects((*earlier, exchange))
        question = question_of(exchange, given, earlier, looked, made)
        objects = {named.name: named.mask for named in question.objects}
        scene = Scene(self.volume, given.view or ImageSelection(), looked, objects, given.labels)
        toolbox = Toolbox(scene, self.calls, self.helpers)
        for number in range(self.rounds + 1):
            last = number == self.rounds
            answer = self._send(replace(question, tools=() if last else question.tools))
            if not answer.calls or last:
                break
            results = [toolbox.call(call, given.tools) for call in answer.calls]
            if number == self.rounds - 1:
                results[-1] = replace(results[-1], text=results[-1].text + ENOUGH)
            step = ToolRound(answer.written or answer.text, tuple(results))
            self.on_step(step)
            named = tuple(NamedMask(name, mask) for name, mask in objects.items())
            question = replace(question, steps=(*question.steps, step), objects=named)
        return _placed(_ended(answer, self.rounds), self.volume.grid)

    def _send(self, question: Question) -> Answer:
        who = self.helpers.answerer
        request = AskRequest(who.backend, self.volume, who.model, who.device, question)
        reply = self.calls.send(request, self.on_text)
        assert isinstance(reply, AnswerReply)
        return reply.answer


def render_images(volume: Volume, given: QuestionInputs) -> ModelInput:
    """What the model is to see; without a view, nothing."""
    return ModelInput() if given.view is None else pictures(volume, given.view)


def question_of(
    exchange: Turn,
    given: QuestionInputs,
    earlier: Sequence[Turn],
    looked: ModelInput,
    made: Mapping[str, Mask],
) -> Question:
    """What is asked of a backend."""
    view = given.view or ImageSelection()
    objects = {**made, **given.masks}
    return Question(
        pointed(exchange.question, looked.pictures, view.draw, view.pointing, view.grammar),
        tuple(ChatTurn(e.question, answer_text(e)) for e in earlier if answer_text(e)),
        tuple(NamedMask(name, mask) for name, mask in objects.items()),
        given.labels,
        exchange.context,
        exchange.kind,
        exchange.options,
        looked.pictures,
        looked.captions,
        specs(given.tools, [other.name for other in view.others]),
    )


def answered_question(
    exchange: Turn, given: QuestionInputs, earlier: Sequence[Turn], looked: ModelInput
) -> Question:
    """What the answer of an exchange was written to, the rounds with tools before it included."""
    made = generated_objects((*earlier, exchange))
    question = question_of(exchange, given, earlier, looked, made)
    tools = () if len(exchange.steps) >= MAX_ROUNDS else question.tools
    return replace(question, steps=exchange.steps, tools=tools)


def answer_text(exchange: Turn) -> str:
    """What was answered, as the conversation goes on from it; empty: nothing."""
    if exchange.answer is not None:
        return exchange.answer.text
    return exchange.partial if exchange.state is State.STOPPED else ""


def generated_objects(exchanges: Sequence[Turn]) -> dict[str, Mask]:
    """What tools have segmented, by name; the latest of each name."""
    regions: list[Region] = [
        region
        for exchange in exchanges
        for step in exchange.steps
        for result in step.results
        if result.call.name == "segment" and not result.failed
        for region in result.regions
    ]
    return {region.name: region.mask for region in regions if region.mask is not None}


def _placed(answer: Answer, grid: Grid) -> Answer:
    """The answer without slices of other images: a region's slice is the session's image's."""

    def own(region: Region) -> Region:
        where = region.slice
        if where is None:
            return region
        along = grid.to_index(region.center_mm)[where.axis]
        return region if abs(along - where.index) <= 1 else replace(region, slice=None)

    claims = (replace(c, regions=tuple(map(own, c.regions))) for c in answer.claims)
    return replace(answer, claims=tuple(claims))


def _ended(answer: Answer, rounds: int) -> Answer:
    if not answer.calls:
        return answer
    note = f"The model wanted still more tools after {rounds} rounds."
    ended = replace(answer, calls=(), notes=(*answer.notes, note))
    if ended.text.strip():
        return ended
    reason = f"{note} It gave no answer; ask more narrowly."
    return replace(ended, text=reason, answered=False, reason=reason)
