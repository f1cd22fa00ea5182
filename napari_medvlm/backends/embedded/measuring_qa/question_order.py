"""Questions for an order: superlatives, ranks and which of several lies further."""

from __future__ import annotations

import re

from napari_medvlm.backends.embedded.measuring_qa.quantity_words import (
    FAMILY,
    GRAY,
    LENGTH,
    NEGATED,
    Parts,
    name_in,
    quantity_in,
)

_ORDINAL = r"(?:first|second|third|fourth|next|2nd|3rd|4th|last)[- ]"
_SUPERLATIVES = {
    "VOLUME": r"(?:larg|bigg|great|small)est|(?:most|least) voluminous|larger|bigger|smaller",
    "DIAMETER": r"(?:long|short)est|longer|shorter",
    "WIDTH": r"(?:wid|broad|narrow)est|wider|broader|narrower",
    "HEIGHT": r"tallest|taller",
    "INTENSITY": r"(?:bright|dark|dens)est|(?:most|least) (?:dense|bright|intense)|brighter|darker"
    r"|denser",
}
_SUPERLATIVE = "|".join(f"(?P<{name}>{words})" for name, words in _SUPERLATIVES.items())
_LONGER = r"longer|shorter|wider|narrower|broader|taller"
_END = r"(?:larg|bigg|small|bright|dens|dark|long)est"
_FURTHER = {
    "above": r"high(?:er|est)(?: up)?|(?:further|farther) up|(?:more|most) (?:superior"
    r"|cranial)(?:ly)?"
    r"|uppermost",
    "below": r"low(?:er|est)(?: down)?|(?:further|farther) down|(?:more|most) (?:inferior"
    r"|caudal)(?:ly)?"
    r"|lowermost",
    "anterior": r"(?:further|farther) (?:forward|in front)|(?:more|most) anterior(?:ly)?",
    "posterior": r"(?:further|farther) back|(?:more|most) (?:posterior|dorsal)(?:ly)?",
    "left": r"(?:fur|far)the(?:r|st) (?:to the )?left|more (?:to the )?left|leftmost",
    "right": r"(?:fur|far)the(?:r|st) (?:to the )?right|more (?:to the )?right|rightmost",
    "lateral": r"(?:fur|far)the(?:r|st) (?:away )?from the midline|(?:more|most) lateral(?:ly)?",
    "medial": r"(?:near|clos)e(?:r|st) to the midline|(?:more|most) medial(?:ly)?",
}
_LIES = r"(?:lies?|sits?|is (?:located|positioned|situated)|is|are)"


def ranked(text: str) -> Parts | None:
    """As "rank the ventricles by volume", "sort the lesions from largest to smallest"."""
    match = re.fullmatch(
        rf"(?:please )?(?:rank|order|sort|list|arrange|put) {FAMILY}"
        r"(?: (?:by|in order of|according to) (?:their )?(?P<by>[\w ]+?))?"
        rf"(?:,? (?:from )?{_END} to {_END}|,? (?:de|a)scending)?",
        text,
    )
    if match is None or NEGATED.search(text):
        return None
    quantity, rest = quantity_in(match["by"] or "", ("VOLUME", "INTENSITY", "DIAMETER", ""))
    if rest not in ("", "size") or not (match["by"] or "est to" in text):
        return None
    return Parts("RANK", (name_in(match["a"]),), quantity or "VOLUME")


def superlative(text: str) -> Parts | None:
    """As "the biggest of the four ventricles", "which lesion has the largest diameter"."""
    if NEGATED.search(text) or re.search(rf"{_ORDINAL}(?:{_SUPERLATIVE})", text):
        return None
    text = re.sub(
        r"\b(?:holds?|contains?|has|have|takes? up|fills?) (?:the )?(?P<w>most|least)"
        r"(?: volume| space| fluid)?$",
        lambda match: "is the largest" if match["w"] == "most" else "is the smallest",
        text,
    )
    matches = list(re.finditer(rf"\b(?:{_SUPERLATIVE})\b", text))
    if len(matches) != 1:
        return None
    word, quantity = matches[0][0], matches[0].lastgroup or ""
    which = r"(?:(?:what|which|who)(?: one)?(?: is| are)? )?(?:name |show (?:me )?|state |give )?"
    asked = (
        rf"{which}(?:the )?{word} {FAMILY}",
        rf"(?:which|what)(?: one)? (?:of (?:the )?)?{FAMILY} (?:is|are) (?:the )?{word}"
        r"(?: one| in volume)?",
        rf"of {FAMILY},? (?:which|what)(?: one)? is (?:the )?{word}(?: one)?",
    )
    closed = re.fullmatch(
        rf"(?:is|are) (?:the )?(?P<b>.+?) (?:the )?{word}(?: of (?:the )?(?:two|all))?"
        r"(?: ones?| (?P<a>.+))?",
        text,
    )
    if closed is not None:
        group = closed["a"] or re.sub(r"\b(?:left|right|\d+)\b", "", closed["b"])
        return Parts("EXTREME", (name_in(group), name_in(closed["b"])), quantity, word=word)
    for pattern in asked:
        match = re.fullmatch(pattern, text)
        if match is not None and not re.match(rf"(?:{LENGTH}|{GRAY}|volume)\b", match["a"]):
            return Parts("EXTREME", (name_in(match["a"]),), quantity, word=word)
    match = re.fullmatch(
        rf"(?:which|what)(?: one)? (?:of (?:the )?)?{FAMILY} (?:has|with) the {word} (?P<q>.+)",
        text,
    )
    if match is None or quantity != "VOLUME":
        return None
    named, rest = quantity_in(match["q"], ("WIDTH", "HEIGHT", "DEPTH", "VOLUME", "DIAMETER"))
    return (
        Parts("EXTREME", (name_in(match["a"]),), named, word=word) if named and not rest else None
    )


def longer(text: str) -> Parts | None:
    """As "is the left kidney longer than the right", "which is wider, A or B"."""
    match = re.fullmatch(
        rf"(?:(?P<closed>is|are) (?P<a>.+?) (?P<w>{_LONGER}) than (?:that of )?(?P<b>.+)"
        rf"|which (?:one )?is (?:the )?(?P<v>{_LONGER}),? (?P<c>.+?),? or (?P<d>.+))",
        text,
    )
    if match is None or NEGATED.search(text):
        return None
    word = match["w"] or match["v"]
    quantity = next(name for name, words in _SUPERLATIVES.items() if re.fullmatch(words, word))
    named = (match["a"] or match["c"], match["b"] or match["d"])
    return Parts("RANK", tuple(map(name_in, named)), quantity, word=word if match["w"] else "")


def further(text: str) -> Parts | None:
    """As "which kidney lies lower", "which of the thalami is further to the left"."""
    for relation, words in _FURTHER.items():
        match = re.fullmatch(
            rf"(?:which|what)(?: one)? (?:of )?(?:the )?{FAMILY} {_LIES} (?:the )?(?P<w>{words})"
            r"(?: (?:one|of the two))?"
            rf"|(?:which|what)(?: one)? {_LIES} (?:the )?(?P<v>{words}),? (?P<b>.+? or .+)",
            text,
        )
        if match is None or (
            match["w"] in ("higher", "lower") and re.search(r"\bis lower|\bis higher", text)
        ):
            continue
        named = [match["a"]] if match["a"] else re.split(r",? or ", match["b"])
        return Parts("FURTHER", tuple(map(name_in, named)), word=relation)
    return None
