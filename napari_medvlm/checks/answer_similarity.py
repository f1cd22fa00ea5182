"""Agreement of answers: token F1, overlap of regions, clusters and their entropy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.iou import region_iou
from napari_medvlm.data.region import Region
from napari_medvlm.language.token_overlap import token_f1

SAME_WORDS = 0.6
"""Token F1 from which two free texts count as the same answer."""
SAME_LOCATION = 0.5
"""Intersection over union from which two regions count as the same."""
_SMALL = frozenset(("is", "are", "of", "in", "on", "there", "it", "and"))
"""Words that do not count when free texts are compared; articles never do."""


@dataclass(frozen=True, eq=False)
class CheckedAnswer:
    """The answer of a backend to a request, as checks compare it.

    Parameters
    ----------
    text
        The answer in words.
    group
        The answer to a closed question: ``"yes"``, an option, a
        number, ``"found"``; empty for free text.
    regions
        The regions of the answer.
    confidence
        Stated confidence, 0 to 1; `None` if there is none.
    """

    text: str
    group: str = ""
    regions: tuple[Region, ...] = ()
    confidence: float | None = None

    @property
    def short(self) -> str:
        """The answer in at most 80 characters, without its last full stop."""
        words = self.group or " ".join(self.text.split()).removesuffix(".") or "nothing"
        return words if len(words) <= 80 else words[:79] + "…"


def same_answer(a: CheckedAnswer, b: CheckedAnswer) -> bool:
    """Whether two answers are equal or, if free text, have a token F1 of `SAME_WORDS`."""
    if a.group or b.group:
        return a.group == b.group
    return token_f1(a.text, b.text, _SMALL) >= SAME_WORDS


def region_overlap(a: Sequence[Region], b: Sequence[Region], grid: Grid) -> float:
    """The mean over the regions of ``a`` of the best intersection over union with one of ``b``."""
    if not a:
        return 0.0
    return sum(max((region_iou(r, s, grid) for s in b), default=0.0) for r in a) / len(a)


def moved(before: CheckedAnswer, after: CheckedAnswer, grid: Grid) -> bool:
    """Whether the answer or its regions changed."""
    if not same_answer(before, after):
        return True
    if not before.regions:
        return False
    return region_overlap(before.regions, after.regions, grid) < SAME_LOCATION


def clusters(answers: Sequence[CheckedAnswer]) -> tuple[tuple[CheckedAnswer, ...], ...]:
    """Cluster answers; an answer joins the first cluster whose first member is the same.

    Answers are compared by `same_answer`, not by meaning: two free texts that say the same in
    other words are two clusters.
    """
    groups: list[list[CheckedAnswer]] = []
    for answer in answers:
        for cluster in groups:
            if same_answer(cluster[0], answer):
                cluster.append(answer)
                break
        else:
            groups.append([answer])
    return tuple(map(tuple, groups))


def entropy(sizes: Sequence[int]) -> float:
    """Entropy of the cluster sizes in nats; 0 for a single cluster.

    With clusters by meaning this is the semantic entropy of Farquhar, Kossen, Kuhn and Gal,
    Nature 630:625-630, 2024; with those of `clusters` it is an upper bound of it.
    """
    total = sum(sizes)
    return -sum(n / total * math.log(n / total) for n in sizes if n) + 0.0
