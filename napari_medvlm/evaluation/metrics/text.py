"""Figures of texts: exact match, token F1, BLEU and ROUGE, and what is no answer at all."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_MARKS = str.maketrans(dict.fromkeys(string.punctuation, " "))
_UNABLE = r"(?:cannot|can't|can not|could not|couldn't|(?:un|not )able to)"
_REFUSAL = re.compile(
    rf"\b(?:i(?:'m| am)? sorry|as an? (?:ai|language model)\b"
    rf"|{_UNABLE} (?:be )?(?:answer|determin|provid|assist|help|interpret|diagnos|analy|comment)\w*"
    rf"|{_UNABLE} tell\b"
    rf"|{_UNABLE} (?:see|view|access|open) (?:the|this|that|any|an|your) (?:image|picture|scan)s?)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
REFUSAL_LENGTH = 300
"""A refusal stands in so many first characters."""


def normalized(text: str) -> str:
    """Lower case, without punctuation and articles, as SQuAD compares answers."""
    plain = text.casefold().replace("'", "").translate(_MARKS)
    return " ".join(_ARTICLES.sub(" ", plain).split())


def exact(answer: str, reference: str) -> bool:
    """Whether two texts are the same once normalized."""
    return normalized(answer) == normalized(reference)


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall of the words, each as often as it stands there."""
    a, b = normalized(answer).split(), normalized(reference).split()
    common = sum((Counter(a) & Counter(b)).values())
    if not a or not b:
        return float(a == b)
    return 2 * common / (len(a) + len(b))


def bleu(answer: Sequence[str], reference: Sequence[str]) -> float | None:
    """Corpus BLEU-4 of sacrebleu with its defaults, 0 to 100; `None` for no text."""
    from sacrebleu import corpus_bleu

    return float(corpus_bleu(list(answer), [list(reference)]).score) if answer else None


def rouge(answer: str, reference: str) -> tuple[float, float]:
    """ROUGE-1 and ROUGE-L of rouge-score, with stems: F-measures, 0 to 1."""
    rouge_scores = _scorer().score(reference, answer)
    return float(rouge_scores["rouge1"].fmeasure), float(rouge_scores["rougeL"].fmeasure)


def is_refusal(text: str) -> bool:
    """Whether a text says that there will be no answer."""
    return not text.strip() or _REFUSAL.search(text[:REFUSAL_LENGTH]) is not None


def numbers_in(text: str) -> tuple[float, ...]:
    """The numbers of a text, in order."""
    return tuple(float(match.group()) for match in _NUMBER.finditer(text))


@cache
def _scorer() -> Any:
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer(["rouge1", "rougeL"], use_stemmer=True)
