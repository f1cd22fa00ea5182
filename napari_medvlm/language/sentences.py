"""Sentences: of a report's sections with findings, and of what a model wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_NOT_SEARCHED = (
    "indications?|history|technique|protocol|procedure|comparisons?|contrast(?!\\s+enh)|reason"
    "|exam|examination|study|date|dose|clinical|medications?|priors?|dictated|signed"
)
_SEARCHED = (
    "findings?|impressions?|conclusions?|report|results?|opinion|summary|assessment|addendum"
)
_KNOWN = (
    f"(?:(?:clinical|medical|patient|imaging|type\\s+of|reason\\s+for|prior|the)\\s+)*"
    f"(?:{_NOT_SEARCHED}|{_SEARCHED}|information|data|question|details|stud(?:y|ies)|type|by)"
    f"(?:\\s*(?:and|/|&)\\s*(?:{_NOT_SEARCHED}|{_SEARCHED}))*"
)
_HEADING = re.compile(
    f"(?:^[ \\t]*|(?<=[.;?!]\\s)\\s*)"
    f"(?P<name>(?i:{_KNOWN})(?=[ \\t]*:)|(?=[A-Z])(?i:{_KNOWN})(?=[ \\t\\r]*$)"
    "|[A-Z][A-Z /&,()-]{2,40}(?=:))[ \\t]*:?",
    re.MULTILINE,
)
_SKIP = re.compile(f"\\b(?:{_NOT_SEARCHED})\\b", re.IGNORECASE)
_KEEP = re.compile(f"\\b(?:{_SEARCHED})\\b", re.IGNORECASE)
_END = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\bcf)(?<!\bDr)(?<!\bapprox)"
    r"(?:(?<=\S)(?<!\.{3})[.!]|(?<=\S)\?(?!\s*(?:[Yy]es|[Nn]o|[Nn]one|[Nn]il|[YN])\b))(?=\s|$)(?!(?<=\b[Nn]o\.)\s*\d)"
    r"|\n[ \t\r]*(?=\n)|\n(?=[ \t]*(?:[-*•]|\d+[.)])\s)|\n(?=[ \t]*[A-Z][a-z])"
)


def sentences_of(report: str) -> Iterator[tuple[int, int]]:
    """Start and stop of each sentence, in characters of the report; `stop` is exclusive.

    A full stop, an empty line, an item of a list, and a line that begins with a capital end the
    sentence before. Headings of sections ("IMPRESSION:") are no part of a sentence; topics in
    capitals ("MASS: 3 cm") are.
    """
    for start, stop in _sections(report):
        begin = start
        for end in _END.finditer(report, start, stop):
            yield begin, end.end()
            begin = end.end()
        yield begin, stop


def _sections(report: str) -> Iterator[tuple[int, int]]:
    """Where the sections lie that are searched; what comes before the first heading is one."""
    begin, searched = 0, True
    for heading in _HEADING.finditer(report):
        if searched:
            yield begin, heading.start()
        begin, searched = _begin(heading), _is_searched(heading["name"])
    if searched:
        yield begin, len(report)


def _begin(heading: re.Match[str]) -> int:
    """Where the text of a section begins; a topic ("MASS: 3 cm") is part of its first sentence."""
    is_known = _KEEP.search(heading["name"]) or _SKIP.search(heading["name"])
    return heading.end() if is_known else heading.start("name")


def _is_searched(heading: str) -> bool:
    return _KEEP.search(heading) is not None or _SKIP.search(heading) is None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of what a model wrote.

    Attributes
    ----------
    start, stop
        Its characters; `stop` is exclusive. Bullets and hashes of Markdown are not in it.
    section
        ``"findings"`` or ``"impression"`` if it stands under such a heading; else empty.
    line
        The number of the line that it stands in, from 0.
    """

    start: int
    stop: int
    section: str = ""
    line: int = 0


