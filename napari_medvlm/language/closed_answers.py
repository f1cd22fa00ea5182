"""What a model chose, where there was something to choose: an option, yes or no, a number.

What is not stated plainly is not guessed: then there is no choice, and a sentence says why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from napari_medvlm.language.compared_options import comparisons
from napari_medvlm.language.counted_things import NUMBERS
from napari_medvlm.language.negation import denied
from napari_medvlm.language.stated_answer import after_answer_is, stated, without_confidence

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
_WHY = r"(?:with|because|since|as|and|but|due|which|based|given|is\s+(?:the\s+)?correct)\b"
"""Words that may follow the letter of an option; others follow an article: "A nodule"."""
_ANSWERED = re.compile(
    r"[\s:=]*(?:option\s+)?[(\[{<]?(?P<letter>[A-Z])(?![\w'])[)\]}>]?", re.IGNORECASE
)
_MENTIONED = re.compile(
    r"(?:\b(?:choice|option|letter|choose|select|pick|selected|chose|\u9009\u9879?)"
    r"(?:\s+(?:is|would be))?[\s:=]*(?:option\s+)?[(\[]?(?P<letter>[A-Z])(?![\w'])[)\]]?"
    r"|\b(?P<correct>[A-Z])\)?\s+is\s+(?:the\s+)?(?:correct|right|best)\b)",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"\s*(?:option\s+)?(?:[(\[{<](?P<a>[A-Za-z])[)\]}>]"
    rf"|(?P<b>[A-Z])\s*(?:[).:,-]|\Z|\n|(?=(?<=\s){_WHY}))|(?P<c>[a-z])\s*(?:[).:]|\Z))\s*"
)
_MORE = re.compile(r"(?:\s*(?:,|/|&|and)\s*[(\[]?([A-Z])(?![\w'])[)\]]?)+")
"""Further letters: "B,E,F", "A and C"."""
_LAST = re.compile(r"\n\s*[(\[]?(?P<letter>[A-Z])[)\]]?(?:[.:]\s*(?P<words>[^\n]*))?\s*\Z")
_ANSWER = re.compile(
    r"\s*(?:(?:in conclusion,?|therefore,?|thus,?|so,?)\s+)?(?:(?:final |the |correct )*answer"
    r"(?: is)?\s*[:=]?\s*)",
    re.IGNORECASE,
)
_LETTERED = re.compile(r"\s*[\[(]?[A-Za-z][).\]:]\s*")
_SPACELESS = re.compile("[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_AFTER = re.compile(
    r"\s*(?:\Z|[^\w\s]|\n|(?:there|it|this|the|i|we|they|because|since"
    r"|with (?:an? )?confidence)\b)",
    re.IGNORECASE,
)
_COUNT = re.compile(
    r"(?<![\w.,-])(?P<number>\d{1,4}|" + "|".join(NUMBERS) + r")(?![\w%]|[.,]\d|-\w"
    r"|\s*(?:mm|cm|ml|hu|years?|%|x\s*\d))",
    re.IGNORECASE,
)
_COUNT_KEY = re.compile(
    r'"[^"\n]*count[^"\n]*"\s*:\s*"?(?P<number>\d{1,4})(?![\d.])', re.IGNORECASE
)
_NONE = re.compile(
    r"\s*(?:none|zero|no|there (?:is|are) (?:no|none))\b|[^.\n]*\b(?:isn't|is not|aren't|are not) "
    r"(?:in|visible in|present in) the (?:image|picture)\b",
    re.IGNORECASE,
)


class Chosen(NamedTuple):
    """What was chosen; empty if that cannot be read, and then the note says why."""

    choice: str
    note: str = ""


def option_in(text: str, options: Sequence[str], question: str = "") -> Chosen:
    r"""The option that a text chooses, by its letter or in its own words.

    In this order: a LaTeX box or JSON value, "the answer is B", "option B", a letter at the
    beginning, a last line that is a letter, words of an option. A sentence that compares options
    ("the left is larger than the right") chooses one if the question is about that comparison.
    """
    plain = _MARKUP.sub("", stated(text))
    letters, rest = _letters(plain)
    if len(letters) > 1:
        return Chosen("", "The answer names more than one option.")
    if letters:
        return _agreed(ord(letters.pop()) - ord("A"), rest, options)
    compared = list(comparisons(plain[:_READ], options, question))
    named = _named(plain, options, [(c.start, c.stop) for c in compared])
    if not named and any(c.option is None for c in compared):
        return Chosen("", "The answer compares options and states none of them.")
    named |= {c.option for c in compared if c.option is not None}
    if len(named) == 1:
        return Chosen(options[named.pop()])
    what = "more than one option" if named else "none of the options"
    return Chosen("", f"The answer names {what}.")


def yes_or_no(text: str) -> Chosen:
    """``"yes"`` or ``"no"`` if a text, or what follows "the answer is", begins with such a word.

    In any language of `YES` and `NO`; a letter of an option before it is left out.
    """
    plain = _MARKUP.sub("", stated(text))
    begins = [_ANSWER.sub("", plain, count=1), *after_answer_is(plain)]
    answers = {answer for begin in begins if (answer := _yes_no_word(begin))}
    if len(answers) == 1:
        return Chosen(answers.pop())
    if answers:
        return Chosen("", "The answer says both yes and no.")
    return Chosen("", "The answer begins with neither yes nor no.")


def count_in(text: str) -> Chosen:
    """The number that a text begins with, or the only number in its first sentence.

    Numbers under a key of JSON with *count* in it are summed, as Point-Detect-Count writes them.
    """
    keyed = [int(match["number"]) for match in _COUNT_KEY.finditer(text)]
    if keyed:
        return Chosen(str(sum(keyed)))
    plain = _ANSWER.sub("", _MARKUP.sub("", without_confidence(stated(text))), count=1)
    first = re.split(r"(?<=[.!?])\s|\n", plain.strip(), maxsplit=1)[0]
    numbers = [_value(match["number"]) for match in _COUNT.finditer(first)]
    if numbers and (_COUNT.match(first.strip()) or len(set(numbers)) == 1):
        return Chosen(str(numbers[0]))
    if not numbers and _NONE.match(first):
        return Chosen("0")
    return Chosen("", "The answer names no number." if not numbers else "It names several numbers.")


def _value(word: str) -> int:
    return int(word) if word.isdecimal() else NUMBERS[word.casefold()]


def _letters(plain: str) -> tuple[set[str], str]:
    """The letters that a text chooses in its strongest form, and where options may follow."""
    answered = [m for part in after_answer_is(plain) if (m := _ANSWERED.match(part))]
    letters = {m["letter"].upper() for m in answered if _is_letter(m["letter"], m)}
    if not letters:
        matches = list(_MENTIONED.finditer(plain))
        letters = {
            m["letter"].upper() for m in matches if m["letter"] and _is_letter(m["letter"], m)
        }
        letters |= {m["correct"] for m in matches if m["correct"] and m["correct"].isupper()}
    if letters:
        return letters.union(*(_further(m.string, m.end()) for m in answered)), plain
    start = _ANSWER.sub("", plain, count=1)
    if first := _FIRST.match(start):
        at = max(first.end(group) for group in "abc")
        own = (first["a"] or first["b"] or first["c"]).upper()
        return {own, *_further(start, at)}, start[first.end() :]
    if last := _LAST.search(plain):
        return {last["letter"]}, last["words"] or ""
    return set(), plain


def _further(text: str, start: int) -> set[str]:
    """Letters of a list that goes on at a position, as in "B,E,F"."""
    more = _MORE.match(text, start)
    return set(re.findall(r"\b[A-Z]\b", more.group())) if more else set()


def _is_letter(letter: str, match: re.Match[str]) -> bool:
    """Whether a letter is that of an option, and no article: "the answer is a nodule"."""
    after = match.string[match.end() :]
    sentence = re.match(r"\s+[a-z]", after) and not re.match(rf"\s+{_WHY}", after)
    return (letter.isupper() and not sentence) or after[:1] in {")", "."}


def _yes_no_word(text: str) -> str:
    """``"yes"``, ``"no"`` or nothing: the word that a text begins with, the longest if several."""
    text = text.lstrip(" \t\n'\u2018\u201c(").casefold()
    for begin in (text, _LETTERED.sub("", text, count=1)):
        lengths = {
            answer: max((len(word) for words in table.values() for word in words
                         if _begins(begin, word)), default=0)
            for answer, table in (("yes", YES), ("no", NO))
        }  # fmt: skip
        if lengths["yes"] != lengths["no"]:
            return max(lengths, key=lambda answer: lengths[answer])
    return ""


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


def _named(text: str, options: Sequence[str], apart: Sequence[tuple[int, int]] = ()) -> set[int]:
    """Options that a text names and does not deny; one within another's words does not count.

    Neither does one in a stretch of ``apart``.
    """
    spans: list[tuple[int, int, int]] = []
    for number, option in enumerate(options):
        if not option.strip():
            continue
        matches = re.finditer(rf"(?<!\w){re.escape(option.strip())}(?!\w)", text, re.IGNORECASE)
        spans += [(m.start(), m.end(), number) for m in matches]
    absent = denied(text[:_READ])
    return {
        number
        for start, stop, number in spans
        if not any(a <= start and stop <= b and b - a > stop - start for a, b, _ in spans)
        and not any(reach.start <= start < reach.stop for reach in absent)
        and not any(a <= start < b for a, b in apart)
    }


def _begins(plain: str, word: str) -> bool:
    if not plain.startswith(word):
        return False
    return bool(_SPACELESS.match(word) or _AFTER.match(plain, len(word)))
