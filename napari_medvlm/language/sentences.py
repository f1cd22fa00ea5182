"""The sentences of a report's sections, without the sections that say why and how it was done."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\bcf)(?<!\bDr)(?<!\bapprox)(?<!\b[Nn]o)[.!?](?=\s|$)"
    r"|\n[ \t\r]*(?=\n)|\n(?=[ \t]*(?:[-*•]|\d+[.)])\s)|\n(?=[ \t]*[A-Z][a-z])"
)


def sentences_of(report: str) -> Iterator[tuple[int, int]]:
    """Start and stop of each sentence, in characters of the report; `stop` is exclusive.

    A full stop, an empty line, an item of a list, and a line that begins with a capital end the
    sentence before. Headings ("IMPRESSION:") are no part of a sentence.
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
        begin, searched = heading.end(), _is_searched(heading["name"])
    if searched:
        yield begin, len(report)


def _is_searched(heading: str) -> bool:
    return _KEEP.search(heading) is not None or _SKIP.search(heading) is None
