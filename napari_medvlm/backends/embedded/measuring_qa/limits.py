"""Whether quantities of structures lie above or below a limit, and their order by size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable, UnknownName
from napari_medvlm.backends.embedded.measuring_qa.number_format import EQUAL, definite, leading
from napari_medvlm.backends.embedded.measuring_qa.quantities import (
    NAMES,
    formatted,
    limit_in_words,
    value_of,
)
from napari_medvlm.backends.embedded.measuring_qa.question_forms import ParsedQuestion, QuestionForm
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.volume import Volume

LOW = (
    *("smallest", "smaller", "shortest", "shorter", "narrowest", "narrower", "darkest", "darker"),
    *("least", "lowest", "lower", "less"),
)
"""First words of superlatives and comparatives that ask for the low end."""


def limited(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Yes or no: whether a quantity of a structure, of all or of any of a name passes a limit."""
    assert asked.limit is not None
    limit = limit_in_words(volume, asked.limit)
    masked = family(asked.things[0], subjects, progress)
    values = [value_of(volume, subject, asked.quantity) for subject in masked]
    passed = [asked.limit.admits(value) for value in values]
    if len(set(passed)) > 1 and not asked.word:
        names = ", ".join(subject.name for subject in masked)
        raise Unanswerable(f"It differs: {asked.things[0]!r} means {names}. Name one of them.")
    claims = []
    answer = (any if asked.word == "any" else all)(passed)
    deciding = sorted(zip(masked, values, passed, strict=True), key=lambda row: row[2] != answer)
    for subject, value, _ in deciding:
        relation = _relation(value, asked.limit.value)
        text = (
            f"the {NAMES[asked.quantity]} of {definite(subject.name)} is "
            f"{formatted(volume, value, asked.quantity)}, {relation} {limit}."
        )
        claims.append(Claim(f"{text[0].upper()}{text[1:]}", (subject.region,), subject.provenance))
    first = claims[0]
    text = f"{'Yes' if answer else 'No'}: {first.text[0].lower()}{first.text[1:]}"
    return [Claim(text, first.regions, first.source), *claims[1:]]


