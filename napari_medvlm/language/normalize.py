"""A phrase or a name as bare words: one case, one number, no articles, and its sides apart.

"the Left Kidneys", "kidney_left" and "Left-Kidney" become the word "kidney" on the left side.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache


class Side(Enum):
    """The side of the patient."""

    LEFT = "left"
    RIGHT = "right"


SIDES = {
    **dict.fromkeys(("left", "l", "lt", "lh", "li", "links", "linke", "linken"), Side.LEFT),
    **dict.fromkeys(("linker", "linkes", "linkem", "gauche", "sinister"), Side.LEFT),
    **dict.fromkeys(
        ("sinistra", "sinistrum", "sin", "sinistral", "lefthand", "leftsided"), Side.LEFT
    ),
    **dict.fromkeys(("right", "r", "rt", "rh", "re", "rechts", "rechte", "rechten"), Side.RIGHT),
    **dict.fromkeys(("rechter", "rechtes", "rechtem", "droite", "droit", "dexter"), Side.RIGHT),
    **dict.fromkeys(
        ("dextra", "dextrum", "dext", "dextral", "righthand", "rightsided"), Side.RIGHT
    ),
}
"""Words, and the abbreviations in names of structures, that say a side."""

_BOTH = {"both", "bilateral", "bilaterally", "beide", "beider", "beiden", "beidseits", "bilateraux"}
_FILLERS = {
    *(
        "the",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "and",
        "or",
        "side",
        "sides",
        "sided",
        "with",
        "within",
        "all",
    ),
    *("der", "die", "das", "des", "dem", "den", "und", "im", "vom", "seite", "alle", "aller"),
    *("le", "la", "les", "du", "de", "et", "cote", "deux", "tous", "toutes"),
}
_NUMBERS = {
    **{
        word: str(number)
        for number, word in enumerate(
            (
                "first",
                "second",
                "third",
                "fourth",
                "fifth",
                "sixth",
                "seventh",
                "eighth",
                "ninth",
                "tenth",
                "eleventh",
                "twelfth",
            ),
            start=1,
        )
    },
    "gray": "grey",
    "nucl": "nucleus",
    "gyr": "gyrus",
    "ventr": "ventricle",
    "sup": "superior",
    "inf": "inferior",
    "ant": "anterior",
    "post": "posterior",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
}
_GREEK = ("metastasis", "stenosis", "thrombosis", "atelectasis", "bronchiectasis", "anastomosis")
_IRREGULAR = {
    "apices": "apex",
    "cortices": "cortex",
    "femora": "femur",
    "testes": "testis",
    "crura": "crus",
    "foramina": "foramen",
    "ganglia": "ganglion",
    "bronchi": "bronchus",
    "pelves": "pelvis",
    "diverticula": "diverticulum",
    "atria": "atrium",
    "feet": "foot",
    "hila": "hilum",
    "ilia": "ilium",
    "septa": "septum",
    **{word[:-2] + "es": word for word in _GREEK},
}
_ENDINGS = (
    ("ies", "y"),
    ("ae", "a"),
    ("aces", "ax"),
    ("sses", "ss"),
    ("uses", "us"),
    ("xes", "x"),
    ("ches", "ch"),
    ("mina", "men"),
    ("cula", "culum"),
    ("ungen", "ung"),
    ("rales", "ralis"),
    ("tales", "talis"),
    ("eaux", "eau"),
    ("yaux", "yau"),
    ("aux", "al"),
    ("s", ""),
)


@dataclass(frozen=True, slots=True)
class Words:
    """What a phrase says, in no order.

    Attributes
    ----------
    words
        Its words in the singular, lower case and without accents.
    numbers
        Words with a digit: "l1" of "vertebra L1", "3" of "third ventricle".
    sides
        The sides that it names; both for "both" and "bilateral", none if it names none.
    """

    words: frozenset[str]
    numbers: frozenset[str]
    sides: frozenset[Side]


@lru_cache(maxsize=16_384)
def words_of(text: str) -> Words:
    """The words of a phrase or of a name with ``_``, ``-`` or camelCase."""
    listed = split(text)
    sides = frozenset(SIDES[word] for word in listed if word in SIDES)
    rest = (singular(word) for word in listed if not _is_small(word))
    return sorted_out(rest, frozenset(Side) if _BOTH.intersection(listed) else sides)


def sorted_out(words: Iterable[str], sides: frozenset[Side] = frozenset()) -> Words:
    """Bare words with those that have a digit separated from the others."""
    rest = frozenset(words)
    numbers = frozenset(word for word in rest if any(map(str.isdigit, word)))
    return Words(rest - numbers, numbers, sides)


def split(text: str) -> list[str]:
    """The words in the order of the text, in lower case and without accents; ordinals as digits.

    A capital between small letters begins a word: "LeftKidney" is two.
    """
    apart = re.sub(r"(?<=[^\W\d_A-Z]{2})(?=[A-Z][a-z])", " ", text)
    plain = unicodedata.normalize("NFKD", apart.casefold())
    bare = "".join(c for c in plain if not unicodedata.combining(c))
    bare = re.sub(r"^(?:the )?(?:two|pair of)\s+(?:the )?", "both ", bare)
    bare = re.sub(r"\b(?:of|in) the (left|right) hemisphere$", r"\1", bare)
    bare = re.sub(r"\b(?:no\.|number) (?=\d)", "", bare)
    bare = re.sub(r"\b(?:(?:of|on|at|in) )?(?:either|each) (?:side|hemisphere)$", "both", bare)
    bare = re.sub(r"\b(left|right)[ -](?:hand|sided)\b", r"\1", bare)
    bare = re.sub(r"\b(left|right) hemisphere['\u2019]s ", r"\1 ", bare)
    bare = re.sub(r", (left|right) half$", r" \1", bare)
    bare = re.sub(r"\b(?:which|that) (?:is|are|lies?|sits?) (?=(?:on|at|in)\b)", "", bare)
    unelided = re.sub(r"\b[ld]['\u2019](?=\w)|(?<=\w)['\u2019]s\b", "", bare)
    listed = re.findall(r"[^\W_]+", re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", r"\1", unelided))
    return [_NUMBERS.get(word, word) for word in listed]


def listed_names(text: str) -> list[str]:
    """The names that a text lists with "and", each with its side.

    A side that follows the last name ("on the left", "both sides"), or stands before the first
    alone ("left putamen and caudate"), is given to all. A list in which only others have a side
    is not taken apart: the text alone comes back.
    """
    common = _COMMON_SIDE.search(text)
    listed = text[: common.start()] if common else text
    names = re.split(r",?\s+(?:and|plus|as well as|&)\s+(?:the\s+)?|,\s*(?:the\s+)?", listed)
    if not all(names):
        return [text]
    if common:
        return [f"{common['side']} {name}" for name in names]
    sided = [bool(words_of(name).sides) for name in names]
    first = _FIRST_SIDE.match(listed)
    if first is not None and not any(sided[1:]) and not re.search(r"\bthe\b", listed[3:]):
        return [names[0], *(f"{first['side']} {name}" for name in names[1:])]
    return names if len(set(sided)) == 1 else [text]


_FIRST_SIDE = re.compile(r"(?:the )?(?P<side>left|right|both|l|r|lt|rt)\.? ", re.IGNORECASE)
"""The side of all names of a list, before it."""


_COMMON_SIDE = re.compile(
    r"(?:,?\s+(?:on|of|at) (?:the )?|,\s*)(?P<side>left|right|both)(?: sides?| hemispheres?)?$",
    re.IGNORECASE,
)
"""The side of all names of a list, behind it."""


def singular(word: str) -> str:
    """A word without its plural: by rule, so that both numbers of a word come out the same.

    Latin ones too: "vertebrae", "hippocampi". What comes out need not be a word.
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            return word.removesuffix(ending) + instead
    return word[:-1] + "us" if word.endswith("i") else word


def _is_small(word: str) -> bool:
    return word in _FILLERS or word in SIDES or word in _BOTH
