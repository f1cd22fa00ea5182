"""Which stretches of a sentence are denied, and which are in doubt: rules in the manner of NegEx.

After Chapman, Bridewell, Hanbury, Cooper and Buchanan, "A simple algorithm for identifying negated
findings and diseases in discharge summaries", J Biomed Inform 34:301-310, 2001. A trigger in front
("no", "without") reaches to the end of its clause, one behind ("is not seen") back to its start.
Words that only look like a denial ("no change", "not only") are taken out first, and what a
preposition names as being there ("no edema around the mass") is spared. It does not know what is
looked for.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from napari_medvlm.language import negation_triggers as triggers
from napari_medvlm.language.structured_items import items_of, without_unticked


@dataclass(frozen=True, slots=True)
class NegationScope:
    """What a trigger says something about: characters `start` to `stop` of a sentence."""

    start: int
    stop: int

    def holds(self, start: int, stop: int) -> bool:
        """Whether the characters from `start` to `stop` begin or end in it."""
        return self.start <= start < self.stop or self.start < stop <= self.stop


def denied(sentence: str) -> tuple[NegationScope, ...]:
    """What the sentence says is not there."""
    items = [item for item in items_of(sentence) if item.denied]
    text = without_unticked(sentence)
    for item in items:
        text = _painted(text, *item.value)
    text = _without(
        text, (*triggers.NOT_DENIALS, *triggers.IN_DOUBT, *triggers.NOT_EXCLUDED, *triggers.EITHER)
    )
    ahead_text = _without(text, triggers.DENIED_BEHIND)
    ahead = _matches(ahead_text, triggers.DENIED_AHEAD)
    short = _matches(_without(ahead_text, triggers.DENIED_AHEAD), triggers.NOT_AHEAD)
    behind = _matches(text, triggers.DENIED_BEHIND)
    ends = (*triggers.END, *triggers.END_OF_DENIAL)
    removed = [
        match
        for match in _matches(text, triggers.REMOVED)
        if _matches(text[: match.start()], triggers.DONE)
    ]
    return (
        *(NegationScope(item.start, item.stop) for item in items),
        *(part for scope in _ahead(sentence, ahead, ends) for part in _spared(sentence, scope)),
        *_ahead(sentence, short, (*ends, *triggers.END_OF_NOT)),
        *_behind(sentence, behind, ()),
        *_behind(sentence, removed, triggers.REMOVED_FROM),
    )


def doubted(sentence: str) -> tuple[NegationScope, ...]:
    """What the sentence says may be there."""
    items = list(items_of(sentence))
    text = sentence
    for item in items:
        text = _painted(text, *item.value)
    ahead = _matches(_without(text, triggers.DOUBT_BEHIND), triggers.DOUBT_AHEAD)
    behind = _matches(text, (*triggers.DOUBT_BEHIND, *triggers.EITHER))
    ends = (*triggers.END, *triggers.END_OF_DOUBT)
    if _any((triggers.BARE_CHOICE,)).match(sentence):
        return (NegationScope(0, len(sentence)),)
    return (
        *(NegationScope(item.start, item.stop) for item in items if not item.denied),
        *_ahead(sentence, ahead, ends),
        *_ahead(sentence, _matches(text, triggers.DOUBT_OF_ALL), triggers.END),
        *_behind(sentence, behind, triggers.NOT_ENDED),
    )


def _ahead(
    text: str, matches: list[re.Match[str]], ends: tuple[str, ...]
) -> Iterator[NegationScope]:
    """Scopes of triggers in front: to the next end of a clause."""
    stops = [match.start() for match in _any(ends).finditer(text)] if matches else []
    for match in matches:
        yield NegationScope(match.end(), _next(stops, match.end(), len(text)))


def _behind(
    text: str, matches: list[re.Match[str]], begin: tuple[str, ...]
) -> Iterator[NegationScope]:
    """Scopes of triggers behind: back to where their clause begins."""
    patterns = (*triggers.END, *triggers.BACK_TO, *begin)
    begins = [match.end() for match in _any(patterns).finditer(text)] if matches else []
    for match in matches:
        yield NegationScope(_last(begins, _without_verb(text, match.start())), match.start())


def _spared(text: str, scope: NegationScope) -> Iterator[NegationScope]:
    """The parts of a scope without what prepositions name as being there."""
    start, position = scope.start, scope.start
    while match := _any((triggers.SPARED,)).search(text, position, scope.stop):
        position = match.end()
        if _any((f"(?:{triggers.NOT_SPARED})\\s*\\Z",)).search(text[start : match.start()]):
            continue
        yield NegationScope(start, match.start())
        resumed = _any((triggers.RESUMED,)).search(text, position, scope.stop)
        start = position = resumed.start() if resumed else scope.stop
    if start < scope.stop:
        yield NegationScope(start, scope.stop)


@cache
def _words(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One pattern for all, longest match at whole words; line breaks inside are spaces."""
    pattern = "|".join(f"(?:(?<!\\w)|(?=\\?))(?:{p})(?!\\w)" for p in patterns)
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


@cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL)


def _matches(text: str, patterns: tuple[str, ...]) -> list[re.Match[str]]:
    return list(_words(patterns).finditer(text))


def _without(text: str, patterns: tuple[str, ...]) -> str:
    """The text with what matches painted over, so that positions stay."""
    return _words(patterns).sub(lambda match: "_" * len(match.group()), text)


def _painted(text: str, start: int, stop: int) -> str:
    return text[:start] + "_" * (stop - start) + text[stop:]


def _next(positions: list[int], position: int, otherwise: int) -> int:
    following = bisect_left(positions, position)
    return positions[following] if following < len(positions) else otherwise


def _last(positions: list[int], position: int) -> int:
    preceding = bisect_right(positions, position) - 1
    return positions[preceding] if preceding >= 0 else 0


def _without_verb(text: str, stop: int) -> int:
    """Where the verb of a trigger at `stop` begins: the "is" of "is not seen"."""
    tail = text[max(0, stop - 30) : stop]
    verb = re.search(
        r"\b(?:is|are|was|were|has|have|had|can|could)(?:\s+\w+ly)?\s*$", tail, re.IGNORECASE
    )
    return stop - len(tail) + verb.start() if verb else stop
