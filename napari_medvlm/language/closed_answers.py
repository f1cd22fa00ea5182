"""What a model chose, where there was something to choose: an option, yes or no, a number.

What is not said plainly is not guessed: then there is no choice, and a sentence says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from napari_medvlm.language.negation import denied

NUMBERS = {
    word: number
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}
"""English number words."""

_WORD = re.compile(r"(?<![\w./,-])(?:\d{1,2}(?![\w%]|[.,/:x-]\d|-\w)|[^\W\d][\w-]*+)")
_NAMED_BY_NUMBER = frozenset(
    {
        *("image", "images", "picture", "figure", "slice", "slices", "grade", "level", "levels"),
        *("stage", "phase", "zone", "segment", "segments", "rib", "series", "page", "type"),
    }
)
_NO_THINGS = frozenset(
    {
        *("mm", "cm", "ml", "is", "was", "has", "shows", "this", "thus", "slices", "images"),
        *("pictures", "views", "times", "days", "weeks", "months", "years", "hours", "thirds"),
        *("sides", "lungs", "lobes", "hounsfield", "units", "various", "series", "focus"),
    }
)
_BREAKS = frozenset({"of", "and", "or", "to", "in", "on", "at", "the", "x", "by", "with"})
_REACH = 4


class Counted(NamedTuple):
    """A number of things, and the words that say it."""

    number: int
    words: str


def counted(sentence: str) -> Counted | None:
    """The number of things that an English sentence says; `None` if it says none, or several.

    One thing is not counted, nor are measures, dates and the numbers of slices.
    """
    found = list(_WORD.finditer(sentence))
    words = [match.group().casefold() for match in found]
    counts = []
    for index, word in enumerate(words):
        number = int(word) if word.isdecimal() else {**NUMBERS, "both": 2}.get(word, 0)
        named = index and words[index - 1] in _NAMED_BY_NUMBER
        last = _things(words, index + 1)
        if number > 1 and not named and last is not None:
            counts.append(Counted(number, sentence[found[index].start() : found[last].end()]))
    return counts[0] if len(counts) == 1 else None


def _things(words: list[str], start: int) -> int | None:
    """Where the noun in the plural stands that a number belongs to."""
    for index in range(start, min(start + _REACH, len(words))):
        word = words[index]
        if word in _BREAKS or word in _NO_THINGS or word.isdecimal():
            return None
        if len(word) > 3 and word.endswith(("s", "ae", "foci")) and not word.endswith(("ss", "us")):
            return index
    return None


YES = {
    "English": ("yes", "yeah", "yep"),
    "German": ("ja",),
    "French": ("oui",),
    "Spanish": ("s\u00ed", "si"),
    "Italian": ("s\u00ec",),
    "Portuguese": ("sim",),
    "Scandinavian": ("ja", "jo"),
    "Finnish": ("kyll\u00e4",),
    "Polish": ("tak",),
    "Czech": ("ano",),
    "Russian": ("\u0434\u0430",),
    "Ukrainian": ("\u0442\u0430\u043a",),
    "Greek": ("\u03bd\u03b1\u03b9",),
    "Turkish": ("evet",),
    "Arabic": ("\u0646\u0639\u0645",),
    "Hindi": ("\u0939\u093e\u0901", "\u0939\u093e\u0902"),
    "Chinese": ("\u662f\u7684", "\u662f", "\u6709"),
    "Japanese": ("\u306f\u3044",),
    "Korean": ("\ub124", "\uc608"),
}
"""Words for yes, by language; Dutch and the Scandinavian languages share those of others."""

NO = {
    "English": ("no", "nope"),
    "German": ("nein",),
    "French": ("non",),
    "Spanish": ("no",),
    "Portuguese": ("n\u00e3o",),
    "Dutch": ("nee",),
    "Scandinavian": ("nej", "nei"),
    "Finnish": ("ei",),
    "Polish": ("nie",),
    "Czech": ("ne",),
    "Russian": ("\u043d\u0435\u0442",),
    "Ukrainian": ("\u043d\u0456",),
    "Greek": ("\u03cc\u03c7\u03b9",),
    "Turkish": ("hay\u0131r",),
    "Arabic": ("\u0644\u0627",),
    "Hindi": ("\u0928\u0939\u0940\u0902",),
    "Chinese": ("\u4e0d\u662f", "\u6ca1\u6709", "\u5426", "\u4e0d"),
    "Japanese": ("\u3044\u3044\u3048",),
    "Korean": ("\uc544\ub2c8\uc694", "\uc544\ub2c8\uc624"),
}
"""Words for no, by language."""

_READ = 2000
"""Of a text, so many characters are searched for denials."""
_MARKUP = re.compile(r"[*_`#>\"]+")
_SAID = re.compile(
    r"(?:final answer|correct answer|answer|choice|option|letter)(?:\s+(?:is|would be))?[\s:=]*"
    r"(?:option\s+)?\(?(?P<letter>[A-Z])(?![\w'])\)?",
    re.IGNORECASE,
)
_FIRST = re.compile(r"\s*(?:option\s+)?(?:\((?P<a>[A-Za-z])\)|(?P<b>[A-Z])\s*(?:[).:,-]|\Z|\n)"
                    r"|(?P<c>[a-z])\s*(?:[).:]|\Z))\s*")  # fmt: skip
_ANSWER = re.compile(r"\s*(?:(?:final |the )?answer(?: is)?\s*[:=]?\s*)", re.IGNORECASE)
_SPACELESS = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_AFTER = re.compile(r"\s*(?:\Z|[^\w\s]|\n|(?:there|it|this|the|i|we|they)\b)", re.IGNORECASE)
_COUNT = re.compile(
    r"(?<![\w.,-])(?P<number>\d{1,4}|" + "|".join(NUMBERS) + r")(?![\w%]|[.,]\d|-\w"
    r"|\s*(?:mm|cm|ml|hu|years?|%|x\s*\d))",
    re.IGNORECASE,
)
_NONE = re.compile(r"\s*(?:none|zero|no|there (?:is|are) (?:no|none))\b", re.IGNORECASE)


class Chosen(NamedTuple):
    """What was chosen; empty if that cannot be read, and then the note says why."""

    choice: str
    note: str = ""


def option_in(text: str, options: Sequence[str]) -> Chosen:
    """The option that a text chooses, by its letter or in its own words."""
    plain = _MARKUP.sub("", text)
    letters = {m["letter"].upper() for m in _SAID.finditer(plain) if _is_letter(m["letter"], m)}
    rest = plain
    if not letters and (first := _FIRST.match(_ANSWER.sub("", plain, count=1))):
        letters = {(first["a"] or first["b"] or first["c"]).upper()}
        rest = _ANSWER.sub("", plain, count=1)[first.end() :]
    places = {ord(letter) - ord("A") for letter in letters}
    named = _named(rest if letters else plain, options)
    if len(places) > 1:
        return Chosen("", "The answer names more than one option.")
    if places:
        return _agreed(places.pop(), rest, options)
    if len(named) == 1:
        return Chosen(options[named.pop()])
    what = "more than one option" if named else "none of the options"
    return Chosen("", f"The answer names {what}.")


def yes_or_no(text: str) -> Chosen:
    """``"yes"`` or ``"no"`` if a text begins with such a word in a language of `YES` and `NO`."""
    plain = _ANSWER.sub("", _MARKUP.sub("", text), count=1).lstrip().casefold()
    found = {
        answer: max((len(word) for words in table.values() for word in words
                     if _begins(plain, word)), default=0)
        for answer, table in (("yes", YES), ("no", NO))
    }  # fmt: skip
    if found["yes"] == found["no"]:
        return Chosen("", "The answer begins with neither yes nor no.")
    return Chosen(max(found, key=lambda answer: found[answer]))


def count_in(text: str) -> Chosen:
    """The number that a text begins with, or the only one that is in its first sentence."""
    plain = _MARKUP.sub("", text)
    plain = _ANSWER.sub("", plain, count=1)
    first = re.split(r"(?<=[.!?])\s|\n", plain.strip(), maxsplit=1)[0]
    found = [_value(match["number"]) for match in _COUNT.finditer(first)]
    if found and _COUNT.match(first.strip()):
        return Chosen(str(found[0]))
    if len(set(found)) == 1:
        return Chosen(str(found[0]))
    if not found and _NONE.match(first):
        return Chosen("0")
    return Chosen("", "The answer names no number." if not found else "It names several numbers.")


def _value(word: str) -> int:
    return int(word) if word.isdecimal() else NUMBERS[word.casefold()]


def _is_letter(letter: str, match: re.Match[str]) -> bool:
    """Whether a letter is one, and no article: "the answer is a nodule"."""
    after = match.string[match.end() :]
    return (letter.isupper() and not re.match(r"\s+[a-z]", after)) or after[:1] in {")", "."}


def _agreed(index: int, rest: str, options: Sequence[str]) -> Chosen:
    if index >= len(options):
        return Chosen("", f"The answer names option {chr(ord('A') + index)}, which there is not.")
    begins = [
        k for k, option in enumerate(options)
        if re.match(rf"\W*{re.escape(option.strip())}(?!\w)", rest, re.IGNORECASE)
    ]  # fmt: skip
    if begins and index not in begins:
        return Chosen("", "The answer's letter and its words are of different options.")
    return Chosen(options[index])


def _named(text: str, options: Sequence[str]) -> set[int]:
    """Options that a text names and does not deny; one within another's words does not count."""
    spans: list[tuple[int, int, int]] = []
    for number, option in enumerate(options):
        if not option.strip():
            continue
        found = re.finditer(rf"(?<!\w){re.escape(option.strip())}(?!\w)", text, re.IGNORECASE)
        spans += [(m.start(), m.end(), number) for m in found]
    absent = denied(text[:_READ])
    return {
        number
        for start, stop, number in spans
        if not any(a <= start and stop <= b and b - a > stop - start for a, b, _ in spans)
        and not any(reach.start <= start < reach.stop for reach in absent)
    }


def _begins(plain: str, word: str) -> bool:
    if not plain.startswith(word):
        return False
    return bool(_SPACELESS.match(word) or _AFTER.match(plain, len(word)))
