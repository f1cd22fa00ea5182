"""When two answers say the same, and how many different things several of them say."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.iou import region_iou
from napari_medvlm.data.region import Region

SAME_WORDS = 0.6
"""The token F1 from which two free texts count as saying the same."""
SAME_PLACE = 0.5
"""The intersection over union from which two places count as the same."""
_WORD = re.compile(r"\w+")
_SMALL = frozenset(("a", "an", "the", "is", "are", "of", "in", "on", "there", "it", "and"))


@dataclass(frozen=True, eq=False)
class CheckedAnswer:
    """What a backend said to one request, as checks see it.

    Parameters
    ----------
    text
        For people.
    group
        What the answer comes to where there is something to choose: ``"yes"``, an option, a
        number, ``"found"``; empty for free text.
    regions
        The places that it gives.
    confidence
        How sure it says it is, 0 to 1; `None` if it does not say.
    """

    text: str
    group: str = ""
    regions: tuple[Region, ...] = ()
    confidence: float | None = None

    @property
    def short(self) -> str:
        """The answer in a few words."""
        words = self.group or " ".join(self.text.split()) or "nothing"
        return words if len(words) <= 80 else words[:79] + "…"


def token_f1(a: str, b: str) -> float:
    """Harmonic mean of precision and recall of the words that two texts share, 0 to 1.

    Case, articles and a few small words do not count.
    """
    first, second = (
        Counter(w for w in _WORD.findall(text.casefold()) if w not in _SMALL) for text in (a, b)
    )
    shared = (first & second).total()
    whole = first.total() + second.total()
    return 2 * shared / whole if whole else 1.0


def same_answer(a: CheckedAnswer, b: CheckedAnswer) -> bool:
    """Whether two answers are of one group or, of free texts, share most of their words."""
    if a.group or b.group:
        return a.group == b.group
    return token_f1(a.text, b.text) >= SAME_WORDS


def places_shared(a: Sequence[Region], b: Sequence[Region], grid: Grid) -> float:
    """The mean over the regions of ``a`` of the best intersection over union with one of ``b``."""
    if not a:
        return 0.0
    return sum(max((region_iou(r, s, grid) for s in b), default=0.0) for r in a) / len(a)


def moved(before: CheckedAnswer, after: CheckedAnswer, grid: Grid) -> bool:
    """Whether an answer is another one, or gives other places."""
    if not same_answer(before, after):
        return True
    if not before.regions:
        return False
    return places_shared(before.regions, after.regions, grid) < SAME_PLACE


def clusters(answers: Sequence[CheckedAnswer]) -> tuple[tuple[CheckedAnswer, ...], ...]:
    """Answers that say the same, together; each joins the first cluster whose first it is like.

    Likeness is that of `same_answer`: groups, or words that are shared. It knows no meaning: two
    free texts that say the same in other words are two clusters.
    """
    found: list[list[CheckedAnswer]] = []
    for answer in answers:
        for cluster in found:
            if same_answer(cluster[0], answer):
                cluster.append(answer)
                break
        else:
            found.append([answer])
    return tuple(map(tuple, found))


def entropy(sizes: Sequence[int]) -> float:
    """Entropy of how answers fall into clusters, in nats: 0 if all are in one.

    With clusters by meaning this is the semantic entropy of Farquhar, Kossen, Kuhn and Gal,
    Nature 630:625-630, 2024; with those of `clusters` it is an upper bound of it.
    """
    total = sum(sizes)
    return -sum(n / total * math.log(n / total) for n in sizes if n) + 0.0