def above(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The structures of a name whose quantity passes a limit, and how many they are."""
    assert asked.limit is not None
    limit = limit_in_words(volume, asked.limit)
    masked = family(asked.things[0], subjects, progress)
    values = [(value_of(volume, s, asked.quantity), s) for s in masked]
    passed = [(value, s) for value, s in values if asked.limit.admits(value)]
    side = "below" if asked.limit.is_upper else "above"
    side = f"{side} or at" if asked.limit.is_inclusive else side
    count = f"{len(passed)} of {len(masked)}" if passed else f"None of {len(masked)}"
    have = "has" if len(passed) == 1 else "have"
    names = f": {', '.join(s.name for _, s in passed)}" if passed else ""
    text = f"{count} {have} a {NAMES[asked.quantity]} {side} {limit}{names}."
    regions = tuple(subject.region for _, subject in passed)
    return [
        Claim(text, regions, _source(masked)),
        *(_value(volume, s, value, asked.quantity) for value, s in passed),
    ]


def extreme(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The structure of a name with the largest or smallest value of a quantity."""
    masked = family(asked.things[0], subjects, progress)
    low = asked.word.split()[0] in LOW
    values = sorted(
        ((value_of(volume, s, asked.quantity), s) for s in masked),
        key=lambda pair: pair[0] if low else -pair[0],
    )
    value, first = values[0]
    if len(asked.things) > 1:
        return _is_extreme(volume, asked, [s for _, s in values], subjects, progress)
    level = [s for v, s in values if abs(v - value) < EQUAL * abs(value) or v == value]
    if len(level) > 1:
        names = ", the ".join(subject.name for subject in level)
        text = (
            f"None is the {asked.word} alone: the {names} differ by less than "
            f"{100 * EQUAL:.0f} % in their {NAMES[asked.quantity]}."
        )
        regions = tuple(subject.region for subject in level)
        shown = [(v, s) for v, s in values if s in level]
        claims = [_value(volume, subject, v, asked.quantity) for v, subject in shown]
        return [Claim(text, regions, _source(level)), *claims]
    size = formatted(volume, value, asked.quantity)
    of = f" of {len(values)}" if len(values) > 1 else ""
    text = (
        f"{leading(first.name)} has the {'lowest' if low else 'highest'} mean intensity{of}, "
        f"{size}."
        if asked.quantity is QuestionForm.INTENSITY
        else f"{leading(first.name)} is the {asked.word}{of}, with {_article(asked.quantity)} "
        f"{NAMES[asked.quantity]} of {size}."
    )
    return [Claim(text, (first.region,), first.provenance)]


def _is_extreme(
    volume: Volume,
    asked: ParsedQuestion,
    ordered: list[Subject],
    subjects: Subjects,
    progress: Progress,
) -> list[Claim]:
    """Yes or no: whether one structure is the largest or smallest of some."""
    meant = subjects.require_single(asked.things[1], progress)
    if len(ordered) < 2 or meant.name not in {s.name for s in ordered}:
        raise Unanswerable(
            f"A comparison needs two structures; {asked.things[0]!r} means "
            f"{', '.join(s.name for s in ordered)}. Name both."
        )
    first = furthest(volume, ordered, asked)
    values = [(value_of(volume, s, asked.quantity), s) for s in ordered]
    text = (
        f"{'Yes' if first.name == meant.name else 'No'}: {definite(first.name)} is the "
        f"{asked.word} of {len(ordered)}."
    )
    regions = tuple(subject.region for subject in ordered)
    claims = [_value(volume, subject, value, asked.quantity) for value, subject in values]
    return [Claim(text, regions, _source(ordered)), *claims]


def furthest(volume: Volume, masked: list[Subject], asked: ParsedQuestion) -> Subject:
    """The only one of some structures that a superlative means.

    Raises
    ------
    Unanswerable
        Two are level.
    """
    if asked.word.endswith("er") and len(masked) > 2:
        raise Unanswerable(f"{asked.things[0]!r} means {len(masked)}, not two. Name both.")
    low = asked.word.split()[0] in LOW
    values = {s.name: value_of(volume, s, asked.quantity) for s in masked}
    first, second, *_ = sorted(masked, key=lambda s: values[s.name] * (1 if low else -1))
    if abs(values[first.name] - values[second.name]) < EQUAL * abs(values[first.name]):
        raise Unanswerable(
            f"{leading(first.name)} and {definite(second.name)} differ by less than "
            f"{100 * EQUAL:.0f} % in their {NAMES[asked.quantity]}, so none is the "
            f"{asked.word}. Name one of them."
        )
    return first


def ranked(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The structures of a name by a quantity, the largest first."""
    masked = [s for words in asked.things for s in family(words, subjects, progress)]
    values = sorted(
        ((value_of(volume, s, asked.quantity), s) for s in masked), key=lambda pair: -pair[0]
    )
    claims = [_value(volume, subject, value, asked.quantity) for value, subject in values]
    if not asked.word or len(masked) != 2:
        return claims
    more = values[0][0] > values[1][0]
    holds = more and (values[0][1] is masked[0]) != (asked.word in LOW)
    first = claims[0]
    text = f"{'Yes' if holds else 'No'}: {first.text[0].lower()}{first.text[1:]}"
    return [Claim(text, first.regions, first.source), *claims[1:]]


def family(words: str, subjects: Subjects, progress: Progress) -> list[Subject]:
    """All structures that words mean, with masks: what was segmented, or else of the atlas.

    Raises
    ------
    Unanswerable
        Nothing of the name is known, or the outline of one is not.
    """
    members = subjects.segmented(words) or subjects.find(words, progress)
    if not members:
        raise UnknownName(f"Nothing called {words!r} was segmented, so none can be compared.")
    boxed = [subject.name for subject in members if subject.mask is None]
    if boxed:
        raise Unanswerable(
            f"The atlas knows only the position of the {boxed[0]}, not its outline. Segment it to "
            "measure it."
        )
    return members


def _relation(value: float, limit: float) -> str:
    return "less than" if value < limit else "more than" if value > limit else "exactly"


def _article(quantity: QuestionForm) -> str:
    return "an" if NAMES[quantity][0] in "aeiou" else "a"


def _value(volume: Volume, subject: Subject, value: float, quantity: QuestionForm) -> Claim:
    text = (
        f"{leading(subject.name)} has {_article(quantity)} {NAMES[quantity]} of "
        f"{formatted(volume, value, quantity)}."
    )
    return Claim(text, (subject.region,), subject.provenance)


def _source(subjects: list[Subject]) -> str:
    return "atlas" if any(subject.source == "atlas" for subject in subjects) else "measured"


FUNCTIONS: Mapping[
    QuestionForm, Callable[[Volume, ParsedQuestion, Subjects, Progress], list[Claim]]
] = {
    QuestionForm.LIMIT: limited,
    QuestionForm.ABOVE: above,
    QuestionForm.EXTREME: extreme,
    QuestionForm.BRIGHTEST: extreme,
    QuestionForm.RANK: ranked,
}
"""Forms of questions that this module answers."""
