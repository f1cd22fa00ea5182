r"""The final answer within a text: a LaTeX box, a JSON value, or what follows "the answer is".

Evaluation code of MedEvalKit, VLMEvalKit and others asks for ``\boxed{B}``; chat templates leave
tokens such as ``<|im_end|>`` behind an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = [
    "after_answer_is",
    "stated",
    "stated_part",
    "unboxed",
    "without_chat_marks",
    "without_confidence",
]

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_BRACE = re.compile(r"[{}]")
_COMMAND = re.compile(r"\\(?:text(?:bf|it|rm|tt)?|math(?:rm|bf|it|sf)|operatorname)\s*\{([^{}]*)\}")
_SPACE = re.compile(r"\\[,;!: ]|~")
_MATHS = re.compile(r"\$\$?\s*(?=\\(?:boxed|fbox))|\\[(\[]\s*(?=\\(?:boxed|fbox))")
_MATHS_END = re.compile(r"\s*(?:\$\$?|\\[)\]])")
_TOKENS = re.compile(
    r"(?:\s*(?:</s>|<\|(?:im_end|endoftext|eot_id|end)\|>|<end_of_turn>|<eos>|<pad>))+\s*\Z"
)
_ROLE = re.compile(r"\A\s*(?:<s>\s*)?(?:(?:assistant|doctor)\s*:\s*)?", re.IGNORECASE)
_NEXT_TURN = re.compile(
    r"\s*###\s*(?:\Z|(?:human|user|patient|doctor|assistant)\s*:.*)", re.IGNORECASE | re.DOTALL
)
_JSON_ANSWER = re.compile(
    r'\A\W*(?:json\s*)?\{\s*"(?:final_)?(?:answer|choice|option|label|prediction)"\s*:\s*'
    r'"?(?P<value>[^"{}\[\]]*)"?\s*[,}]',
    re.IGNORECASE,
)
_ANSWER_IS = re.compile(
    r"\banswer(?:\s+(?:is|would be|should be)(?!\s+(?:not|no\s+longer)\b)\s*:?|\s*[:=\uff1a])\s*"
    r"|\u7b54\u6848(?:\u662f|\u4e3a)?\s*[:\uff1a]?\s*",
    re.IGNORECASE,
)
_CONFIDENCE = re.compile(
    r"[\s,;(]*\b(?:with\s+)?(?:an?\s+|my\s+)?(?:confidence|certainty)\b[^.\n]*(?:\.\d[^.\n]*)?"
    r"(?=\.?\s*(?:\Z|\n)|\.\s)",
    re.IGNORECASE,
)


class _Box(NamedTuple):
    start: int
    stop: int
    content: str


def without_chat_marks(text: str) -> str:
    """An answer without the marks of a chat template that some models write around it.

    ``"Doctor: It is clear.### Patient:"`` of MiniGPT-4 and its like gives ``"It is clear."``; a
    heading of Markdown stays.
    """
    return _TOKENS.sub("", _NEXT_TURN.sub("", _ROLE.sub("", text)))


def stated(text: str) -> str:
    r"""The part of a text that states the answer: the last box, or the value in JSON; or all of it.

    ``"So it is $\boxed{\text{B}}$."`` gives ``"B"``, ``'{"answer": "yes"}'`` gives ``"yes"``.
    """
    return stated_part(text) or _TOKENS.sub("", text)


def stated_part(text: str) -> str:
    """The last box of a text, or the value of its JSON; empty if it has neither."""
    boxes = [box.content for box in _boxes(text) if box.content]
    if boxes:
        return boxes[-1]
    match = _JSON_ANSWER.match(text)
    return match["value"].strip() if match else ""


def unboxed(text: str) -> str:
    r"""A text with the content of each ``\boxed{...}`` in its stead, for people."""
    parts, at = [], 0
    for box in _boxes(text):
        parts += [text[at : box.start], box.content]
        at = box.stop
    return "".join([*parts, text[at:]])


def after_answer_is(text: str) -> list[str]:
    """What follows every "answer is" or "answer:" of a text, in English or Chinese."""
    return [text[match.end() :] for match in _ANSWER_IS.finditer(text)]


def without_confidence(text: str) -> str:
    """A text without the clause that says how sure it is, so that its number is not the answer."""
    return _CONFIDENCE.sub("", text)


def _boxes(text: str) -> Iterator[_Box]:
    """The boxes of a text with balanced braces, with the dollar signs around them."""
    at = 0
    while match := _BOX.search(text, at):
        stop = _closing(text, match.end())
        if stop is None:
            return
        start = match.start()
        if (maths := _MATHS.search(text, max(at, start - 8), start + 8)) and maths.end() == start:
            start = maths.start()
            end = _MATHS_END.match(text, stop)
            stop = end.end() if end else stop
        yield _Box(start, stop, _plain(text[match.end() : _closing(text, match.end())]))
        at = stop


def _closing(text: str, start: int) -> int | None:
    """The position behind the brace that closes the one before `start`; None if there is none."""
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace.group() == "{" else -1
        if not depth:
            return brace.end()
    return None


def _plain(content: str) -> str:
    """Content of a box without its closing brace, LaTeX commands and dollar signs."""
    content = content.removesuffix("}")
    for _ in range(4):
        content = _COMMAND.sub(r"\1", content)
    return _SPACE.sub(" ", content).replace("$", "").replace(r"\%", "%").strip()
