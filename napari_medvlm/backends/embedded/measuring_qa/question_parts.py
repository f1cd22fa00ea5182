"""Questions by their parts: limits, superlatives, slices, what is left out, comparatives of place.

A part such as "more than 3 cm" is taken out of the question; every word of the rest must be an
auxiliary, the word of one quantity, or part of the name of what is asked about. A name that nothing
has is refused later, so a word that is not understood leads to a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from napari_medvlm.backends.embedded.measuring_qa.quantity_words import (
    ARTICLES,
    AUXILIARY,
    NEGATED,
    QUANTITIES,
    Parts,
    name_in,
    quantity_in,
)
from napari_medvlm.backends.embedded.measuring_qa.question_limits import limit_in
from napari_medvlm.backends.embedded.measuring_qa.question_order import (
    further,
    longer,
    ranked,
    superlative,
)
from napari_medvlm.backends.embedded.measuring_qa.question_words import FILLERS

_LIMITED: dict[str, tuple[str, ...]] = {
    "mL": ("VOLUME",),
    "HU": ("INTENSITY",),
    "mm": ("WIDTH", "HEIGHT", "DEPTH", "DIAMETER"),
}
_COMPARED = {"wide": "WIDTH", "tall": "HEIGHT", "high": "HEIGHT", "long": "DIAMETER"}

_QUANTIFIER = re.compile(
    r"^(?:(?P<all>both|all|each|every)|(?P<any>either|any|one|some))\b(?: one)?(?: of)?(?: the)? "
)
_ASKED = re.compile(
    r"^(?:please )?(?:(?:give|state|name|tell|show|report|provide|find|list(?! .* (?:by|from)\b))"
    r"(?: me| us)? )(?:the )?"
)
_SPAN = (
    r"(?:spans?|covers?|occup(?:y|ies)|extends?|takes? up|fills?|appears?|runs?|reach(?:es)?|lies?"
    r"|stretch(?:es)?|shows? up|includes?|contains?|involves?|intersects?|crosse?s?|go(?:es)?|be"
    r"|seen|visible|found|present|shown|displayed|depicted|located|over|across|on|in|up|through|depicts?"
    r"|shows?|holds?)"
)
_SLICES = (
    r"(?:(?P<plane>axial|transverse|transaxial|coronal|sagittal) )?(?:slices?|sections?|cuts?)"
)


_IMAGE = re.compile(r"\b(?:voxels?|pixels?|images?|scans?|volume|slices?)\b")
_ENDS = (
    r"(?:first and (?:the )?last|first|last|top and bottom|top|bottom|uppermost|lowermost|lowest"
    r"|highest|most (?:cranial|caudal)|(?P<middle>middle|mid|midpoint|cent(?:re|er)|central))"
)
_UNIT_WISHED = re.compile(
    r",? in (?:(?P<ml>ml|cc|millilit(?:re|er)s?)|[cm]m|hu|hounsfield units|per ?cent|%"
    r"|(?:centi|milli)met(?:re|er)s?)$"
)


def by_parts(question: str) -> Iterator[Parts]:
    """Every way in which a question is read by its parts, the most likely first."""
    text = " ".join(question.lower().split()).strip(" ?.!")
    text = re.sub(r"^(what|which|where|how)['\u2019]s\b", r"\1 is", text)
    text = re.sub(r"(?<=\w)['\u2019]s\b", "", text)
    text = _UNIT_WISHED.sub(lambda m: " volume" if m["ml"] and "volume" not in text else "", text)
    text = _ASKED.sub("", text)
    for reader in _READERS:
        parts = reader(text)
        if parts is not None:
            yield parts


def _limited(text: str) -> Parts | None:
    """As "is the spleen longer than 12 cm", "how many lesions are below 1 mL"."""
    stated = limit_in(text)
    if stated is None or NEGATED.search(stated.rest):
        return None
    rest, hint = stated.rest, _COMPARED.get(stated.dimension, "")
    quantity, rest = quantity_in(rest, (*_LIMITED[stated.limit.unit], ""))
    if hint and quantity and hint != quantity:
        return None
    default = "DIAMETER" if stated.limit.unit == "mm" else _LIMITED[stated.limit.unit][0]
    quantity = quantity or hint or default
    if quantity not in _LIMITED[stated.limit.unit]:
        return None
    asked = re.match(r"(?P<how>how many|which|what)(?: of)?(?: the)? (?P<a>.+)", rest)
    if asked is not None:
        thing, word = name_in(asked["a"]), "count" if asked["how"] == "how many" else "which"
        return Parts("ABOVE", (thing,), quantity, stated.limit, word) if thing else None
    if re.match(r"(?:how|where|when|why|who|compare|rank|list|is (?:it|this)\b)", rest):
        return None
    word = "any" if re.match(r"(?:is|are) there ", rest) else ""
    rest = ARTICLES.sub("", AUXILIARY.sub("", rest))
    quantifier = _QUANTIFIER.match(f"{rest} ")
    if quantifier is not None:
        word = "all" if quantifier["all"] else "any"
        rest = rest[quantifier.end() :]
    thing = name_in(rest)
    return Parts("LIMIT", (thing,), quantity, stated.limit, word) if thing else None


def _left_out(text: str) -> Parts | None:
    """As "liver volume without the lesions", "the ventricles other than the fourth: volume"."""
    split = re.split(
        r"[,:]? ?\b(?:without|except(?: for)?|excluding|other than|apart from|minus|not (?:counting"
        r"|including)|but(?: not)?|less)\b(?! than)(?: the)? ",
        text,
    )
    if len(split) != 2 or NEGATED.search(f"{split[0]} {split[1]}"):
        return None
    quantity, whole = quantity_in(split[0], ("VOLUME", ""))
    other, rest = quantity_in(split[1], ("VOLUME", ""))
    if not (quantity or other) or AUXILIARY.match(whole):
        return None
    whole = re.sub(r"^(?:what|how (?:much|large|big|many \S+)) ?(?:is|are|does|do)? ?", "", whole)
    whole = re.sub(r"\b(?:total|combined|overall|everything in|whole|entire)\b ?", "", whole)
    things = (name_in(whole), name_in(rest))
    return Parts("WITHOUT", things) if all(things) else None


def _compared(text: str) -> Parts | None:
    """As "compare the HU of liver and spleen", "contrast the kidneys in length"."""
    versus = r"(?:versus|vs\.?|compared (?:to|with)|in comparison (?:to|with)|against)"
    match = re.fullmatch(rf"(?:compare|contrast) (?P<a>.+)|(?P<b>.+ {versus} .+)", text)
    if match is None or NEGATED.search(text) or AUXILIARY.match(text):
        return None
    asked = re.sub(r"\b(?:that|those) of\b", "", match["a"] or match["b"])
    quantity, rest = quantity_in(asked, tuple(name for name, _ in QUANTITIES))
    rest = re.sub(r"^(?:what|how) (?:is|are)\b", "", rest)
    rest = re.sub(rf"\b(?:in|by|to|with|{versus})(?!\w)", "and", f"{rest} ")
    things = [name_in(part) for part in re.split(r"\band\b", rest)]
    named = tuple(filter(None, things))
    if not quantity or not 1 <= len(named) <= 2:
        return None
    if quantity in ("VOLUME", "INTENSITY"):
        return Parts("LARGER" if quantity == "VOLUME" else "BRIGHTER", named)
    return Parts("RANK", named, quantity)


def _single(text: str) -> Parts | None:
    """As "splenic length, craniocaudal": one quantity and one name, in any order."""
    if NEGATED.search(text) or AUXILIARY.match(text):
        return None
    quantity, rest = quantity_in(text, tuple(name for name, _ in QUANTITIES))
    words = re.sub(r"[,:]|[-\u2013] ", " ", rest).split()
    thing = " ".join(word for word in words if not FILLERS.fullmatch(word))
    if not quantity or not thing or re.search(r"\b(?:and|or|than|versus|vs|from|between)\b", rest):
        return None
    return Parts(quantity, (thing,), quantity, is_certain=False)


def _extents(text: str) -> Parts | None:
    """As "the dimensions of lesion 1", "lesion 1: size in three planes"."""
    size = r"(?:dimensions|measurements|extents|three diameters|size in (?:three|all|3) \w+)"
    match = re.fullmatch(
        rf"(?:what (?:is|are) )?(?:the )?{size} of (?P<a>.+)|(?P<b>.+?)[:,]? {size}", text
    )
    if match is None or _IMAGE.search(text) or NEGATED.search(text):
        return None
    return Parts("DIMENSIONS", (name_in(match["a"] or match["b"]),))


def _in_slices(text: str) -> Parts | None:
    """As "how many slices does the liver span", "from which slice to which slice does it run"."""
    if NEGATED.search(text):
        return None
    which = r"(?:which|what)"
    asked = (
        rf"how many {_SLICES} (?:does|do|is|are|can) (?P<a>.+?)(?: {_SPAN})+",
        rf"how many {_SLICES} (?:{_SPAN} )+(?P<a>.+)",
        rf"(?:the )?number of {_SLICES} (?:that |which )?(?:of|with|showing|containing|{_SPAN}"
        r"|occupied by|covered by) (?P<a>.+)",
        rf"(?:(?:what|which) is )?(?:the )?{_ENDS} {_SLICES}(?: number)? "
        r"(?:of|with|showing|containing) (?P<a>.+)",
        rf"how many {_SLICES} (?:thick|tall|high|long) (?:is|are) (?P<a>.+)",
        rf"(?:over|across|through|on|in) how many {_SLICES} (?:does|do|is|are|can) (?P<a>.+?)"
        rf"(?: {_SPAN})+",
        rf"(?:from )?{which} {_SLICES} (?:to|through|until) {which} slices? (?:does|do|is|are) "
        rf"(?P<a>.+?)(?: {_SPAN})*",
        rf"(?:on|in|at|over|across|through)? ?{which} {_SLICES}(?: number)? (?:does|do|is|are|can) "
        rf"(?P<a>.+?)(?: {_SPAN})*",
        rf"{_SLICES} (?:of|with|showing|containing|spanned by|covered by) (?P<a>.+)",
        rf"(?:where|on {which} slices?|at {which} slices?) (?:does|do) (?P<a>.+?) "
        r"(?:start|begin)(?: and (?:end|stop|finish))?",
    )
    for pattern in asked:
        match = re.fullmatch(pattern, text)
        if match is None:
            continue
        thing = name_in(match["a"])
        centre = re.match(r"(?:cent(?:re|er)|middle|midpoint) of (?:the )?(.+)", thing)
        named = match.groupdict()
        word = "centre" if centre or named.get("middle") else ""
        return Parts(
            "SLICES", (centre[1] if centre else thing,), word=word, plane=named.get("plane") or ""
        )
    return None


_READERS: tuple[Callable[[str], Parts | None], ...] = (
    _limited,
    _left_out,
    _compared,
    _extents,
    _in_slices,
    ranked,
    longer,
    superlative,
    further,
    _single,
)
