"""Which option a sentence asserts that compares options: "the left is larger than the right"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

OPPOSITES = (
    ("large big great enlarged expanded exceeds exceeding", "small little lesser reduced"),
    ("more most", "less least few"),
    ("long", "short"),
    ("thick", "thin"),
    ("wide broad dilated", "narrow"),
    ("high tall raised", "low"),
    ("bright light hyperintense", "dark hypointense"),
    ("dense", "lucent"),
    ("better good", "worse bad worst"),
    ("severe", "mild"),
    ("old", "new young recent"),
    ("near close", "far"),
)
"""Words of comparisons and those of the opposite, without the endings of their degrees."""
_OF = {
    word: (number, side)
    for number, sides in enumerate(OPPOSITES)
    for side, words in enumerate(sides)
    for word in words.split()
}
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.](?=\d)[^.!?\n]*)*")
_AGAINST = re.compile(
    r"\b(?<!rather )(?:than|compared (?:to|with)|in comparison (?:to|with)|relative to|versus|vs"
    r"|unlike|exceed(?:s|ing))(?=\s|\.\s)\.?\s+(?:(?:that|those)\s+)?(?:(?:of|in|on|at|to)\s+)?"
    r"(?:(?:the|its|an?)\s+)?",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|no|nor|neither|never|without|hardly)\b|n['\u2019]t\b", re.IGNORECASE
)


class Compared(NamedTuple):
    """A sentence from ``start`` to ``stop`` that compares options.

    ``option`` is the number of the option that it asserts; `None` if that cannot be read.
    """

    start: int
    stop: int
    option: int | None


def comparisons(text: str, options: Sequence[str], question: str) -> Iterator[Compared]:
    """The sentences of a text in which an option is what others are compared against.

    "The right is smaller than the left" asserts the left where the question is which is larger,
    the right where it is which is smaller, and nothing where the question has neither word.
    """
    names = _short_names(options)
    for sentence in _SENTENCE.finditer(text):
        against = {
            number: match.end()
            for match in _AGAINST.finditer(sentence.group())
            if (number := _begins(sentence.group()[match.end() :], names)) is not None
        }
        if against:
            asserted = _asserted(sentence.group(), against, names, question)
            yield Compared(sentence.start(), sentence.end(), asserted)


def _asserted(
    sentence: str, against: dict[int, int], names: Sequence[Sequence[str]], question: str
) -> int | None:
    named = {n for n, own in enumerate(names) if any(_finds(word, sentence) for word in own)}
    subjects = named - set(against)
    if len(subjects) != 1 or len(against) != 1 or _DENIED.search(sentence):
        return None
    compared, asked = _sides(sentence), _sides(question)
    if len(compared) != 1 or len(asked) != 1:
        return None
    ((pair, side),), ((asked_pair, asked_side),) = compared, asked
    if pair != asked_pair:
        return None
    if side == asked_side:
        return subjects.pop()
    return next(iter(against)) if len(names) == 2 else None


def _sides(text: str) -> set[tuple[int, int]]:
    """The pairs of opposites that a text has a word of, and which of the two."""
    return {_OF[stem] for word in re.findall(r"[a-z]+", text.casefold()) for stem in _stems(word)}


def _stems(word: str) -> list[str]:
    """The known word of a comparative or superlative, if any: "bigger" is "big"."""
    bare = re.sub(r"(?:er|est)\Z", "", word)
    candidates = (word, bare, bare + "e", bare[:-1], re.sub(r"i\Z", "y", bare))
    return list(dict.fromkeys(stem for stem in candidates if stem in _OF))[:1]


def _short_names(options: Sequence[str]) -> list[list[str]]:
    """Each option, and of its words the first if it is of no other: "left" of "left lung"."""
    words = [re.findall(r"\w+", option.casefold()) for option in options]
    names = []
    for number, (option, own) in enumerate(zip(options, words, strict=True)):
        others = {word for n, ws in enumerate(words) if n != number for word in ws}
        own = [word for word in own if word not in {"the", "a", "an", "in", "on"}]
        short = own[:1] if own and own[0] not in others else []
        names.append([name for name in (option.strip(), *short) if name])
    return names


def _begins(text: str, names: Sequence[Sequence[str]]) -> int | None:
    """The option whose name a text begins with, the longest if several."""
    fits = [
        (len(name), number)
        for number, own in enumerate(names)
        for name in own
        if re.match(rf"(?:the\s+)?{re.escape(name)}(?!\w)", text, re.IGNORECASE)
    ]
    return max(fits)[1] if fits else None


def _finds(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None
