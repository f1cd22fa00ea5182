"""Questions by their words alone, in any order: for wordings that no pattern has.

Every word must be a word that asks for one quantity, a filler, or part of the name of what is
asked about. What is left over is taken for that name; a name that nothing has is refused later, so
a word that is not understood leads to a refusal. Only quantities that do not depend on the order
of two things are read here.
"""

from __future__ import annotations

import re

_ML = r"ml|cc|millilit(?:re|er)s?|cubic centimet(?:re|er)s?"
WORDS = {
    "VOLUME": rf"volumes?|sizes?|big|large|voluminous|{_ML}",
    "LARGER": r"bigger|larger|smaller|differ(?:s|ent|ence)?|compares?|compared|unequal",
    "SUM": r"total|overall|combined|altogether|together|sum",
    "DISTANCE": r"far apart|apart|distance|separation",
    "WHERE": r"where(?:abouts)?|location|located|position|situated",
    "INTENSITY": r"(?:mean |average )?(?:(?:signal )?intensity|signal|brightness|attenuation"
    r"|density|hu|hounsfield units?)|bright|dense|on average",
    "WIDTH": r"(?:left-to-right|right-to-left|side-to-side) (?:length|extent|size|dimension)",
    "DEPTH": r"(?:front-to-back|back-to-front|antero-?posterior) (?:length|extent|size|dimension)",
    "HEIGHT": r"(?:top-to-bottom|cranio-?caudal) (?:length|extent|size|dimension)",
    "SPACING": r"(?:slice|section) thickness|(?:voxel|pixel) (?:size|spacing)s?",
    "SHAPE": r"(?:image )?matrix(?: size)?|number of (?:slices|voxels)",
    "MODALITY": r"modality",
}
"""Words that ask for a quantity, by the name of its form."""
WITHOUT_THINGS = ("SPACING", "SHAPE", "MODALITY")
ALSO = {form: {"VOLUME"} for form in ("LARGER", "SUM", *WITHOUT_THINGS)}
ALSO["RANGE"] = {"INTENSITY"}
"""Quantities whose words may stand beside those of another."""
FILLERS = re.compile(
    r"an?|the|this|these|of|in|for|on|to|is|are|was|does|do|did|has|have|what|which|how|much|many|me|us"
    r"|you|i|we|can|could|would|will|please|give|show|tell|find|get|see|know|work|out|measured?"
    r"|determine|calculate|about|here|there|patient(?:'s)?|image|scan|used|exactly|roughly|lies?|than"
    r"|other|ones?|two|both"
)
"""Words without which a question asks for the same."""
_BETWEEN = re.compile(r"[,;:]|\b(?:and|or|than|versus|vs|with|from|between)\b", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:not|no|without|except|outside|other than)\b|n['\u2019]t\b", re.I)

_LIMITED = re.compile(r"[<>=\u2264\u2265]|\d ?(?:ml|cc|[cm]m[3\u00b3]?|hu|l|%)\b")
"""A value that a question compares with."""
_JUDGED = re.compile(r"(?:is|are|was|were|do|does|did|has|have)\b")
"""A question for yes or no, such as "Is the liver large?", is none for a quantity."""


def by_words(question: str) -> tuple[str, tuple[str, ...]] | None:
    """The name of the form that a question asks for and the things that it is about.

    Returns
    -------
    `None` if its words ask for no quantity, for several, or are about too few or many things.
    """
    text = " ".join(question.lower().split()).strip(" ?.!")
    if _NEGATED.search(text) or _LIMITED.search(text):
        return None
    held = {form for form, words in WORDS.items() if re.search(rf"\b(?:{words})\b", text)}
    forms = [form for form in held if held - {form} <= ALSO.get(form, set[str]())]
    if len(forms) != 1:
        return None
    form = forms[0]
    if form != "LARGER" and _JUDGED.match(text):
        return None
    for name in sorted(held):
        text = re.sub(rf"\b(?:{WORDS[name]})\b", " ", text)
    things = tuple(filter(None, map(_thing, _BETWEEN.split(text))))
    if form in WITHOUT_THINGS:
        return (form, ()) if not things else None
    most = 2 if form in ("LARGER", "DISTANCE") else 1
    return (form, things) if 1 <= len(things) <= most else None


def _thing(text: str) -> str:
    """Words without the fillers at their ends and between them."""
    return " ".join(word for word in text.split() if not FILLERS.fullmatch(word))
