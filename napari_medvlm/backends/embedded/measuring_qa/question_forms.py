"""The forms of question that can be answered by measuring, and what each is about.

Questions are recognised by their words, in English. A question of no such form is beyond: it is
never answered by the form that comes nearest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from napari_medvlm.backends.embedded.measuring_qa.question_patterns import PARTS, PATTERNS
from napari_medvlm.backends.embedded.measuring_qa.question_wording import plain_wording


class QuestionForm(StrEnum):
    """Forms of questions; the values describe them to users."""

    MODALITY = "what kind of image it is"
    SPACING = "the size of a voxel"
    EXTENT = "the field of view"
    SHAPE = "how many slices there are"
    COUNT = "how many objects there are"
    LARGER = "which of two is larger, and by how much"
    RATIO = "the ratio of the volumes of two"
    EXTREME = "which of several is the largest or smallest"
    ABOVE = "which of several are larger or smaller than a volume"
    VOLUME = "the volume of something"
    SUM = "the volume of several together"
    DIAMETER = "the longest diameter of something"
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
    limit_ml
        The volume in millilitres that it compares with.
    plane
        The plane of the slices that it is about: ``"axial"``; empty if it names none.
    relation
        How two things lie to one another, in its own words: ``"lateral to"``.
    """

    form: QuestionForm
    things: tuple[str, ...] = ()
    index: tuple[int, int, int] | None = None
    limit_ml: float | None = None
    plane: str = ""
    relation: str = ""


def _compiled(line: str) -> tuple[QuestionForm, re.Pattern[str]]:
    name, pattern = line.split(maxsplit=1)
    names = "|".join(sorted(PARTS, key=len, reverse=True))
    filled = re.sub(names, lambda match: PARTS[match[0]], pattern)
    return QuestionForm[name], re.compile(filled, re.IGNORECASE)


_SIDES = re.compile(rf", {PARTS['SIDE']} or {PARTS['SIDE']}$", re.IGNORECASE)
_COMPILED = [_compiled(line) for line in PATTERNS.strip().splitlines()]


def read(question: str) -> ParsedQuestion | None:
    """Parse a question; `None` if it has no known form."""
    plain = plain_wording(question)
    for form, pattern in _COMPILED:
        match = pattern.fullmatch(plain)
        if match is None:
            continue
        groups = match.groupdict()
        things = _completed(*(groups[key].strip() for key in ("a", "b") if groups.get(key)))
        if form is QuestionForm.LARGER and len(things) == 1 and _SIDES.search(plain):
            things = (f"left {things[0]}", f"right {things[0]}")
        if groups.get("limit") is not None:
            in_ml = 0.001 if "mm" in groups["unit"] or "milli" in groups["unit"].lower() else 1.0
            return ParsedQuestion(form, things, limit_ml=float(groups["limit"]) * in_ml)
        if groups.get("z") is None:
            plane, relation = ((groups.get(key) or "").lower() for key in ("plane", "relation"))
            return ParsedQuestion(form, things, plane=plane, relation=relation)
        return ParsedQuestion(form, things, (int(groups["z"]), int(groups["y"]), int(groups["x"])))
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


_QUANTIFIER = re.compile(
    r"^(?:(?:both|all|each|every|two|whole|entire|this|these) )+(?:of )?(?:the )?", re.IGNORECASE
)
"""Words that take all of what follows; "the left and right" is read by the names."""

_QUALIFIER = re.compile(
    r"\b(?:left|right|gr[ae]y|white|first|second|third|fourth|3rd|4th|upper|lower|anterior|posterior|one|the)\b\s*",
    re.IGNORECASE,
)
_QUALIFIERS = re.compile(rf"(?:{_QUALIFIER.pattern})+", re.IGNORECASE)
"""Adjectives that distinguish structures of the same noun."""
