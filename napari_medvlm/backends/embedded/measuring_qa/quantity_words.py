"""Words of quantities and names in questions, and a question by its parts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from napari_medvlm.backends.embedded.measuring_qa.question_limits import Limit


@dataclass(frozen=True)
class Parts:
    """A question by its parts.

    Parameters
    ----------
    form, quantity
        Names of `QuestionForm`: what is asked, and what is measured for it.
    things
        What it is about, in its own words.
    limit
        What it compares with.
    word
        The superlative, relation or quantifier of the question.
    plane
        The plane of the slices that it is about.
    is_certain
        Whether its wording is known; otherwise it has the words of one quantity, in any order.
    """

    form: str
    things: tuple[str, ...]
    quantity: str = "VOLUME"
    limit: Limit | None = None
    word: str = ""
    plane: str = ""
    is_certain: bool = True


GRAY = (
    r"(?:signal )?intensit(?:y|ies)|signal|densit(?:y|ies)|attenuation|brightness|hu"
    r"|hounsfield (?:units?|values?)|ct (?:numbers?|values?)|gr[ae]y (?:levels?|values?)|dense"
    r"|bright"
)
_LOWEST = r"(?:min(?:imum|imal)?|lowest)"
_HIGHEST = r"(?:max(?:imum|imal)?|highest)"
_ACROSS = r"transverse(?:ly)?|across|left[ -]to[ -]right|right[ -]to[ -]left|side[ -]to[ -]side"
_BACK = r"ap|antero-?posterior(?:ly)?|front[ -]to[ -]back|back[ -]to[ -]front"
_UP = (
    r"cranio-?caudal(?:ly)?|vertical(?:ly)?|top[ -]to[ -]bottom|superior-inferior"
    r"|head[ -]to[ -]foot"
)
LENGTH = r"diameter|length|extent|dimension|size|span|measurement|long|large|big"
QUANTITIES = (
    ("WIDTH", rf"width|breadth|wide|broad|(?:from )?(?:{_ACROSS})"),
    ("HEIGHT", rf"height|tall|high|(?:from )?(?:{_UP})"),
    ("DEPTH", rf"(?:from )?(?:{_BACK})"),
    (
        "RANGE",
        rf"(?:(?:(?:{GRAY}) )?{_LOWEST} (?:and|to) (?:the )?{_HIGHEST}|peak|{_LOWEST}|{_HIGHEST})"
        rf" (?:{GRAY})|(?:{GRAY}) range|range (?:of|in) (?:{GRAY})|{_LOWEST} and {_HIGHEST}",
    ),
    (
        "INTENSITY",
        rf"(?:(?:mean|average) )?(?:{GRAY})|on average|mean|average"
        "|(?:and )?(?:sd|std|standard deviation)",
    ),
    ("VOLUME", r"volumes?|capacity|in volume|voluminous"),
    ("DIAMETER", r"(?:(?:long|larg|great)est |maxim(?:um|al) )?diameter|length|long"),
)
"""Words of quantities, by the names of their forms; the first that fits decides."""
NEGATED = re.compile(
    r"\b(?:not|no|nor|neither|none|never|without|except|excluding|outside|other than|apart from"
    r"|minus|but|besides)\b|n['\u2019]t\b"
)
AUXILIARY = re.compile(
    r"^(?:(?:is|are|was|were|do|does|did|has|have|can|could|would|will) (?:there )?)", re.IGNORECASE
)
"""Words that leave something out or deny it."""
ARTICLES = re.compile(r"^(?:(?:of|the|an?|these|those|this|in|has|have|is|are|measures?) )+")
_ENDING = re.compile(
    r"(?: (?:is|are|has|have|was|were|be|there|measures?|of|in|segmented|holds?|contains?"
    r"|reach(?:es)?|spans?|covers?))+$"
)
FAMILY = r"(?:of )?(?:all |both )?(?:the )?(?:(?:two|three|four|five|six|\d+) )?(?P<a>[^,]+?)"
"""A pattern of the name of several structures."""


def quantity_in(text: str, allowed: tuple[str, ...]) -> tuple[str, str]:
    """The quantity that words name, and the text without them; "" if it is none or not allowed."""
    for name, words in QUANTITIES:
        match = re.search(rf"\b(?:{words})\b", text)
        if match is None:
            continue
        if name not in allowed:
            return "", text
        rest = re.sub(rf"\b(?:{words})\b", " ", text)
        if name in ("WIDTH", "HEIGHT", "DEPTH"):
            rest = re.sub(rf"\b(?:{LENGTH})\b", " ", rest)
        return name, " ".join(rest.split())
    return "", text


def name_in(text: str) -> str:
    """A name without what stands around it."""
    text = " ".join(text.strip(" ,:").split())
    return _ENDING.sub("", ARTICLES.sub("", f"{text} ".lstrip()).strip()).strip(" ,:")
