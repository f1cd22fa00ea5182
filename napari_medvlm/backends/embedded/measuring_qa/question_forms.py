"""The forms of question that can be answered by measuring, and what each is about.

Questions are recognised by their words, in English. A question of no such form is beyond: it is
never answered by the form that comes nearest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class QuestionForm(StrEnum):
    """Forms of questions; the values describe them to users."""

    MODALITY = "what kind of image it is"
    SPACING = "the size of a voxel"
    EXTENT = "the field of view"
    SHAPE = "how many slices there are"
    COUNT = "how many objects there are"
    LARGER = "which of two is larger, and by how much"
    VOLUME = "the volume of something"
    DIAMETER = "the longest diameter of something"
    WIDTH = "how far something extends from right to left"
    INTENSITY = "the mean intensity of something"
    DISTANCE = "how far two things are apart"
    OVERLAP = "what something overlaps"
    AT = "what is at a voxel (z, y, x)"
    WHERE = "where something is, and on which side"
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
    """

    form: QuestionForm
    things: tuple[str, ...] = ()
    index: tuple[int, int, int] | None = None


_PARTS = {
    "A": r"(?:the )?(?P<a>.+?)",
    "B": r"(?:the )?(?P<b>.+?)",
    "VOXEL": r"\(?(?P<z>\d+)\s*,\s*(?P<y>\d+)\s*,\s*(?P<x>\d+)\)?",
    "BIG": r"(?:larger|bigger|greater|smaller)",
    "HOWMUCH": r"(?:,? (?:and )?by how much)?",
    "THIS": r"(?:this|it)",
    "SIDE": r"(?:the )?(?:left|right)(?: one)?",
    "ML": r"(?:ml|cc|cm3|cm³|millilit(?:re|er)s|cubic centimet(?:re|er)s)",
}
_PATTERNS = """
AT        what (?:is|are|lies) (?:there )?at (?:voxel )?VOXEL
AT        which (?:structure|object)s? (?:is|are|lies?) at (?:voxel )?VOXEL
MODALITY  what (?:kind|type|sort) of (?:image|scan|picture) is THIS
MODALITY  (?:what|which) (?:is the )?(?:imaging )?modality(?: is THIS| is used)?
MODALITY  is THIS an? (?:ct|mri?|x-?ray|pet|ultrasound)(?: scan| image)?
SPACING   (?:what|how (?:large|big|thick)) (?:is|are) (?:the |an? )?(?:voxels?|pixels?|slices?)
SPACING   what is the size of (?:the |an? |one )?(?:voxels?|pixels?)
SPACING   what is the (?:(?:voxel|pixel) (?:size|spacing)|slice thickness|spacing|resolution)
EXTENT    (?:what|how (?:large|big)) is (?:the |this )?(?:field of view|fov|image|scan)
EXTENT    what is the size of the (?:image|scan)
SHAPE     how many (?:slices|voxels)(?: are there| does THIS have| does the (?:image|scan) have)?
SHAPE     (?:what are )?(?:the )?dimensions of the (?:image|scan|volume)
COUNT     how many (?:objects?|structures?|segmentations?|masks?|labels?)(?: are \\w+)?
LARGER    which (?:one )?is BIG,? A,? or BHOWMUCH
LARGER    which (?:one of the )?A is (?:the )?BIG,? SIDE or SIDE
LARGER    (?:is|are) A BIG than BHOWMUCH
LARGER    (?:by )?how much BIG is A than B
LARGER    which (?:of the (?:two )?)?A is (?:the )?BIGHOWMUCH
LARGER    compare A (?:and|with|to) B
DIAMETER  what is the (?:longest |largest |maximum )?diameter of A
DIAMETER  how long is A
WIDTH     how (?:wide|broad) is A
WIDTH     what is the (?:transverse )?width of A
INTENSITY what is the (?:mean |average )?(?:intensity|density|attenuation|signal|hu) (?:of|in) A
INTENSITY how (?:bright|dense) is A
DISTANCE  how far apart are (?:the )?two A
DISTANCE  how far apart are A and B
DISTANCE  how far (?:is|are) A (?:from|and|to) B(?: apart)?
DISTANCE  what is the distance (?:from|between) A (?:and|to) B
OVERLAP   (?:what|which structures?) (?:does|do|is|are) A (?:overlap|touch|cover|in)(?: with)?
VOLUME    what is the (?:volume|size) of A
VOLUME    how (?:large|big) (?:is|are) A
VOLUME    (?:what is )?the (?:total )?(?:volume|size) of (?:both )?A
VOLUME    (?:volume|size) of A
VOLUME    how much A is there
VOLUME    how many ML of A(?: (?:are|is) there)?
VOLUME    (?:what is )?(?!(?:what|describe|is|are|how|why|show|tell|give|which|does)\\b)A volume
WHERE     where (?:is|are|lies?) A
WHERE     (?:on )?which side is A(?: on)?
PRESENT   (?:is|are) there (?:an? |any )?A
PRESENT   can you see (?:an? |any )?A
"""
"""A form and a pattern a line; words in capitals stand for `_PARTS`. The first that fits counts."""


