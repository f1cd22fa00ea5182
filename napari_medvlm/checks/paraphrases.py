"""Questions reversed and paraphrased, by rules for English.

The adversarial twin is that of ProbMed (Yan, He, Yue and Wang, 2024, arXiv:2405.20421): a question
about what is there is asked together with one about what is not, and only both answers together
count. Two twins are made of a question whether something is there:

- *negated*: "Is there a nodule?" becomes "Is it true that there is no nodule?"; of a question that
  has a "no" in it the "no" is taken out. The answers must be opposite.
- *absent*: what is asked for is replaced by something that images of this modality cannot show,
  from the table in ``absent.yaml``. The answer must be no.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from napari_medvlm.checks.image_quality import HERE
from napari_medvlm.data.volume import Modality
from napari_medvlm.language.yaml_tables import YamlTable, read

_LOCATION = r"(?P<location>(?:\s+(?:in|on|at|within|inside|near|below|above|behind)\s.*)?)"
_SEEN = r"(?:present|visible|seen|identified|detected|evident)"
_SHOWN = (
    r"(?:the|this|that|these)\s+(?:[\w-]+\s+){0,2}?"
    r"(?:images?|pictures?|scans?|slices?|radiographs?|x-rays?|patient|volume)"
)
_EXISTS = tuple(
    re.compile(rf"^\W*{pattern}\s*[?.]?\s*$", re.IGNORECASE | re.DOTALL)
    for pattern in (
        rf"is\s+it\s+true\s+that\s+there\s+(?:is|are)\s+(?P<finding>.+?){_LOCATION}",
        rf"(?:is|are)\s+there\s+(?P<finding>.+?)(?:\s+(?:that\s+is\s+)?{_SEEN})?{_LOCATION}",
        rf"(?:do|can)\s+you\s+see\s+(?P<finding>.+?){_LOCATION}",
        rf"(?:does|do)\s+{_SHOWN}\s+(?:show|have|contain|suggest)\s+(?P<finding>.+?){_LOCATION}",
        rf"(?:is|are)\s+(?P<finding>.+?)\s+{_SEEN}{_LOCATION}",
        rf"can\s+(?P<finding>.+?)\s+be\s+{_SEEN}{_LOCATION}",
    )
)
_ARTICLE = re.compile(r"^(?:an?|any|some|the|no)\s+", re.IGNORECASE)
_OTHERWISE = (
    "{question} Answer from what the picture shows.",
    "Look at the picture and answer. {question}",
    "I would like to know: {question}",
    "Please tell me. {question}",
    "{question} Be brief.",
)
_OF_EXISTENCE = (
    "Can {finding} be seen{location}?",
    "Does the picture show {finding}{location}?",
    "Do you see {finding}{location}?",
)
_PHRASES = ("the {phrase}", "{phrase} in the image", "{phrase}.", "a view of {phrase}")


@dataclass(frozen=True)
class Existence:
    """A question whether something is there.

    Parameters
    ----------
    finding
        With its article, without a "no".
    location
        Where, with a space in front; or empty.
    denied
        Whether it is asked if the finding is *not* there.
    """

    finding: str
    location: str = ""
    denied: bool = False

    @property
    def bare(self) -> str:
        """The finding without its article."""
        return _ARTICLE.sub("", self.finding)


@dataclass(frozen=True)
class PairedQuestion:
    """A twin of a question.

    Parameters
    ----------
    how
        How it differs.
    text
        The question.
    """

    how: Literal["negated", "absent"]
    text: str


def existence(question: str) -> Existence | None:
    """What is asked for, if a question asks whether something is there; else `None`."""
    for pattern in _EXISTS:
        if match := pattern.match(question):
            phrase = " ".join(match["finding"].split())
            denied = phrase.casefold().startswith("no ")
            finding = phrase[3:] if denied else phrase
            return Existence(finding, match["location"].rstrip(" ?."), denied) if finding else None
    return None


def paired_questions(asked: Existence, modality: Modality) -> tuple[PairedQuestion, ...]:
    """The twins of a question, which are always the same."""
    if asked.denied:
        turned = f"Is there {_with_article(asked.finding)}{asked.location}?"
    else:
        turned = f"Is it true that there is no {asked.bare}{asked.location}?"
    strange = f"Is there {absent_of(modality, asked.finding)}{asked.location}?"
    return PairedQuestion("negated", turned), PairedQuestion("absent", strange)


def absent_of(modality: Modality, seed: str) -> str:
    """Something that images of a modality cannot show; the same for the same seed."""
    table = _absent().absent
    listed = table.get(str(modality.value), table["other"])
    digest = hashlib.blake2b(seed.casefold().encode(), digest_size=4).digest()
    return listed[int.from_bytes(digest) % len(listed)]


def paraphrases(question: str, count: int) -> tuple[str, ...]:
    """The question in other words, by templates; at most eight ways."""
    asked = existence(question)
    texts = []
    if asked is not None and not asked.denied:
        finding = _with_article(asked.finding)
        texts = [t.format(finding=finding, location=asked.location) for t in _OF_EXISTENCE]
    texts += [t.format(question=question.strip()) for t in _OTHERWISE]
    return tuple(text for text in dict.fromkeys(texts) if text != question.strip())[:count]


def phrase_variants(phrase: str, count: int) -> tuple[str, ...]:
    """A phrase in other words, by templates; at most four ways."""
    return tuple(t.format(phrase=phrase.strip(" .")) for t in _PHRASES)[:count]


def _with_article(finding: str) -> str:
    if _ARTICLE.match(finding):
        return finding
    return f"any {finding}"


class _Absent(YamlTable):
    absent: dict[str, list[str]]


@cache
def _absent() -> _Absent:
    return read(HERE / "absent.yaml", _Absent)
