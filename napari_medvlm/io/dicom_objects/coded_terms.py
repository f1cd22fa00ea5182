"""Coded terms for what is segmented: SNOMED CT as DICOM lists it (CID 7150 and 7151)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

_SIDES = {"left": "Left", "right": "Right"}
_SYNONYMS = {
    "tumor": ("neoplasm",),
    "tumour": ("neoplasm",),
    "metastasis": ("neoplasm", "secondary"),
    "oedema": ("edema",),
}
"""What people say, in the words of the terms."""
_CATEGORIES = {
    "MorphologicallyAbnormalStructure": (7159, 7168, 7169),
    "PhysicalObject": (7157, 7158),
    "Tissue": (7166,),
}
"""The lists of DICOM whose terms are of a category; all others are anatomical structures."""


@dataclass(frozen=True)
class Term:
    """What a segment shows.

    Parameters
    ----------
    kind, category
        Codes of the structure and of its category.
    side
        The code of left or right, if one was named.
    """

    kind: Code
    category: Code
    side: Code | None = None

    @property
    def name(self) -> str:
        """In words, with the side."""
        return f"{'' if self.side is None else f'{self.side.meaning} '}{self.kind.meaning}"

    def __str__(self) -> str:
        return f"{self.name} ({self.kind.scheme_designator} {self.kind.value})"


def search(text: str, most: int = 20) -> tuple[Term, ...]:
    """The terms that have all words of a text, the shortest first; a side may be among them."""
    words = _words(text)
    plain, side = _sorted_out(words)
    terms: dict[str, Term] = {}
    sided: dict[str, Term] = {}
    for term in _terms() if plain else ():
        meaning = term.kind.meaning.lower()
        if all(word in meaning for word in words):
            terms.setdefault(meaning, term)
        elif all(word in meaning for word in plain) and not _SIDES.keys() & set(_words(meaning)):
            sided_term = Term(term.kind, term.category, side)
            sided[sided_term.name.lower()] = sided_term
    all_terms = sided | terms  # a ventricle on the left is not the left ventricle
    return tuple(sorted(all_terms.values(), key=lambda t: (len(t.name), t.name))[:most])


def term_for(name: str) -> Term:
    """The term of exactly that name, whatever its case, side and number; else plain tissue."""
    from pydicom.sr.codedict import codes

    words = _words(name)
    while words:
        plain, side = _sorted_out(words)
        for own, its_side in ((words, None), (plain, side)):
            term = _by_words().get(tuple(sorted(own)))
            if term is not None:
                return Term(term.kind, term.category, its_side)
        if not words[-1].isdecimal():
            break
        words = words[:-1]  # "Lesion 2"
    return Term(codes.cid7150.Tissue, codes.cid7150.Tissue)


def _words(text: str) -> list[str]:
    words = text.lower().replace(",", " ").replace("_", " ").split()
    return [other for word in words for other in _SYNONYMS.get(word, (word,))]


def _sorted_out(words: list[str]) -> tuple[list[str], Code | None]:
    """The words but for the side, and the code of the side."""
    from pydicom.sr.codedict import codes

    sides = [word for word in words if word in _SIDES]
    side = getattr(codes.cid244, _SIDES[sides[0]]) if len(sides) == 1 else None
    return [word for word in words if side is None or word not in _SIDES], side


@cache
def _by_words() -> dict[tuple[str, ...], Term]:
    """The terms by their words, whatever their order."""
    return {tuple(sorted(_words(t.kind.meaning))): t for t in reversed(_terms())}


@cache
def _terms() -> tuple[Term, ...]:
    from pydicom.sr.codedict import codes

    special = {
        code: getattr(codes.cid7150, category)
        for category, lists in _CATEGORIES.items()
        for number in lists
        for code in _codes(getattr(codes, f"cid{number}"))
    }
    anatomy = codes.cid7150.AnatomicalStructure
    return tuple(Term(c, special.get(c, anatomy)) for c in _codes(codes.cid7151))


def _codes(listed: Any) -> list[Code]:
    return [getattr(listed, name) for name in listed.dir()]