def _compiled(line: str) -> tuple[QuestionForm, re.Pattern[str]]:
    name, pattern = line.split(maxsplit=1)
    names = "|".join(sorted(_PARTS, key=len, reverse=True))
    filled = re.sub(names, lambda match: _PARTS[match[0]], pattern)
    return QuestionForm[name], re.compile(filled, re.IGNORECASE)


_UNIT = re.compile(
    r",? in (?:ml|cc|[cm]m[3³]?|millilit(?:re|er)s|(?:cubic )?(?:centi|milli)met(?:re|er)s"
    r"|hu|hounsfield units)$",
    re.IGNORECASE,
)
"""Answers tell their unit, whichever is wished for."""

_SIDES = re.compile(rf", {_PARTS['SIDE']} or {_PARTS['SIDE']}$", re.IGNORECASE)
_CONTRACTED = re.compile(r"^(what|where|which|how)['\u2019]s\b", re.IGNORECASE)

_COMPILED = [_compiled(line) for line in _PATTERNS.strip().splitlines()]


def read(question: str) -> ParsedQuestion | None:
    """Parse a question; `None` if it has no known form."""
    plain = " ".join(question.split()).strip(" ?.!").removeprefix("please ").strip()
    plain = _CONTRACTED.sub(r"\1 is", plain)
    plain = _UNIT.sub("", plain)
    for form, pattern in _COMPILED:
        match = pattern.fullmatch(plain)
        if match is None:
            continue
        groups = match.groupdict()
        things = _completed(*(groups[key].strip() for key in ("a", "b") if groups.get(key)))
        if form is QuestionForm.LARGER and len(things) == 1 and _SIDES.search(plain):
            things = (f"left {things[0]}", f"right {things[0]}")
        if groups.get("z") is None:
            return ParsedQuestion(form, things)
        return ParsedQuestion(form, things, (int(groups["z"]), int(groups["y"]), int(groups["x"])))
    return None


def _completed(*things: str) -> tuple[str, ...]:
    """The things with the noun that one leaves out: "the left" and "the right kidney"."""
    if len(things) != 2:
        return things
    bare = [_QUALIFIERS.fullmatch(thing) is not None for thing in things]
    if bare[0] == bare[1]:
        return things
    noun = _QUALIFIER.sub("", things[bare[0]]).strip()
    return tuple(f"{t} {noun}" if is_bare else t for t, is_bare in zip(things, bare, strict=True))


_QUALIFIER = re.compile(
    r"\b(?:left|right|first|second|third|fourth|3rd|4th|upper|lower|anterior|posterior|one|the)\b\s*",
    re.IGNORECASE,
)
_QUALIFIERS = re.compile(rf"(?:{_QUALIFIER.pattern})+", re.IGNORECASE)
"""What tells two structures of one noun apart."""
