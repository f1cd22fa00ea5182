"""Items of a structured report: a topic and its value, as "Pneumothorax: None" or "Effusion (-)".

A topic is denied by a value such as "none", "absent" or "(-)", and in doubt by one such as
"possible". Any other value ("small, left", "yes") says that the topic is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SEEN = "(?:seen|identified|noted|present|evident|detected|visuali[sz]ed|found|visible)"
_REST = (
    f"(?:\\s+(?:acute|any|definite|significant|focal|abnormal|evidence|abnormalit(?:y|ies)|signs?"
    f"|findings?|left|right|or|bilaterally|of|this|at|time|on|today|currently|{_SEEN}))*"
)
_ABSENT = (
    f"(?:none|neither|no|n|nil|zero|0(?:/0)+|0(?:\\.0+)?(?:\\s*(?:[cm]m|ml|%))?|absent|negative|neg"
    f"|not\\s+{_SEEN}){_REST}"
)
_DOUBTFUL = (
    "(?:possib(?:le|ly)|probab(?:le|ly)|likely|suspected|questionable|equivocal|indeterminate"
    "|uncertain|(?:can\\s*not|can't|could\\s+not|not)\\s+(?:be\\s+)?(?:assess(?:ed|able)|evaluated"
    "|determined|judged)|(?:can\\s*not|can't|could\\s+not|not)\\s+(?:\\w+\\s+){0,3}?(?:excluded?|ruled?\\s+out)"
    "|may\\s+be\\s+present)"
)
_END = "(?=\\s*(?:[.,](?!\\d)|[;\\n)]|\\Z))"
_MARK = (
    "(?:[:=?]|\\.{3,}|_{3,}|(?<=\\s)[-\u2013\u2014](?=\\s))\\s*"
    "(?:there\\s+(?:is|are|was|were)\\s+)?"
)
_VALUE = re.compile(
    f"{_MARK}(?P<absent>{_ABSENT}){_END}"
    f"|{_MARK}(?P<doubtful>{_DOUBTFUL})\\b"
    "|(?P<sign>\\(\\s*(?:[-\u2013\u2212]|neg(?:ative)?|absent|no|none)\\s*\\))"
    f"|(?<=\\w)\\s+(?P<bare>no){_END}"
    "|(?P<ticked>\\[\\s*[x\u2713]\\s*\\]\\s*(?:no|absent|negative)\\b)",
    re.IGNORECASE,
)
_UNTICKED = re.compile(r"\[\s*\]\s*(?:yes|no|present|absent|positive|negative)\b", re.IGNORECASE)
_YES = re.compile(r"\b(?:yes|no|none|nil|present|absent|positive|negative)\b|[:=?(]", re.IGNORECASE)
_CLAUSE = re.compile(
    r"\b(?:there|is|are|was|were|with|shows?|has|have|seen|the|an?)\b", re.IGNORECASE
)
_MOST_WORDS = 7


@dataclass(frozen=True, slots=True)
class StructuredItem:
    """A topic that a value denies or puts in doubt.

    Attributes
    ----------
    start, stop
        The characters of the topic; `stop` is exclusive.
    value
        Start and stop of the value.
    denied
        Whether the value denies the topic; otherwise it puts it in doubt.
    """

    start: int
    stop: int
    value: tuple[int, int]
    denied: bool


def items_of(text: str) -> Iterator[StructuredItem]:
    """The items of a sentence whose value is a denial or a doubt, in the order of the text."""
    text = without_unticked(text)
    for match in _VALUE.finditer(text):
        start = _start_of_topic(text, match.start())
        topic = text[start : match.start()]
        if match["sign"] or match["ticked"] or not _is_clause(topic):
            yield StructuredItem(start, match.start(), match.span(), match["doubtful"] is None)


def without_unticked(text: str) -> str:
    """The text with boxes that are not ticked painted over, so that positions stay."""
    return _UNTICKED.sub(lambda match: "_" * len(match.group()), text)


def _start_of_topic(text: str, stop: int) -> int:
    """Where the topic in front of a value begins; a plain list of topics is one topic."""
    text = re.sub(r"\([^()]*\)", lambda match: "_" * len(match.group()), text)
    first = max(text.rfind(mark, 0, stop) for mark in ";\n.") + 1
    if "," not in text[first:stop]:
        return first
    parts = text[first:stop].split(",")
    if all(len(part.split()) <= 3 and not _YES.search(part) for part in parts):
        return first
    return text.rfind(",", 0, stop) + 1


def _is_clause(topic: str) -> bool:
    """Whether a topic is a clause with a verb or an article and not a name."""
    return len(topic.split()) > _MOST_WORDS or _CLAUSE.search(topic) is not None
