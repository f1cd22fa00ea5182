"""Coded terms for what is segmented: SNOMED CT as DICOM lists it (CID 7150 and 7151)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

_SIDES = {"left": "Left", "right": "Right"}
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

    def __str__(self) -> str:
        side = "" if self.side is None else f"{self.side.meaning} "
        return f"{side}{self.kind.meaning} ({self.kind.scheme_designator} {self.kind.value})"


def search(text: str, most: int = 20) -> tuple[Term, ...]:
    """The terms that have all words of a text, the shortest first; sides are taken apart."""
    words, side = _sorted_out(text)
    if not words:
        return ()
    found = [t for t in _terms() if all(word in t.kind.meaning.lower() for word in words)]
    found.sort(key=lambda t: (len(t.kind.meaning), t.kind.meaning))
    return tuple(Term(t.kind, t.category, side) for t in found[:most])


def term_for(name: str) -> Term:
    """The term of exactly that name, whatever its case and side; else plain tissue."""
    from pydicom.sr.codedict import codes

    words, side = _sorted_out(name)
    for term in _terms():
        if sorted(term.kind.meaning.lower().split()) == sorted(words):
            return Term(term.kind, term.category, side)
    return Term(codes.cid7150.Tissue, codes.cid7150.Tissue)


def _sorted_out(text: str) -> tuple[list[str], Code | None]:
    """The words in lower case but for the side, and the code of the side."""
    from pydicom.sr.codedict import codes

    words = text.lower().replace(",", " ").replace("_", " ").split()
    sides = [word for word in words if word in _SIDES]
    side = getattr(codes.cid244, _SIDES[sides[0]]) if len(sides) == 1 else None
    return [word for word in words if side is None or word not in _SIDES], side


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