_SECTIONS = {
    "findings": "findings?|report|observations?|befunde?|r\u00e9sultats?|constatations"
    "|hallazgos|achados|reperti|bevindingen|\u6240\u89c1|\u5f71\u50cf\u6240\u89c1"
    "|\u6240\u898b",
    "impression": "impressions?|conclusions?|summary|opinion|assessment|beurteilung|fazit"
    "|impresi\u00f3n|conclusi\u00f3n|conclus\u00e3o|impress\u00e3o|conclusioni|conclusie"
    "|\u5370\u8c61|\u7ed3\u8bba|\u8bca\u65ad\u610f\u89c1|\u8a3a\u65ad",
}
_TITLE = re.compile(
    r"[*_\s]*(?:" + "|".join(f"(?P<{name}>{words})" for name, words in _SECTIONS.items()) + ")"
    r"(?:[*_\s]*[:\uff1a][*_]*|[*_\s]*\Z)\s*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"[\s>]*(?:[-*+\u2022\u2013]\s+|\(?\d{1,3}[.)]\s+)?")
_LABEL = re.compile(r"[*_]{2}[^*_]{1,60}[*_]{2}:?|[^.!?:]{1,60}:")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|vs|cf|dr|prof|mr|mrs|st|approx|fig|figs|ca|incl|excl|resp|bzw|z\.\s?b"
    r"|d\.\s?h|u\.\s?a|p\.\s?ej|env|vol|nr|max|min|ant|post|sup|inf|lat|bilat|ext|int)"
    r"|\b[A-Za-z])\.\Z",
    re.IGNORECASE,
)
_STOP = re.compile(r"[.!?\u2026]++[\"'\u201d\u2019)\]*_]*+(?=\s|\Z)|[\u3002\uff01\uff1f\u0964]++")
_NUMBERED = re.compile(r"\s*\d")
_SMALL = re.compile(r"\s+[a-z\u00df-\u00f6\u00f8-\u00ff]")


def split(text: str, protected: Sequence[tuple[int, int]] = ()) -> Iterator[Sentence]:
    """The sentences of what a model wrote, in plain text or Markdown, in any language.

    A line ends a sentence, and so does a stop, an exclamation or a question mark that is not of a
    number or an abbreviation. Headings, and lines without a word, are none.

    Parameters
    ----------
    kept
        Starts and stops of pieces within which no sentence and no line ends, such as boxes.
    """
    section = ""
    for number, (start, stop) in enumerate(_lines(text, protected)):
        start = _ITEM.match(text, start, stop).end()  # type: ignore[union-attr]  # matches nothing
        heading = start < stop and text[start] == "#"
        if heading:
            start += len(text[start:stop]) - len(text[start:stop].lstrip("# \t"))
        if title := _TITLE.match(text[start:stop]):
            section = next(name for name in _SECTIONS if title[name])
            start += title.end()
        elif heading or (_LABEL.fullmatch(text[start:stop].strip()) and section):
            continue
        for first, last in _ends(text, start, stop, protected):
            if any(map(str.isalnum, text[first:last])):
                yield Sentence(first, last, section, number)


def _lines(text: str, protected: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    begin = 0
    for match in re.finditer("\n", text):
        if not _is_within(match.start(), protected):
            yield begin, match.start()
            begin = match.end()
    yield begin, len(text)


def _ends(
    text: str, start: int, stop: int, protected: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Where the sentences of a line begin and end, without the white space around them."""
    begin = start
    for end in _STOP.finditer(text, start, stop):
        if not _is_within(end.start(), protected) and _is_end(text, begin, end):
            yield _trimmed(text, begin, end.end())
            begin = end.end()
    yield _trimmed(text, begin, stop)


def _is_end(text: str, begin: int, end: re.Match[str]) -> bool:
    if end.group() != ".":
        return True
    before = text[max(begin, end.start() - 12) : end.end()]
    if _ABBREVIATION.search(before) or _SMALL.match(text, end.end()):
        return False
    return not (before.casefold().endswith(" no.") and _NUMBERED.match(text, end.end()))


def _trimmed(text: str, start: int, stop: int) -> tuple[int, int]:
    piece = text[start:stop]
    left = len(piece) - len(piece.lstrip())
    return start + left, max(start + left, start + len(piece.rstrip()))


def _is_within(at: int, protected: Sequence[tuple[int, int]]) -> bool:
    return any(start <= at < stop for start, stop in protected)


_LEAST_WORDS, _LEAST_CHARACTERS = 12, 60
_PERIODS = 60


def without_loop(text: str) -> tuple[str, int]:
    """A text without the endless repetition that it ends with, and how often it was repeated.

    What stands there four times or more and makes up a dozen words (60 characters where there are
    no spaces) is a loop; it is kept once.
    """
    words = [match.end() for match in re.finditer(r"\S+", text)]
    parts = [match.group() for match in re.finditer(r"\S+", text)]
    period, repeated = _loop(parts, _LEAST_WORDS)
    if period:
        return text[: words[len(parts) - repeated - 1]], 1 + repeated // period
    period, repeated = _loop(text, _LEAST_CHARACTERS)
    if period and any(map(str.isalnum, text[-period:])):
        return text[: len(text) - repeated], 1 + repeated // period
    return text, 1


def _loop(parts: Sequence[str], least: int) -> tuple[int, int]:
    """The period of the repetition at the end, and how many parts of it are too many."""
    for period in range(1, min(_PERIODS, len(parts) // 4) + 1):
        same = 0
        while same < len(parts) - period and parts[-1 - same] == parts[-1 - same - period]:
            same += 1
        if same >= max(3 * period, least - period):
            return period, same
    return 0, 0
