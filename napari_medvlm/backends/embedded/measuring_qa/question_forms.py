"""The forms of question that can be answered by measuring, and what each is about.

Questions are recognised by their words, in English. A question of no such form is beyond: it is
never answered by the form that comes nearest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from napari_medvlm.backends.embedded.measuring_qa.question_wording import plain_wording


class QuestionForm(StrEnum):
    """Forms of questions; the values describe them to users."""

    MODALITY = "what kind of image it is"
    SPACING = "the size of a voxel"
    EXTENT = "the field of view"
    SHAPE = "how many slices there are"
    COUNT = "how many objects there are"
    LARGER = "which of two is larger, and by how much"
    EXTREME = "which of several is the largest or smallest"
    VOLUME = "the volume of something"
    SUM = "the volume of several together"
    DIAMETER = "the longest diameter of something"
    WIDTH = "how far something extends from right to left"
    DEPTH = "how far something extends from front to back"
    HEIGHT = "how far something extends from top to bottom"
    INTENSITY = "the mean intensity of something"
    RANGE = "the lowest and highest intensity of something"
    BRIGHTER = "which of two has the higher mean intensity"
    DISTANCE = "how far two things are apart"
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
    """

    form: QuestionForm
    things: tuple[str, ...] = ()
    index: tuple[int, int, int] | None = None


