"""A question as the messages that a chat model is sent.

The order: what it is about and how to answer; the conversation before; the images with their
captions, the context and the question; then the rounds with tools so far. A server that knows
functions gets calls and results as such; others by the protocol of `tool_text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from napari_medvlm.backends.box_formats import GRAMMARS
from napari_medvlm.backends.detection.letterbox import Framed
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.vlm import text_tools
from napari_medvlm.backends.vlm.reasoning import split_reasoning
from napari_medvlm.backends.vlm.written_places import pixel_sizes, written_places
from napari_medvlm.data.answer import AnswerKind, ChatTurn, NamedPlaces, Question
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.slice_image import SliceImage
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound

Part = str | SliceImage
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Of the options of a closed question, in their order."""

_HOW = {
    AnswerKind.OPEN: "Answer in short, plain sentences.",
    AnswerKind.CHOICE: "Write the letter of the one right option first, then why in a sentence.",
    AnswerKind.YES_NO: "Write yes or no first, then why in a sentence.",
    AnswerKind.COUNT: "Write the number first, in digits, then where they are.",
    AnswerKind.REPORT: "Write a report in two parts. The first begins with the line FINDINGS: and "
    "has one sentence for each finding, each on a line of its own. The second begins with the line "
    "IMPRESSION: and sums up.",
}


@dataclass(frozen=True, eq=False)
class Message:
    """A message of a chat.

    Parameters
    ----------
    parts
        Texts and images in their order.
    calls
        The tools that the assistant called in it.
    call_id
        Of a result: which call it answers.
    """

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""

    @property
    def text(self) -> str:
        """Its texts, a line each."""
        return "\n".join(part for part in self.parts if isinstance(part, str))


def messages(
    question: Question, row: Row, *, functions: bool, frames: Sequence[Framed] = ()
) -> tuple[Message, ...]:
    """The messages of a question.

    Parameters
    ----------
    row
        Of the model.
    functions
        Whether tools are offered, called and answered as functions; else in text.
    frames
        The images of `pictures_of` as the model sees them, for coordinates of its objects and
        sizes of pixels.

    Raises
    ------
    InvalidPrompt
        If the model writes reports only, and this is another question.
    """
    if row.only_report:
        return _report_messages(question, row)
    chat = [Message("system", (system_text(question, row, functions=functions),))]
    number = 0
    for turn in question.earlier:
        shown = tuple(_numbered(_captioned(turn), number, row))
        number += len(turn.pictures)
        chat += [Message("user", (*shown, turn.question)), Message("assistant", (turn.answer,))]
    places = written_places(question.places, row, frames, number)
    sizes = pixel_sizes(question.pictures, row, frames, number)
    parts = (*_asked(question, number, row), *filter(None, (places, sizes)))
    chat.append(Message("user", parts))
    number += len(question.pictures)
    for step in question.steps:
        chat += _called(step, functions) + _results(step, number, row, functions)
        number += sum(len(result.pictures) for result in step.results)
    return tuple(chat)


def _report_messages(question: Question, row: Row) -> tuple[Message, ...]:
    """The sentence of the authors for a report of one image, after an empty system message."""
    if question.kind is not AnswerKind.REPORT or len(question.pictures) != 1:
        raise InvalidPrompt(
            f"{row.title} answers no questions: it writes a report of one picture.",
            "Choose Report as the kind of answer and send one picture; find phrases in Ground.",
        )
    before, after = row.report_parts(question.context)
    return Message("system", ("",)), Message("user", (before, question.pictures[0], after))


def pictures_of(question: Question) -> tuple[tuple[SliceImage, str], ...]:
    """All images of the messages with their captions, in the order of their numbers from 1."""
    earlier = (pair for turn in question.earlier for pair in _captioned(turn))
    later = (
        (picture, f"from {result.call.name}")
        for step in question.steps
        for result in step.results
        for picture in result.pictures
    )
    return (*earlier, *_captioned(question), *later)


def earlier_pictures(question: Question) -> int:
    """How many of the images of `pictures_of` belong to the questions before this one."""
    return sum(len(turn.pictures) for turn in question.earlier)


def _captioned(source: Question | ChatTurn) -> Iterator[tuple[SliceImage, str]]:
    captions = source.captions or ("",) * len(source.pictures)
    return zip(source.pictures, captions, strict=True)


