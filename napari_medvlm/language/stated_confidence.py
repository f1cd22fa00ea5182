"""The confidence that a text states of its own answer, and the sentences that ask for it."""

from __future__ import annotations

import re

__all__ = ["ASKS_FOR_CHOICE", "ASKS_FOR_OTHERS", "confidence_in"]

ASKS_FOR_CHOICE = (
    "Clearly state your final answer and confidence in the following: "
    '"In conclusion, the answer is {LETTER} with confidence {CONFIDENCE}". '
    "Replace {LETTER} with the letter of one of the options, and {CONFIDENCE} with your confidence "
    "in your answer between 0 and 100. After giving the answer, explain your reasoning based on "
    "the image and the question."
)
"""Asks for an option and its confidence as Prompt4Trust (github.com/xingbpshen/prompt4trust,
``prompt/pmcvqa.py``), which names four letters in the place of the options."""
ASKS_FOR_OTHERS = (
    'End with your confidence in your answer between 0 and 100, in the form "confidence 85".'
)
"""Asks for the confidence of an answer of any other kind."""

_NUMBER = r"(?P<number>\d{1,3}(?:[.,]\d+)?)\s*(?P<percent>%|percent\b)"
_SURE = r"(?:sure|certain|confiden\w*|certainty|probab\w*|likel\w*)"
_NOT_INTERVAL = r"(?![\s-]*(?:interval|limit|bound|region|range|band)s?\b)"
"""A confidence interval is of a measurement."""
_NOT_OF = r"(?!\s*(?:of\s+)?(?!(?:sure|certain|confiden|in\b|that\b|for\b|and\b|but\b|or\b))[a-z])"
"""What a percentage is of, such as "70 % stenosis", is no confidence."""
_OWN = (
    r"\b(?:confidence|certainty)\b(?:\s+(?:score|level|rating))?(?:\s*\(0\s*(?:-|to)\s*100\))?"
    r"[\s\"'*]*(?:is|of|[:=])*[\s\"'*]*"
)
_ENDS = r"(?![\w%]|[.,]?\d|\s*[%x-]|\s+(?!(?:because|since|as|and|but|given|based)\b)[a-z])"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER}\s*(?:\w+\s+)?{_SURE}\b{_NOT_INTERVAL}(?![\s-]*level\b)",
        rf"\b{_SURE}\b{_NOT_INTERVAL}[^.\d\n]{{0,24}}{_NUMBER}{_NOT_OF}(?!\s+(?:confidence|sure))",
        r"\b(?:confidence|certainty|probability)\b[\"'*]*\s*(?:is|of|score|level|[:=])*"
        r"[\s\"'*]*(?P<number>[01]?[.,]\d+)(?P<percent>(?!\s*%))",
        rf"{_OWN}(?P<number>\d{{1,3}})\s*(?:/|out of)\s*(?P<whole>100?)(?P<percent>)(?!\d)",
        rf"{_OWN}(?P<number>[2-9]|[1-9]\d|100)(?P<percent>){_ENDS}",
    )
)


def confidence_in(text: str) -> float | None:
    """The confidence that a text states; `None` if it states none.

    A percentage, a share such as ``0.85``, ``8/10``, or a whole number from 2 to 100 right behind
    the word, as Prompt4Trust asks for ("with confidence 85"). A bare ``1`` could be 1 % or all, and
    is not read.
    """
    for pattern in _PATTERNS:
        if match := pattern.search(text):
            value = float(match["number"].replace(",", "."))
            return _share(value, match)
    return None


def _share(value: float, match: re.Match[str]) -> float | None:
    groups = match.groupdict()
    if groups.get("whole"):
        value /= float(groups["whole"])
    elif match["percent"] or value > 1:
        value /= 100
    return value if 0 <= value <= 1 else None
