"""Figures of texts: exact match, token recall, BLEU and ROUGE, and what is no answer at all."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from napari_medvlm.language.token_overlap import normalized, spaced, words_in

_UNABLE = r"(?:cannot|can't|can not|could not|couldn't|(?:un|not )able to)"
_REFUSAL = re.compile(
    rf"\b(?:i(?:'m| am)? sorry|as an? (?:ai|language model)\b"
    rf"|{_UNABLE} (?:be )?(?:answer|determin|provid|assist|help|interpret|diagnos|analy|comment)\w*"
    rf"|{_UNABLE} tell\b"
    rf"|{_UNABLE} (?:see|view|access|open) (?:the|this|that|any|an|your) (?:image|picture|scan)s?)",
    re.IGNORECASE,
)
NUMBER = re.compile(
    r"(?:(?<![\w.])|(?<=\d[xX]))[-+]?"
    r"(?:(?<![(\[,])\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
)
_ENGLISH = re.compile(r"[a-z0-9]+")
REFUSAL_LENGTH = 300
"""A refusal stands in so many first characters."""


def words_of(text: str) -> list[str]:
    """Words in lower case, English ones stemmed as rouge-score does; characters where no spaces.

    Letters, digits and the marks that belong to them make a word, in any script.
    """
    plain = spaced(unicodedata.normalize("NFC", text)).casefold()
    words = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in plain).split()
    return [part for w in words for part in (_english(w) if _ENGLISH.fullmatch(w) else [w])]


def exact(answer: str, reference: str) -> bool:
    """Whether two texts are the same once normalized."""
    return normalized(answer) == normalized(reference)


def token_recall(answer: str, reference: str) -> float:
    """Share of the words of the reference that the answer has, each as often as it stands there.

    The measure of open answers of LLaVA-Med (Li et al. 2023), on words normalized as by SQuAD.
    """
    a, b = (words_in(text) for text in (answer, reference))
    if not b:
        return float(not a)
    return sum((Counter(a) & Counter(b)).values()) / len(b)


def bleu(answer: Sequence[str], reference: Sequence[str]) -> float | None:
    """Corpus BLEU-4 of sacrebleu with its defaults, 0 to 100.

    Characters of scripts without spaces are words, as sacrebleu's ``zh`` has it. `None` for no
    text, and where no answer has four words: then there is no sequence of four to compare.
    """
    from sacrebleu import corpus_bleu

    if not answer:
        return None
    score = corpus_bleu([spaced(t) for t in answer], [[spaced(t) for t in reference]])
    return float(score.score) if score.totals[-1] else None


def rouge(answer: str, reference: str) -> tuple[float, float]:
    """ROUGE-1 and ROUGE-L of rouge-score, with stems: F-measures, 0 to 1.

    Words are those of `words_of`: rouge-score's own drop all letters but a to z.
    """
    rouge_scores = _scorer().score(reference, answer)
    return float(rouge_scores["rouge1"].fmeasure), float(rouge_scores["rougeL"].fmeasure)


def is_refusal(text: str) -> bool:
    """Whether a text says that there will be no answer."""
    return not text.strip() or _REFUSAL.search(text[:REFUSAL_LENGTH]) is not None


class _Tokenizer:
    """`words_of` as rouge-score calls it."""

    def tokenize(self, text: str) -> list[str]:
        """The words of a text."""
        return words_of(text)


@cache
def _scorer() -> Any:
    from rouge_score import rouge_scorer

    return rouge_scorer.RougeScorer(["rouge1", "rougeL"], tokenizer=_Tokenizer())


def _english(word: str) -> list[str]:
    words: list[str] = _english_tokenizer().tokenize(word)
    return words


@cache
def _english_tokenizer() -> Any:
    from rouge_score.tokenizers import DefaultTokenizer

    return DefaultTokenizer(use_stemmer=True)
