"""Findings of a radiology report, as phrases that a model can be asked to locate.

Rules, not a model: a term of ``findings.yaml`` with the words around it that say how and where, and
`negation` for what is denied or in doubt. Sections that say why and how the study was done are not
searched.

Limits: English only. A finding that the file does not name is not found. A place that stands
elsewhere in the sentence ("At the left base there is an effusion") is not taken into the phrase,
and of two places joined in front of a term the first may be lost. "It has resolved" in a sentence
of its own denies nothing, and what a patient had once ("history of lung cancer") counts as there.
Scopes follow commas and conjunctions, not grammar: long sentences that mix what is there with what
is not are read wrongly at times. So findings are to be shown next to the sentence that they come
from, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from napari_medvlm.language.negation import denied, doubted
from napari_medvlm.language.sentences import sentences_of
from napari_medvlm.language.yaml_tables import HERE, YamlTable, read

_MEASURE = (
    r"(?:\d+(?:[.,]\d+)?(?:\s*[x\u00d7]\s*\d+(?:[.,]\d+)?)*[\s-]*(?:mm|cm)|T1|T2|FLAIR)(?!\w)"
)
_LEVEL = r"(?:[CTLS]\d{1,2}(?:\s*[-/]\s*[CTLS]?\d{1,2})?)(?!\w)"
_STEM = 5
"""Letters that a topic and the term behind its colon share: "enhancement", "enhancing"."""
_MANNER = r"(?!(?:likely|possibly|probably|presumably|apparently|only|previously)\b)[a-z]+ly(?!\w)"
_SEGMENT = r"segments?\s+\d(?:(?:\s*,\s*|\s+and\s+|-)\d)*(?!\w)"
_WITHIN = (
    r"(?:arising\s+from|(?:(?:centered|centred|located|situated)\s+)?"
    r"(?:of|in|at|within|along|involving|near|overlying|on|throughout|adjacent\s+to))"
)


@dataclass(frozen=True, slots=True)
class ReportFinding:
    """A finding that a report speaks of.

    Attributes
    ----------
    phrase
        As to be asked for: "small left pleural effusion". The report's own words on one line.
    start, stop
        The characters of the report that it is taken from; `stop` is exclusive.
    sentence
        The sentence that it stands in, on one line.
    negated
        The report says that it is not there.
    uncertain
        The report says that it may be there.
    """

    phrase: str
    start: int
    stop: int
    sentence: str
    negated: bool
    uncertain: bool


def findings_of(report: str) -> tuple[ReportFinding, ...]:
    """The findings in the order of the text; no two overlap."""
    return tuple(
        finding
        for start, stop in sentences_of(report)
        for finding in _findings_in(report[start:stop], start)
    )


def _findings_in(sentence: str, offset: int) -> Iterator[ReportFinding]:
    rules = _rules()
    terms = [match.span() for match in rules.term.finditer(sentence)]
    if not terms:
        return
    absent, doubtful = denied(sentence), doubted(sentence)
    for (start, stop), term in zip(_grown(sentence, terms, rules), terms, strict=True):
        if _is_repeated_topic(sentence, terms, term):
            continue
        yield ReportFinding(
            phrase=_single_line(sentence[start:stop]),
            start=offset + start,
            stop=offset + stop,
            sentence=_single_line(sentence),
            negated=any(reach.holds(*term) for reach in absent),
            uncertain=any(reach.holds(*term) for reach in doubtful),
        )


def _is_repeated_topic(sentence: str, terms: list[tuple[int, int]], term: tuple[int, int]) -> bool:
    """Whether a term is a topic that the text behind its colon names again: "MASS: A 3 cm mass"."""
    start, stop = term
    if not sentence[stop:].lstrip().startswith(":"):
        return False
    stem = sentence[start:stop].split()[-1][:_STEM].casefold()
    later = (sentence[first:last] for first, last in terms if first >= stop)
    return any(stem in text.casefold() for text in later)


def _grown(sentence: str, terms: list[tuple[int, int]], rules: _Rules) -> Iterator[tuple[int, int]]:
    """The spans of the terms with the words for how and where; they stay apart."""
    starts, before = [], 0
    for start, stop in terms:
        match = rules.before.search(sentence[before:start])
        starts.append(before + match.start("words") if match else start)
        before = stop
    for number, (_, stop) in enumerate(terms):
        end = starts[number + 1] if number + 1 < len(terms) else len(sentence)
        while match := rules.after.match(sentence[:end], stop):
            stop = match.end()
        yield starts[number], stop


def _single_line(text: str) -> str:
    return " ".join(text.split())


class _Lexicon(YamlTable):
    findings: dict[str, dict[str, list[str]]]
    plurals: dict[str, str]
    qualities: str
    positions: str
    places: str


@dataclass(frozen=True, slots=True)
class _Rules:
    term: re.Pattern[str]
    before: re.Pattern[str]
    after: re.Pattern[str]


@cache
def _rules() -> _Rules:
    lexicon = read(HERE / "findings.yaml", _Lexicon)
    terms = {
        form
        for area in lexicon.findings.values()
        for name, others in area.items()
        for term in (name, *others)
        for form in (term, _plural(term, lexicon.plurals))
    }
    quality = f"(?:{_MEASURE}|{_MANNER}|{_either(lexicon.qualities.split())})"
    position = f"(?:{_either(lexicon.positions.split())}|\\d+(?:st|nd|rd|th))"
    location = f"(?:{_SEGMENT}|{_either(lexicon.places.split())}|{_LEVEL})"
    qualities = f"{quality}(?:\\s*,\\s*{quality}|\\s+(?:to|and|or)\\s+{quality})*"
    positions = f"{position}(?:\\s+(?:to|and|or)\\s+{position})*"
    words = f"(?:{qualities}|{positions}|{location})"
    somewhere = f"(?:{positions}[\\s/-]+|{location}\\s+)*{location}"
    within = f"{_WITHIN}\\s+(?:(?:the|both|a|an|his|her)\\s+)*"
    after = (
        f"\\s+(?:bilaterally|{within}{somewhere}(?:\\s+(?:and|or)\\s+(?:the\\s+)?{somewhere})*"
        f"|{within}(?:left|right)(?:\\s+side)?)(?!\\w)"
    )
    return _Rules(
        term=re.compile(f"(?<!\\w){_either(terms)}", re.IGNORECASE),
        before=re.compile(
            f"(?<!\\w)(?P<words>{words}(?:[\\s/-]+{words})*)[,\\s/-]+\\Z", re.IGNORECASE
        ),
        after=re.compile(after, re.IGNORECASE),
    )


def _either(words: Iterable[str]) -> str:
    """One of the words or terms, the longest first; a hyphen matches a space and the reverse."""
    longest = sorted(words, key=lambda word: (-len(word), word))
    forms = (r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", word))) for word in longest)
    return f"(?:{'|'.join(forms)})(?!\\w)"


def _plural(term: str, irregular: dict[str, str]) -> str:
    *first, last = term.split(" ")
    if last in irregular:
        return " ".join((*first, irregular[last]))
    if last.endswith("y") and last[-2] not in "aeiou":
        return term[:-1] + "ies"
    return term + ("es" if last.endswith(("s", "x", "ch", "sh")) else "s")
