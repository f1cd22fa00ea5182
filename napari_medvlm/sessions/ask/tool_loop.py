"""Answer one question: images, rounds of tool calls, and the final answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from napari_medvlm.backends import registry
from napari_medvlm.data.answer import Answer, ChatTurn, NamedMask, Question
from napari_medvlm.data.conversation import State, Turn
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.tool_call import ToolRound
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.ask.image_selection import ImageSelection, ModelInput, pictures
from napari_medvlm.sessions.ask.scene import Scene
from napari_medvlm.sessions.ask.tool_schemas import TOOLS, specs
from napari_medvlm.sessions.ask.tools import Toolbox
from napari_medvlm.sessions.ask.visual_prompts import VisualPrompting, named_places, pointed
from napari_medvlm.sessions.request_sender import ModelChoices, RequestSender
from napari_medvlm.worker.messages import AskRequest

MAX_ROUNDS = 6
"""Maximum number of rounds of tool calls; then the model must answer."""
ENOUGH = " No more tools can be called; answer now."


@dataclass(frozen=True, eq=False)
class QuestionInputs:
    """Inputs of a question besides its text.

    Parameters
    ----------
    selection
        The slices to send; `None`: no images.
    masks
        Objects by name, on the volume's grid.
    labels
        Label images of the patient.
    tools
        Names of the tools that the model may call.
    """

    selection: ImageSelection | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict)
    labels: tuple[NamedLabels, ...] = ()
    tools: tuple[str, ...] = ()

    def check(self, text: str, volume: Volume) -> None:
        """Raise `InvalidPrompt` unless a question of that text can be asked about a volume."""
        if not text.strip():
            raise InvalidPrompt("The question is empty.", "Enter a question.")
        if self.selection is not None:
            self.selection.check(volume)
        unknown = [name for name in self.tools if name not in TOOLS]
        if unknown:
            raise InvalidPrompt(
                f"There is no tool called {unknown[0]}.", f"The tools are: {', '.join(TOOLS)}."
            )


@dataclass(frozen=True, eq=False)
class AnswerLoop:
    """Sends a question, and the results of tool calls, until the model answers.

    Parameters
    ----------
    on_text
        Called with streamed text.
    on_step
        Called after a round of tool calls.
    """

    volume: Volume
    sender: RequestSender
    models: ModelChoices
    on_text: Callable[[str], None]
    on_step: Callable[[ToolRound], None]
    rounds: int = MAX_ROUNDS

    def answer(
        self, turn: Turn, inputs: QuestionInputs, earlier: Sequence[Turn], model_input: ModelInput
    ) -> Answer:
        """Answer the question of a turn."""
        generated = generated_objects((*earlier, turn))
        question = question_of(turn, inputs, earlier, model_input, generated)
        objects = {named.name: named.mask for named in question.objects}
        scene = Scene(
            self.volume, inputs.selection or ImageSelection(), model_input, objects, inputs.labels,
            earlier=tuple(picture for e in question.earlier for picture in e.pictures),
        )  # fmt: skip
        toolbox = Toolbox(scene, self.sender, self.models)
        for number in range(self.rounds + 1):
            last = number == self.rounds
            answer = self._send(replace(question, tools=() if last else question.tools))
            if not answer.calls or last:
                break
            results = [toolbox.call(call, inputs.tools) for call in answer.calls]
            if number == self.rounds - 1:
                results[-1] = replace(results[-1], text=results[-1].text + ENOUGH)
            step = ToolRound(answer.written or answer.text, tuple(results))
            self.on_step(step)
            named = tuple(NamedMask(name, mask) for name, mask in objects.items())
            question = replace(question, steps=(*question.steps, step), objects=named)
        return _placed(_ended(answer, self.rounds), self.volume.grid)

    def _send(self, question: Question) -> Answer:
        model = self.models.answerer
        request = AskRequest(model.backend, self.volume, model.model, model.device, question)
        return self.sender.send(request, self.on_text).answer


def render_images(volume: Volume, inputs: QuestionInputs) -> ModelInput:
    """The images of a question; none without a selection."""
    return ModelInput() if inputs.selection is None else pictures(volume, inputs.selection)


def question_of(
    turn: Turn,
    inputs: QuestionInputs,
    earlier: Sequence[Turn],
    model_input: ModelInput,
    generated: Mapping[str, Mask],
) -> Question:
    """The question as a backend receives it."""
    selection = inputs.selection or ImageSelection()
    objects = {**generated, **inputs.masks}
    written = selection.pointing is VisualPrompting.WRITTEN
    places = named_places(model_input.pictures, selection.draw) if written else ()
    return Question(
        pointed(turn.question, selection.draw, selection.pointing),
        earlier_turns(turn, earlier, model_input),
        tuple(NamedMask(name, mask) for name, mask in objects.items()),
        inputs.labels,
        turn.context,
        turn.kind,
        turn.options,
        model_input.pictures,
        model_input.captions,
        specs(inputs.tools, [other.name for other in selection.others]),
        places=places,
    )


def earlier_turns(
    turn: Turn, turns: Sequence[Turn], model_input: ModelInput
) -> tuple[ChatTurn, ...]:
    """The answered questions before a question, each image with the last question that sent it.

    Images that the question itself sends are left out; all, if the backend looks at none.
    """
    looks = not (turn.backend and registry.info(turn.backend).uses_no_images)
    sent = {_key(picture) for picture in model_input.pictures}
    chat: list[ChatTurn] = []
    for before in reversed([before for before in turns if answer_text(before)]):
        pairs = []
        for image in before.sent if looks else ():
            if image.picture is not None and _key(image.picture) not in sent:
                sent.add(_key(image.picture))
                pairs.append((image.picture, image.caption))
        pictures, captions = tuple(p for p, _ in pairs), tuple(c for _, c in pairs)
        chat.append(ChatTurn(before.question, answer_text(before), pictures, captions))
    return tuple(reversed(chat))


def resent_note(turns: Sequence[ChatTurn]) -> str:
    """A note on the images of earlier questions that are sent again; empty if there are none."""
    captions = [c.partition(", window")[0] or "an image" for turn in turns for c in turn.captions]
    if not captions:
        return ""
    count = "1 image" if len(captions) == 1 else f"{len(captions)} images"
    return f"Sent again with {count} of earlier questions: {', '.join(captions)}."


def _key(picture: SliceImage) -> bytes:
    return sha256(repr(picture.size).encode() + picture.pixels.tobytes()).digest()


def answered_question(
    turn: Turn, inputs: QuestionInputs, earlier: Sequence[Turn], model_input: ModelInput
) -> Question:
    """The question and tool rounds that led to the answer of a turn."""
    generated = generated_objects((*earlier, turn))
    question = question_of(turn, inputs, earlier, model_input, generated)
    tools = () if len(turn.steps) >= MAX_ROUNDS else question.tools
    return replace(question, steps=turn.steps, tools=tools)


def answer_text(turn: Turn) -> str:
    """The answer as later turns see it; empty if there is none."""
    if turn.answer is not None:
        return turn.answer.text
    return turn.partial if turn.state is State.STOPPED else ""


def generated_objects(turns: Sequence[Turn]) -> dict[str, Mask]:
    """Objects segmented by tools, by name; the latest of each name."""
    regions: list[Region] = [
        region
        for turn in turns
        for step in turn.steps
        for result in step.results
        if result.call.name == "segment" and not result.failed
        for region in result.regions
    ]
    return {region.name: region.mask for region in regions if region.mask is not None}


def _placed(answer: Answer, grid: Grid) -> Answer:
    """The answer, with slices only for regions that lie on that slice of this image."""

    def own(region: Region) -> Region:
        ref = region.slice
        if ref is None or region.image_name:
            return replace(region, slice=None)
        along = grid.to_index(region.center_mm)[ref.axis]
        return region if abs(along - ref.index) <= 1 else replace(region, slice=None)

    claims = (replace(c, regions=tuple(map(own, c.regions))) for c in answer.claims)
    return replace(answer, claims=tuple(claims))


def _ended(answer: Answer, rounds: int) -> Answer:
    if not answer.calls:
        return answer
    note = f"The model requested more tool calls after {rounds} rounds."
    ended = replace(answer, calls=(), notes=(*answer.notes, note))
    if ended.text.strip():
        return ended
    reason = f"{note} It gave no answer; ask a more specific question."
    return replace(ended, text=reason, answered=False, reason=reason)
