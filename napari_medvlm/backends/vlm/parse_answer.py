"""Parse generated text as an answer, for local models and servers alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_medvlm.backends.box_formats.spans import pieces, separated, without
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.vlm import text_tools
from napari_medvlm.backends.vlm.parse_claims import CitedImages, claims_of
from napari_medvlm.backends.vlm.reasoning import Stream, split_reasoning
from napari_medvlm.data.answer import Answer, AnswerKind, Claim, Question
from napari_medvlm.data.tool_call import ToolCall
from napari_medvlm.language.closed_answers import Chosen, count_in, option_in, yes_or_no
from napari_medvlm.language.sentences import without_loop
from napari_medvlm.language.stated_answer import unboxed, without_chat_marks

_FENCE = re.compile(r"```(?:json)?", re.IGNORECASE)
_NO_ITEM = re.compile(r"\s*(?:```(?:json)?)?\s*\[\s*\]\s*(?:```)?\s*", re.IGNORECASE)

__all__ = ["CitedImages", "ModelOutput", "Stream", "answer_of", "stream_for"]


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """Output of a model.

    Parameters
    ----------
    text
        All of it, unchanged.
    thinking
        Thoughts that came apart from the text.
    calls
        Tools that it called as functions.
    tokens
        How many it wrote; 0: not known.
    probabilities
        Of each option of a closed question.
    cut_off
        Whether it was stopped before it finished.
    notes
        What else the user must know.
    """

    text: str
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    tokens: int = 0
    probabilities: tuple[float, ...] = ()
    cut_off: bool = False
    notes: tuple[str, ...] = ()


def stream_for(question: Question, row: Row, *, inside: bool = False) -> Stream:
    """Create a stream parser; ``inside``: the text begins within the reasoning."""
    hidden = text_tools.HIDDEN if question.tools else ()
    return Stream(row.markers, inside=inside, hidden=hidden)


def answer_of(
    written: ModelOutput,
    question: Question,
    row: Row,
    pictures: Sequence[CitedImages],
    source: str = "",
) -> Answer:
    """The answer in what a model wrote. Never raises, whatever the text is.

    Parameters
    ----------
    row
        Of the model.
    images
        All that were sent, in the order of their numbers.
    source
        Name of the model, for its claims; empty: the title of the row, which may be of a family.
    """
    thinking, text = split_reasoning(written.text, row.markers)
    thinking = "\n\n".join(thought for thought in (written.thinking.strip(), thinking) if thought)
    calls, text = _called(text, written, question)
    text = separated(without_chat_marks(text), row.grammar)
    text, times = without_loop(text)
    notes = list(written.notes)
    if times > 1:
        notes.append(f"The model repeated its last text {times} times; it is shown once.")
    if written.cut_off:
        length = f" after {written.tokens} tokens" if written.tokens else ""
        notes.append(f"The model was stopped{length}, before it finished.")
    shown = without(text, pieces(text, row.grammar))
    names = tuple(cited.picture.image_name for cited in pictures)
    answer = Answer(
        text=unboxed(shown),
        images=tuple(shown.picture.slice for shown in pictures),
        image_names=names if any(names) else (),
        thinking=thinking,
        calls=calls,
        probabilities=written.probabilities,
        notes=tuple(notes),
        written=written.text,
        tokens=written.tokens,
    )
    if calls:
        return answer
    if not any(map(str.isalnum, text)):
        return replace(answer, answered=False, reason=_silence(answer, written))
    claims, miscounts = claims_of(unboxed(text), row.grammar, pictures, source or row.title)
    answer = replace(answer, claims=claims, notes=(*answer.notes, *miscounts))
    return _of_kind(answer, question, shown, text)


def _called(
    text: str, written: ModelOutput, question: Question
) -> tuple[tuple[ToolCall, ...], str]:
    """Calls as functions and in the text, and the text without them."""
    if not question.tools:
        return written.calls, text
    calls, text = text_tools.calls_in(text, question.tools)
    return (*written.calls, *calls), text


def _silence(answer: Answer, written: ModelOutput) -> str:
    if written.cut_off:
        return "The model was stopped before it answered. Allow more tokens."
    if written.thinking and not written.text.strip():
        return (
            "The server sent all of the text as reasoning, and no answer. See it in the thoughts, "
            "or start the server without its reasoning parser if the model does not think."
        )
    what = "its thoughts, and no answer" if answer.thinking else "nothing"
    return f"The model wrote {what}. Ask again in other words, or choose another model."


def _of_kind(answer: Answer, question: Question, shown: str, text: str) -> Answer:
    """An answer with what its kind asks for: a choice, a number, sections.

    Parameters
    ----------
    shown, text
        The text without boxes in the grammar of the model, and with them.
    """
    if question.kind is AnswerKind.CHOICE:
        chosen = option_in(shown, question.options, question.text)
        return _chosen(answer, chosen, chosen.choice)
    if question.kind is AnswerKind.YES_NO:
        chosen = yes_or_no(shown)
        return _chosen(answer, chosen, chosen.choice.capitalize())
    if question.kind is AnswerKind.COUNT:
        chosen = _count(answer, shown, text)
        return _counted(_chosen(answer, chosen, chosen.choice))
    if question.kind is AnswerKind.REPORT:
        return _report(answer)
    return answer


def _chosen(answer: Answer, chosen: Chosen, text: str) -> Answer:
    notes = (*answer.notes, chosen.note) if chosen.note else answer.notes
    return replace(answer, text=text or answer.text, choice=chosen.choice, notes=notes)


def _count(answer: Answer, shown: str, text: str) -> Chosen:
    """The number that is stated, in words or JSON; else that of the boxes and points drawn.

    An empty list of JSON says that there is none.
    """
    keyed = count_in(text) if '"' in text and "count" in text.lower() else Chosen("")
    chosen = keyed if keyed.choice else count_in(shown)
    if chosen.choice or any(map(str.isalnum, _FENCE.sub("", shown))):
        return chosen
    drawn = sum(len(claim.regions) for claim in answer.claims)
    return Chosen(str(drawn)) if drawn or _NO_ITEM.fullmatch(text) else chosen


def _counted(answer: Answer) -> Answer:
    drawn = sum(len(claim.regions) for claim in answer.claims)
    if not drawn or not answer.choice or int(answer.choice) == drawn:
        return answer
    note = f"The answer is {answer.choice}, and the number of boxes drawn is {drawn}."
    return replace(answer, notes=(*answer.notes, note))


def _report(answer: Answer) -> Answer:
    """A report under the same two headings, whatever the model called them.

    Sentences under no heading are findings.
    """
    claims = tuple(replace(c, section=c.section or "findings") for c in answer.claims)
    parts = []
    for section in ("findings", "impression"):
        own = [claim for claim in claims if claim.section == section]
        if own:
            parts.append("\n".join([f"{section.upper()}:", *map(_line, own)]))
    missing = [s for s in ("findings", "impression") if s not in {c.section for c in claims}]
    notes = tuple(f"The report has no {section}." for section in missing)
    return replace(answer, claims=claims, text="\n\n".join(parts), notes=(*answer.notes, *notes))


def _line(claim: Claim) -> str:
    return f"- {claim.text}"
