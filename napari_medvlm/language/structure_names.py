"""Which names of structures mean what a phrase says: "Niere links" is ``kidney_left``.

Words are compared, not letters: in any order and either number, with synonyms in three languages.
It knows nothing of images. Limits: a whole is not put together from its parts ("lung" does not find
five lobes), and a word that is neither in the names nor among the synonyms is only an extra word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from napari_medvlm.language.normalize import SIDES, Words, sorted_out, words_of
from napari_medvlm.language.yaml_tables import HERE, YamlTable, read

_EXTRA = 0.55
"""For each word of the phrase that the name lacks: a cyst of the kidney is not the kidney."""
_APART = 0.5
"""At most this if one of the two is a lesion and the other is not."""
_EITHER = 0.9
"""The phrase names no side or number and the name does: "kidney" asks for either."""
_MORE_THAN = 0.5
"""The phrase names a side or number and the name does not: it covers more than is asked for."""
_SYNONYM = 0.95
_TYPO = 0.85
_GENERIC = frozenset(("lobe", "gyrus", "nucleus", "cortex"))
"""Nouns that are left out where the adjective says it all: "right occipital", "left accumbens"."""
_LONG_SIDES = ("left", "right", "links", "rechts", "gauche", "droite")
_LONG = 8
"""Letters from which on a word is known with two wrong ones: "ventrical"."""
_READINGS = 16
"""How many readings of a phrase with words of several meanings are tried."""


@dataclass(frozen=True, slots=True)
class Match:
    """A name, and how well it fits a phrase: from 0 (contradicts it) to 1 (the same words)."""

    name: str
    score: float


class _Sheet(YamlTable):
    structures: dict[str, list[str]] = {}
    lesions: list[str] = []


class Synonyms:
    """Other words for structures.

    Parameters
    ----------
    structures
        The words to use, and for each the others that mean the same. A word may mean several.
    lesions
        Words that make of a structure something else, such as "cyst".
    """

    def __init__(
        self, structures: Mapping[str, Iterable[str]], lesions: Iterable[str] = ()
    ) -> None:
        meanings: dict[frozenset[str], list[frozenset[str]]] = {}
        for name, others in structures.items():
            for text in (name, *others):
                known = meanings.setdefault(_all(words_of(text)), [])
                known += [_all(words_of(name))] if _all(words_of(name)) not in known else []
        meanings.pop(frozenset(), None)
        self._meanings = sorted(meanings.items(), key=lambda item: (-len(item[0]), sorted(item[0])))
        self.lesions = frozenset().union(*(words_of(text).words for text in lesions))
        self.vocabulary = frozenset().union(*meanings, self.lesions)

    @classmethod
    def load(cls, path: Path | None = None) -> Synonyms:
        """Those of a file, or those that come with the package.

        Raises
        ------
        SettingsError
            The file cannot be read; the line is named.
        """
        if path is None:
            return _packaged_synonyms()
        sheet = read(path, _Sheet)
        return cls(sheet.structures, sheet.lesions)

    def readings(self, words: frozenset[str]) -> Iterator[frozenset[str]]:
        """The words with synonyms replaced, the longest first, once for each of their meanings."""
        for form, meanings in self._meanings:
            if form <= words:
                for rest in self.readings(words - form):
                    yield from (meaning | rest for meaning in meanings)
                return
        yield words


@cache
def _packaged_synonyms() -> Synonyms:
    return Synonyms.load(HERE / "synonyms.yaml")


class Names:
    """Names of structures that phrases are matched to.

    Parameters
    ----------
    names
        As a model or a label file spells them: ``kidney_left``, ``Left-Kidney``, ``vertebrae_L1``.
    synonyms
        What else the structures are called.
    """

    def __init__(self, names: Sequence[str], synonyms: Synonyms) -> None:
        self._synonyms = synonyms
        self._names = [(name, words_of(name)) for name in dict.fromkeys(names)]
        vocabularies = (_all(words) for _, words in self._names)
        self._vocabulary = dict.fromkeys(sorted(synonyms.vocabulary.union(*vocabularies)))
        self._readings = {name: self._meanings(words) for name, words in self._names}

    def find(self, phrase: str, at_least: float = 0.6) -> tuple[Match, ...]:
        """All names that mean the phrase, best first; names of equal score in their given order.

        A phrase without a side or a number means those of every side and number. A name of another
        side or number is never found.
        """
        return tuple(match for match in self._ranked(phrase) if match.score >= at_least)

    def nearest(self, phrase: str) -> Match | None:
        """The name that fits best, however badly; None if none shares a word or all contradict."""
        return next(iter(self._ranked(phrase)), None)

    def _ranked(self, phrase: str) -> list[Match]:
        asked, typos = self._corrected(phrase)
        if not _all(asked):
            return []
        readings = self._meanings(asked)
        scores = ((name, self._score(asked, readings, name, words)) for name, words in self._names)
        matches = [
            Match(name, round(score * _TYPO**typos, 3)) for name, score in scores if score > 0
        ]
        return sorted(matches, key=lambda match: -match.score)

    def _score(self, asked: Words, readings: list[Words], name: str, words: Words) -> float:
        sides = _agreement(asked.sides if len(asked.sides) == 1 else frozenset(), words.sides)
        if len(asked.sides) == len(words.sides) == 2:
            sides = 1.0
        if asked.words == words.words and asked.numbers == words.numbers:
            return sides
        own = {number for reading in readings for number in asked.numbers & reading.numbers}
        if own and words.numbers and not own & words.numbers:
            return 0.0  # "fifth ventricle" is not the third, though a ventricle may be
        pairs = ((a, b) for a in readings for b in self._readings[name])
        return sides * _SYNONYM * max((self._overlap(a, b) for a, b in pairs), default=0.0)

    def _overlap(self, asked: Words, named: Words) -> float:
        """How much two readings say the same, from 0 to 1, sides left out."""
        extra = asked.words - named.words
        needed = named.words if asked.words & _GENERIC else named.words - _GENERIC
        covered = len(asked.words & named.words) / max(len(needed), 1)
        score = covered * _EXTRA ** len(extra) * _agreement(asked.numbers, named.numbers)
        apart = (asked.words ^ named.words) & self._synonyms.lesions
        return min(score, _APART) if apart else score

    def _meanings(self, words: Words) -> list[Words]:
        readings = islice(self._synonyms.readings(_all(words)), _READINGS)
        return [sorted_out(reading) for reading in readings]

    def _corrected(self, phrase: str) -> tuple[Words, int]:
        """The phrase with words that nobody knows taken for those one letter away; how many."""
        phrase_words = words_of(phrase)
        meant = {word: self._known(word) for word in sorted(phrase_words.words)}
        typos = [word for word, known in meant.items() if word != known]
        sides = phrase_words.sides.union(SIDES[known] for known in meant.values() if known in SIDES)
        rest = (known for known in meant.values() if known not in SIDES)
        return sorted_out((*rest, *phrase_words.numbers), sides), len(typos)

    def _known(self, word: str) -> str:
        if word in self._vocabulary:
            return word
        # "rigth" is a side, "bright" is none.
        if (side := next((s for s in _LONG_SIDES if _swapped(word, s)), None)) is not None:
            return side
        close = next((known for known in self._vocabulary if _is_close(word, known)), None)
        if close is None and word.endswith("e"):  # "precunes" was taken for a plural
            latin = (known for known in self._vocabulary if known.endswith("us"))
            close = next((known for known in latin if _is_close(f"{word}s", known)), None)
        if close is not None:
            return close
        if f"{word[:-1]}um" in self._vocabulary and word.endswith("a"):  # "pallida"
            return f"{word[:-1]}um"
        two_off = next((known for known in self._vocabulary if _two_letters(word, known)), None)
        if two_off is not None or len(word) < _LONG:
            return two_off or word
        return next((known for known in self._vocabulary if _heard(known) == _heard(word)), word)


def _all(words: Words) -> frozenset[str]:
    return words.words | words.numbers


def _agreement(asked: frozenset[Any], named: frozenset[Any]) -> float:
    """How well sides or numbers agree; 0 if they contradict each other."""
    if asked == named:
        return 1.0
    if not asked:
        return _EITHER
    if not named:
        return _MORE_THAN
    if not asked & named:
        return 0.0
    return _EITHER if named <= asked else _MORE_THAN


def _is_close(word: str, known: str) -> bool:
    """Whether one letter is wrong, missing or too much, or two have changed places."""
    if min(len(word), len(known)) < 4 or max(len(word), len(known)) < 5:
        return False
    if abs(len(word) - len(known)) > 1 or any(map(str.isdigit, word + known)):
        return False
    if _swapped(word, known):
        return True
    codes = SequenceMatcher(None, word, known, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for kind, a, b, c, d in codes if kind != "equal") == 1


def _two_letters(word: str, known: str) -> bool:
    """Whether two letters of a long word are wrong, missing or too much, behind the first four."""
    if min(len(word), len(known)) < _LONG or abs(len(word) - len(known)) > 1:
        return False
    if word[:4] != known[:4] or any(map(str.isdigit, word + known)):
        return False
    blocks = SequenceMatcher(None, word, known, autojunk=False).get_matching_blocks()
    return max(len(word), len(known)) - sum(block.size for block in blocks) == 1


@cache
def _heard(word: str) -> str:
    """A word as it sounds, so that "hypocampus" is "hippocampus": single letters, one spelling."""
    for spelled, heard in (("ph", "f"), ("th", "t"), ("ae", "e"), ("oe", "e"), ("y", "i")):
        word = word.replace(spelled, heard)
    return re.sub(r"(.)\1", r"\1", word.replace("c", "k"))


def _swapped(word: str, known: str) -> bool:
    """Whether two neighbouring letters have changed places."""
    wrong = [i for i, (a, b) in enumerate(zip(word, known, strict=False)) if a != b]
    same_letters = len(word) == len(known) and sorted(word) == sorted(known)
    return same_letters and len(wrong) == 2 and wrong[1] == wrong[0] + 1
