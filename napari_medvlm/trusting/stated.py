"""How sure an answer says it is: probabilities of options, or a percentage in the text."""

from __future__ import annotations

import re

from napari_medvlm.data.answer import Answer, AnswerKind, Question

_NUMBER = r"(?P<number>\d{1,3}(?:[.,]\d+)?)\s*(?P<percent>%|percent\b)"
_SURE = r"(?:sure|certain|confiden\w*|certainty|probab\w*|likel\w*)"
_SAID = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER}\s*(?:\w+\s+)?{_SURE}",
        rf"\b{_SURE}\b[^.\d\n]{{0,24}}{_NUMBER}",
        r"\b(?:confidence|certainty|probability)\b\s*(?:is|of|score|[:=])*\s*"
        r"(?P<number>[01]?[.,]\d+)(?P<percent>(?!\s*%))",
    )
)


def stated(answer: Answer, question: Question) -> float | None:
    """How sure an answer says it is, 0 to 1; `None` if it does not say."""
    options = question.options or (("yes", "no") if question.kind is AnswerKind.YES_NO else ())
    if answer.probabilities and len(options) == len(answer.probabilities):
        shares = dict(zip(options, answer.probabilities, strict=True))
        return shares.get(answer.choice, max(answer.probabilities))
    return percentage(answer.text)


def percentage(text: str) -> float | None:
    """The percentage that a text gives as its confidence, as a share; `None` if there is none."""
    for pattern in _SAID:
        if match := pattern.search(text):
            value = float(match["number"].replace(",", "."))
            share = value / 100 if match["percent"] else value
            return share if 0 <= share <= 1 else None
    return None