def fewer_pictures(question: Question, dropped: int) -> tuple[Question, str]:
    """A question without its first images, and a sentence that names them.

    Those of earlier questions go first, then the question's own, then those that tools have shown.
    """
    everything = pictures_of(question)
    earlier, left = [], dropped
    for turn in question.earlier:
        cut = min(left, len(turn.pictures))
        left -= cut
        earlier.append(replace(turn, pictures=turn.pictures[cut:], captions=turn.captions[cut:]))
    own, left = min(left, len(question.pictures)), max(left - len(question.pictures), 0)
    steps = []
    for step in question.steps:
        results = []
        for result in step.results:
            cut = min(left, len(result.pictures))
            results.append(replace(result, pictures=result.pictures[cut:]))
            left -= cut
        steps.append(ToolRound(step.text, tuple(results)))
    names = [caption or f"image {k + 1}" for k, (_, caption) in enumerate(everything[:dropped])]
    note = f"{len(names)} of {len(everything)} images were left out: {', '.join(names)}."
    shortened = replace(
        question,
        earlier=tuple(earlier),
        places=tuple(_without_first(places, own) for places in question.places),
        pictures=question.pictures[own:],
        captions=question.captions[own:],
        steps=tuple(steps),
    )
    return shortened, note


def _without_first(named: NamedPlaces, dropped: int) -> NamedPlaces:
    """The places of an object without those in the first pictures, which were left out."""
    return replace(named, boxes=tuple((n - dropped, box) for n, box in named.boxes if n >= dropped))


def system_text(question: Question, row: Row, *, functions: bool) -> str:
    """The system message: images, answer format, box format and tools."""
    pictures = pictures_of(question)
    lines = [row.system] if row.system else []
    if pictures:
        shown = "a picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
        lines.append(
            f"You are shown {shown} of a medical image. In axial and coronal slices the patient's "
            "left is on the right side of the picture."
        )
    if "<answer>" not in row.system or question.kind is AnswerKind.REPORT:
        lines.append(_HOW[question.kind])
    if pictures and question.boxes and row.grammar in GRAMMARS:
        lines.append(_places(row, len(pictures)))
    if question.tools and not functions:
        lines.append(text_tools.offer(question.tools))
    return "\n".join(lines)


def lettered(options: Sequence[str]) -> str:
    """Options with their letters, a line each."""
    pairs = zip(LETTERS, options, strict=False)
    return "\n".join(f"{letter}) {option}" for letter, option in pairs)


def _places(row: Row, pictures: int) -> str:
    text = (
        "Where a sentence tells of something that can be seen, write its box in the same sentence, "
        f"in this form: {GRAMMARS[row.grammar].example}"
    )
    second = f"{row.numbered(2)[:1].lower()}{row.numbered(2)[1:]}"
    return text if pictures == 1 else f"{text} Say in that sentence which image it is in: {second}."


def _asked(question: Question, number: int, row: Row) -> Iterator[Part]:
    yield from _numbered(_captioned(question), number, row)
    if question.context.strip():
        yield f"What is known of the patient:\n{question.context.strip()}"
    text = question.text.strip()
    if question.kind is AnswerKind.CHOICE and question.options:
        text = f"{text}\n{lettered(question.options)}"
    yield text


def _numbered(pictures: Iterable[tuple[SliceImage, str]], start: int, row: Row) -> Iterator[Part]:
    for number, (picture, caption) in enumerate(pictures, start + 1):
        yield f"{row.numbered(number)}: {caption}" if caption else f"{row.numbered(number)}:"
        yield picture


def _called(step: ToolRound, functions: bool) -> list[Message]:
    """The assistant's message of a tool round, with its calls and without reasoning."""
    calls = tuple(result.call for result in step.results)
    text = split_reasoning(step.text).answer
    _, plain = text_tools.calls_in(text, ())
    if functions:
        return [Message("assistant", (plain,) if plain else (), calls)]
    lines = [plain] if plain else []
    return [Message("assistant", ("\n".join([*lines, *map(text_tools.written, calls)]),))]


def _results(step: ToolRound, number: int, row: Row, functions: bool) -> list[Message]:
    """The results of tool calls; images follow in a user message, as servers expect."""
    shown = _shown(step.results, number, row)
    if not functions:
        text = "\n".join(text_tools.tool_result_text(result) for result in step.results)
        return [Message("user", (text, *shown))]
    images = [
        Message("tool", (text_tools.words(result),), call_id=result.call.id)
        for result in step.results
    ]
    return [*images, Message("user", shown)] if shown else images


def _shown(results: Sequence[ToolResult], number: int, row: Row) -> tuple[Part, ...]:
    pictures = [
        (picture, f"from {result.call.name}") for result in results for picture in result.pictures
    ]
    return tuple(_numbered(pictures, number, row))