_PARTS = {
    "A": r"(?:the )?(?P<a>.+?)",
    "B": r"(?:the )?(?P<b>.+?)",
    "VOXEL": r"\(?(?P<z>\d+)\s*[,/ ]\s*(?P<y>\d+)\s*[,/ ]\s*(?P<x>\d+)\)?",
    "INDEX": r"(?:the )?(?:voxel |index |position )?",
    "BIG": r"(?:of )?(?:an? )?(?:larger|bigger|greater|smaller)(?: (?:one|volume|size))?",
    "MOST": r"(?P<b>largest|biggest|smallest)",
    "BRIGHT": r"(?:brighter|denser|darker|more intense)",
    "HOWMUCH": r"(?:(?: in (?:volume|size))?,? (?:and )?by how much)?",
    "THIS": r"(?:this|it)",
    "SCAN": r"(?:this |the )?(?:image|scan|volume|picture)",
    "SIDE": r"(?:the )?(?:left|right)(?: one| side| hemisphere)?",
    "ML": r"(?:ml|cc|cm3|cm³|millilit(?:re|er)s|cubic centimet(?:re|er)s)",
    "MM": r"(?:mm|cm|millimet(?:re|er)s|centimet(?:re|er)s)",
    "DET": r"(?:the |an? |one |each )?",
    "IN": r"(?:of|in|inside|within)",
    "HIGHEST": r"(?:maximum|maximal|highest|largest|minimum|minimal|lowest)",
    "PART": r"(?:percentage|share|portion|proportion|fraction)",
    "ASKING": r"(?:what|describe|is|are|how|why|show|tell|give|which|does)",
    "SIZE": r"(?:volumes?|sizes?|capacit(?:y|ies))",
    "TOGETHER": r"(?:together|combined|in total|in all|altogether)",
    "OUTLINED": r"(?:segmented|outlined|contoured|delineated|drawn|marked|annotated)",
    "FILLS": r"(?:take up|occupy|fill|cover|make up|account for|constitute)",
    "HOLD": r"(?:have|contain|hold|comprise)",
    "OFIT": r"(?: of (?:this |the )?(?:image|scan|volume|picture))?",
    "EACH": r"(?: (?:along|in) each (?:direction|axis|dimension))",
    "GRAY": r"(?:(?:signal )?intensity|density|attenuation|brightness|signal|hu(?: value)?|"
    r"ct number)",
    "SEGMENTED": r"(?:objects?|structures?|segmentations?|masks?|labels?)",
    "INSIDE": r"(?:in|inside(?: of)?|within|covered by|occupied by|taken up by)",
    "LOOKS": r"(?: (?:visible|seen|shown|present|located|appear))?",
}
_PATTERNS = """
AT        what (?:is|are|lies?|do (?:you|i|we) (?:find|see)) (?:there )?at INDEXVOXEL
AT        (?:what|which) SEGMENTED (?:is|are|lies?) at INDEXVOXEL
AT        (?:what|which) SEGMENTED (?:contains?|holds?|includes?) INDEXVOXEL
AT        what is the (?:GRAY|value) (?:at|of|in) INDEXVOXEL
MODALITY  what (?:kind|type|sort) of (?:image|scan|picture) is THIS
MODALITY  (?:what|which) (?:is the )?(?:imaging )?modality(?: is THIS| (?:is|was) used)?
MODALITY  (?:what|which) imaging (?:technique|method) (?:is|was) used
MODALITY  is THIS an? (?:ct|mri?|x-?ray|pet|ultrasound)(?: scan| image)?
SPACING   (?:what|how (?:large|big|thick)) (?:is|are) DET(?:single )?(?:voxels?|pixels?|slices?)
SPACING   what is the size of (?:the |an? |one )?(?:voxels?|pixels?)
SPACING   what is the (?:(?:voxel|pixel) (?:size|spacing)|slice thickness|spacing|resolution)OFIT
EXTENT    (?:what|how (?:large|big)) is (?:the |this )?(?:field of view|fov|image|scan)
EXTENT    what is the size of the (?:image|scan)
EXTENT    how many MM does (?:the )?(?:field of view|fov|image|scan) cover
SHAPE     how many (?:slices|voxels)(?: are there| does (?:THIS|SCAN) HOLD)?EACH?
SHAPE     (?:what is )?the (?:total )?number of (?:slices|voxels)(?: of SCAN)?
SHAPE     (?:what are )?(?:the )?dimensions of SCAN
SHAPE     what (?:matrix(?: size)?|dimensions) (?:has|have|does) SCAN(?: have)?
COUNT     how many SEGMENTED(?: (?:are|were|have been) \\w+)?
COUNT     (?:what|which SEGMENTED) (?:is|are|was|were|has been|have been) segmented
LARGER    which (?:one )?is BIG,? A,? or BHOWMUCH
LARGER    which (?:one of the )?A is (?:the )?BIG,? SIDE or SIDE
LARGER    (?:is|are|has|have|does) A (?:have )?BIG than BHOWMUCH
LARGER    (?:is|are) there more A than BHOWMUCH
LARGER    (?:does|do|has|have) A (?:have |FILLS )?(?:more|less) (?:SIZE|space) than BHOWMUCH
LARGER    (?:by )?how much BIG is A than B
LARGER    (?:by )?how much (?:does|do) A exceed B
LARGER    what is the (?:SIZE )?difference (?:in SIZE )?(?:between|of) A (?:and|to) B
LARGER    which (?:of the (?:two )?)?A (?:is|has) (?:the )?BIGHOWMUCH
LARGER    compare A (?:and|with|to) B
LARGER    how (?:does|do) A compare (?:with|to) B in SIZE
LARGER    are (?:the |both |the two )?A (?:equally (?:large|big)|of (?:the same|equal) SIZE)
SUM       (?:what is )?(?:the )?(?:total|combined|joint) SIZE of (?:both |all )?A and B
SUM       (?:what is )?(?:the )?(?:total|combined|joint) SIZE of A
SUM       (?:what is )?the sum of (?:the SIZE of )?A and B(?:['\u2019]s?)?(?: SIZE)?
SUM       (?:what is )?(?:the )?SIZE of A (?:together|combined|in total)
SUM       how (?:large|big) are A TOGETHER
SUM       how much (?:do|does) A (?:measure|FILLS) TOGETHER
SUM       (?:what|which) SIZE (?:do|does|have|has) A and B (?:have |FILLS )?TOGETHER
SUM       (?:what|which) SIZE (?:do|does|have|has) A (?:have |FILLS )?TOGETHER
SUM       (?:what is )?(?:the )?(?:sum|total) of (?:the )?SIZE of A
DIAMETER  what is the (?:(?:longest|largest|greatest|maximum|maximal) )?diameter of A
DIAMETER  what is the (?:longest|largest|greatest|maximum|maximal) (?:dimension|extent|axis) of A
DIAMETER  how long is A
WIDTH     how (?:wide|broad) is A(?: from (?:left to right|right to left|side to side))?
WIDTH     what is the (?:width|breadth|transverse (?:width|extent|diameter)) of A
DEPTH     how deep is A from front to back
DEPTH     what is the (?:ap (?:extent|diameter)|antero-?posterior (?:extent|diameter)) of A
HEIGHT    how (?:tall|high) is A(?: from (?:top to bottom|bottom to top|head to foot))?
HEIGHT    what is the (?:height|cranio-?caudal (?:extent|diameter|length)) of A
RANGE     what is the HIGHEST (?:GRAY|value) IN A
INTENSITY what is the (?:mean |average )?GRAY IN A
INTENSITY what is the (?:standard deviation|variation) of (?:the )?GRAY IN A
INTENSITY what (?:mean |average )?GRAY does A have
INTENSITY how (?:bright|dense) is A
EXTREME   (?:which|what) (?:is the )?MOST A
EXTREME   (?:which|what) A is (?:the )?MOST(?: one)?
EXTREME   how (?:large|big) is (?:the )?MOST A
BRIGHTER  (?:is|are|does|do) A (?:appear |look )?BRIGHT than B
BRIGHTER  which (?:one )?is BRIGHT,? A,? or B
DISTANCE  how far apart are (?:the )?two A
DISTANCE  how far apart are A and B
DISTANCE  how far (?:away )?is it from A to B
DISTANCE  how far (?:away )?(?:is|are) A (?:from|and|to) B(?: apart)?
DISTANCE  (?:what is )?(?:the )?distance (?:from|between|of) (?:both|(?:the )?two) A
DISTANCE  (?:what is )?(?:the )?distance (?:from|between|of) A (?:and|to|from) B
DISTANCE  how many MM (?:lie |are (?:there )?)between A and B
OVERLAP   (?:what|which (?:SEGMENTED|organs?)) (?:does|do) A (?:overlap|touch|cover)(?: with)?
OVERLAP   (?:what|which (?:SEGMENTED|organs?)) (?:does|do|is|are) A (?:lie )?INSIDE
SHARE     (?:what|which) PART of A (?:lies |is )(?:INSIDE )?B
SHARE     how much of A (?:lies |is )INSIDE B
SHARE     (?:what|which) PART of A(?: SIZE)? (?:does|do) B FILLS
VOLUME    (?:what (?:is|are) )?(?:the )?SIZE of A
VOLUME    how (?:large|big|voluminous) (?:is|are) A
VOLUME    (?:what|which) SIZE (?:does|do|has|have) A(?: have)?
VOLUME    how much A is there
VOLUME    how much A does (?:this|the) (?:brain|head|patient|image) have
VOLUME    how much (?:space|room|volume) (?:does|do) A (?:take up|occupy|fill|have)
VOLUME    what (?:amount|quantity|volume) of A is there
VOLUME    how many ML of A(?: (?:are|is) there)?
VOLUME    how many ML (?:is|are|has|have) A
VOLUME    how many ML (?:does|do) A (?:FILLS|measure|have|contain)
VOLUME    (?:what (?:is|are) )?(?:the )?ML of A
VOLUME    (?:what (?:is|are) )?(?!ASKING\\b)A SIZE
COUNT     how many A (?:are (?:there|OUTLINED)|(?:were|have been) OUTLINED)
WHERE     where (?:is|are|lies?) A
WHERE     (?:(?:on|in) )?(?:which|what) (?:side|hemisphere) (?:is|are|lies?) A(?: on| in)?
WHERE     (?:(?:on|in) )?(?:which|what) (?:side|hemisphere) does A lie(?: on| in)?
WHERE     (?:(?:on|in) )?(?:which|what) (?:side|hemisphere) (?:do|can) (?:we|i|you) (?:see|find) A
WHERE     (?:is|are) A (?:on|in) SIDE(?: or (?:on |in )?SIDE)?
SLICES    (?:in|on) which slices (?:is|are|does) ALOOKS
SLICES    which slices (?:show|contain|hold) A
PRESENT   (?:is|are) there (?:an? |any )?A
PRESENT   (?:is|are) (?:an? |any )?A there
PRESENT   can you see (?:an? |any )?A
SHARE     (?:is|are|does|do) A (?:lie |located )?INSIDE B
SHARE     (?:does|do) A overlap (?:with )?B
"""
"""A form and a pattern a line; words in capitals stand for `_PARTS`. The first that fits counts."""


def _compiled(line: str) -> tuple[QuestionForm, re.Pattern[str]]:
    name, pattern = line.split(maxsplit=1)
    names = "|".join(sorted(_PARTS, key=len, reverse=True))
    filled = re.sub(names, lambda match: _PARTS[match[0]], pattern)
    return QuestionForm[name], re.compile(filled, re.IGNORECASE)


_SIDES = re.compile(rf", {_PARTS['SIDE']} or {_PARTS['SIDE']}$", re.IGNORECASE)
_COMPILED = [_compiled(line) for line in _PATTERNS.strip().splitlines()]


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
        if groups.get("z") is None:
            return ParsedQuestion(form, things)
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
    r"^(?:(?:both|all|two|whole|entire|this|these) )+(?:of )?(?:the )?", re.IGNORECASE
)
"""Words that take all of what follows; "the left and right" is read by the names."""

_QUALIFIER = re.compile(
    r"\b(?:left|right|first|second|third|fourth|3rd|4th|upper|lower|anterior|posterior|one|the)\b\s*",
    re.IGNORECASE,
)
_QUALIFIERS = re.compile(rf"(?:{_QUALIFIER.pattern})+", re.IGNORECASE)
"""What tells two structures of one noun apart."""
