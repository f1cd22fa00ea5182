"""Which words two texts share, in any script."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Set as AbstractSet

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_MARKS = str.maketrans(dict.fromkeys(string.punctuation, " "))
_SINGLE = re.compile(
    r"(?:[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff"
    r"\uf900-\ufaff\uff66-\uff9f]|[\U00020000-\U0003ffff])"
)
"""Characters of scripts without spaces between words: Han, Kana, Thai, Lao, Burmese, Khmer."""


def normalized(text: str) -> str:
    """Lower case, without punctuation and articles, as SQuAD compares answers."""
    plain = text.casefold().replace("'", "").translate(_MARKS)
    plain = "".join(" " if unicodedata.category(c)[0] == "P" else c for c in plain)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def spaced(text: str) -> str:
    """A text with spaces around each character of a script that has none between words."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join(_SINGLE.sub(r" \g<0> ", composed).split()) if _SINGLE.search(text) else text


def words_in(text: str) -> list[str]:
    """The words of a normalized text; characters where a script has no spaces."""
    return spaced(normalized(text)).split()


def token_f1(answer: str, reference: str, ignored: AbstractSet[str] = frozenset()) -> float:
    """Harmonic mean of precision and recall of the words, each as often as it stands there.

    Parameters
    ----------
    ignored
        Words that do not count, in lower case.
    """
    a, b = ([w for w in words_in(text) if w not in ignored] for text in (answer, reference))
    if not a or not b:
        return float(a == b)
    return 2 * (Counter(a) & Counter(b)).total() / (len(a) + len(b))
