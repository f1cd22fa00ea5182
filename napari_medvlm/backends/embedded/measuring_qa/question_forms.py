"""The forms of question that can be answered by measuring, and what each is about.

Questions are recognised by their words, in English. A question of no such form is beyond: it is
never answered by the form that comes nearest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from napari_medvlm.backends.embedded.measuring_qa.quantity_words import Parts
from napari_medvlm.backends.embedded.measuring_qa.question_limits import Limit
from napari_medvlm.backends.embedded.measuring_qa.question_order import superlative
from napari_medvlm.backends.embedded.measuring_qa.question_parts import by_parts
from napari_medvlm.backends.embedded.measuring_qa.question_patterns import PARTS, PATTERNS
from napari_medvlm.backends.embedded.measuring_qa.question_wording import plain_wording
from napari_medvlm.backends.embedded.measuring_qa.question_words import by_words


class QuestionForm(StrEnum):
    """Forms of questions; the values describe them to users."""

    MODALITY = "what kind of image it is"
    SPACING = "the size of a voxel"
    EXTENT = "the field of view"
    SHAPE = "how many slices there are"
    COUNT = "how many objects there are"
    LARGER = "which of two is larger, and by how much"
    WITHOUT = "the volume of something without a part of it"
    RATIO = "the ratio of the volumes of two"
    EXTREME = "which of several is the largest or smallest"
    RANK = "several by their size"
    LIMIT = "whether something is larger or smaller than a limit"
    ABOVE = "which of several are larger or smaller than a limit"
    VOLUME = "the volume of something"
    SUM = "the volume of several together"
    DIAMETER = "the longest diameter of something"
    DIMENSIONS = "the extents of something along the axes of the patient"
    WIDTH = "how far something extends from right to left"
    DEPTH = "how far something extends from front to back"
    HEIGHT = "how far something extends from top to bottom"
    INTENSITY = "the mean intensity of something"
    RANGE = "the lowest and highest intensity of something"
    BRIGHTER = "which of two has the higher mean intensity"
    BRIGHTEST = "which of several has the highest or lowest mean intensity"
    DISTANCE = "how far two things are apart"
    MIDLINE = "how far something is from the midline of the brain"
    RELATION = "whether one thing is above, behind or lateral to another"
    FURTHER = "which of two lies higher, further to the left or nearer to the midline"
    OVERLAP = "what something overlaps"
    SHARE = "which share of something lies in another"
    AT = "what is at a voxel (z, y, x)"
    WHERE = "where something is, and on which side"
    SLICES = "which slices something is in"
    PRESENT = "whether something is there"


@dataclass(frozen=True)
class ParsedQuestion:
    """A question that was recognised.

    Parameters
    ----------
    things
        What it is about, in its own words.
    index
        The voxel ``(z, y, x)`` that it names.
    limit
        The value that it compares with.
    quantity
        What is measured for a comparison: volumes, unless it names another.
    plane
        The plane of the slices that it is about: ``"axial"``; empty if it names none.
    relation
        How two things lie to one another, in its own words: ``"lateral to"``.
    word
        The superlative, comparative or quantifier of it: ``"largest"``, ``"all"``.
    is_closed
        Whether it asks for yes or no.
    has_pattern
        Whether its wording is known; otherwise it was read by its words alone.
    """

    form: QuestionForm
    things: tuple[str, ...] = ()
    index: tuple[int, int, int] | None = None
    limit: Limit | None = None
    quantity: QuestionForm = QuestionForm.VOLUME
    plane: str = ""
    relation: str = ""
    word: str = ""
    is_closed: bool = False
    has_pattern: bool = field(default=True, compare=False)


def _compiled(line: str) -> tuple[QuestionForm, re.Pattern[str]]:
    name, pattern = line.split(maxsplit=1)
    names = "|".join(sorted(PARTS, key=len, reverse=True))
    filled = re.sub(names, lambda match: PARTS[match[0]], pattern)
    return QuestionForm[name], re.compile(filled, re.IGNORECASE)


_SIDES = re.compile(rf", {PARTS['SIDE']} or {PARTS['SIDE']}$", re.IGNORECASE)
_COMPILED = [_compiled(line) for line in PATTERNS.strip().splitlines()]


def readings(question: str) -> Iterator[ParsedQuestion]:
    """The ways to read a question, the most certain first: by a limit or an exclusion that it
    states, by a known wording, by its other parts, and by its words alone.
    """
    parts = [_of_parts(p) for p in by_parts(question)]
    yield from (p for p in parts if p.form in _CERTAIN)
    worded = _by_wording(question)
    if worded is not None:
        yield worded
    yield from (p for p in parts if p.form not in _CERTAIN)
    by_its_words = by_words(question)
    if by_its_words is not None:
        form, things = by_its_words
        yield ParsedQuestion(QuestionForm[form], _completed(*things), has_pattern=False)


_CERTAIN = (QuestionForm.LIMIT, QuestionForm.ABOVE, QuestionForm.WITHOUT)


def read(question: str) -> ParsedQuestion | None:
    """Parse a question; `None` if it has no known form."""
    return next(readings(question), None)


def parsed_superlative(words: str) -> Iterator[ParsedQuestion]:
    """A name such as "largest lesion" as the question for it; nothing for other names."""
    parts = superlative(words.lower())
    if parts is not None:
        yield _of_parts(parts)


def _of_parts(parts: Parts) -> ParsedQuestion:
    return ParsedQuestion(
        QuestionForm[parts.form],
        _completed(*parts.things),
        limit=parts.limit,
        quantity=QuestionForm[parts.quantity],
        plane=parts.plane,
        word=parts.word,
        has_pattern=parts.is_certain,
    )


def _by_wording(question: str) -> ParsedQuestion | None:
    plain = plain_wording(question)
    is_closed = _CLOSED.match(plain) is not None
    for form, pattern in _COMPILED:
        match = pattern.fullmatch(plain)
        if match is None:
            continue
        groups = match.groupdict()
        things = _completed(*(groups[key].strip() for key in ("a", "b") if groups.get(key)))
        if form is QuestionForm.LARGER and len(things) == 1 and _SIDES.search(plain):
            things = (f"left {things[0]}", f"right {things[0]}")
        if groups.get("z") is not None:
            index = (int(groups["z"]), int(groups["y"]), int(groups["x"]))
            return ParsedQuestion(form, things, index)
        plane, relation, word = (
            (groups.get(key) or "").lower() for key in ("plane", "relation", "word")
        )
        quantity = QuestionForm.INTENSITY if form is QuestionForm.BRIGHTEST else QuestionForm.VOLUME
        return ParsedQuestion(
            form, things, None, None, quantity, plane, relation, word, is_closed=is_closed
        )
    return None


def _completed(*things: str) -> tuple[str, ...]:
    """The things with the noun that one leaves out: "the left" and "the right kidney"."""
    things = tuple(_QUANTIFIER.sub("", thing) for thing in things)
    if len(things) != 2:
        return things
    bare = [_QUALIFIERS.fullmatch(thing) is not None for thing in things]
    if bare[0] == bare[1]:
        return things
    things = tuple(re.sub(r"\s+one$", "", thing, flags=re.IGNORECASE) for thing in things)
    noun = _QUALIFIER.sub("", things[bare[0]]).strip()
    return tuple(f"{t} {noun}" if is_bare else t for t, is_bare in zip(things, bare, strict=True))


_CLOSED = re.compile(r"(?:is|are|does|do|has|have)\b", re.IGNORECASE)

_QUANTIFIER = re.compile(
    r"^(?:(?:both|all|each|every|two|whole|entire|this|these) )+(?:of )?(?:the )?", re.IGNORECASE
)
"""Words that take all of what follows; "the left and right" is read by the names."""

_QUALIFIER = re.compile(
    r"\b(?:left|right|gr[ae]y|white|first|second|third|fourth|3rd|4th|upper|lower|anterior|posterior|one|the)\b\s*",
    re.IGNORECASE,
)
_QUALIFIERS = re.compile(
    rf"(?:{_QUALIFIER.pattern})+(?:and (?:{_QUALIFIER.pattern})+)*", re.IGNORECASE
)
"""Adjectives that distinguish structures of the same noun."""
