"""Volumes and intensities of several structures, compared or added."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.measuring_qa import number_format
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable
from napari_medvlm.backends.embedded.measuring_qa.limits import family
from napari_medvlm.backends.embedded.measuring_qa.number_format import definite, leading
from napari_medvlm.backends.embedded.measuring_qa.question_forms import ParsedQuestion, QuestionForm
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects, single
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import measure
from napari_medvlm.data.volume import Volume

LESS = ("smaller", "less", "lower", "darker")
"""First words of comparatives that ask whether the first of two has the lower value."""


def sizes(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The volume of each structure of a name."""
    return [_size(volume, s) for s in subjects.require_masks(asked.things[0], progress)]


def larger(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Which of two structures has the larger volume, and the volume of each."""
    matches = [subjects.require_masks(thing, progress) for thing in asked.things]
    if len(matches) > 1:
        matches = [[single(t, s)] for t, s in zip(asked.things, matches, strict=True)]
    masked = [subject for group in matches for subject in group]
    if len(masked) < 2:
        raise Unanswerable(
            f"A comparison needs two structures; only {masked[0].name} is known. "
            "Segment the other one."
        )
    ordered = sorted(((_ml(volume, s), s) for s in masked), key=lambda pair: -pair[0])
    (most, first), (less, second) = ordered[:2]
    text = number_format.compared(first.name, most, second.name, less)
    if asked.is_closed and len(matches) == 2 and asked.word:
        text = _confirmed(asked.word, first is matches[0][0], text)
    claim = Claim(text, (first.region, second.region), "measured")
    return [claim, *(_size(volume, subject) for _, subject in ordered)]


def ratio(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The volume of one structure divided by that of another, and the volume of each."""
    first, second = pair = _pair(asked, subjects, progress)
    quotient = _ml(volume, first) / _ml(volume, second)
    text = (
        f"The ratio of the volume of {definite(first.name)} to that of {definite(second.name)} is "
        f"{quotient:.3g}."
    )
    source = "atlas" if "atlas" in (first.provenance, second.provenance) else "measured"
    claim = Claim(text, (first.region, second.region), source)
    return [claim, *(_size(volume, subject) for subject in pair)]


def summed(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The volume of several structures together; voxels of two of them count once."""
    masked = [s for thing in asked.things for s in subjects.require_masks(thing, progress)]
    masked = list({subject.name: subject for subject in masked}.values())
    claims = [_size(volume, subject) for subject in masked]
    if len(masked) == 1:
        return claims
    total = number_format.volume(measure(volume, Mask.of(union_of(masked))).volume_ml)
    names = _listed(masked)
    source = "atlas" if any(s.source == "atlas" for s in masked) else "measured"
    text = f"Together the {names} have a volume of {total}."
    return [Claim(text, tuple(s.region for s in masked), source), *claims]


def without(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The volume of some structures without the voxels of others."""
    whole, parts = (family(words, subjects, progress) for words in asked.things)
    own, other = union_of(whole), union_of(parts)
    if not (own & other).any():
        names = f"{_listed(parts)} has no voxel in the {_listed(whole)}"
        raise Unanswerable(f"The {names}, so nothing is to be left out.")
    rest = number_format.volume(measure(volume, Mask.of(own & ~other)).volume_ml)
    text = f"Without the {_listed(parts)}, the {_listed(whole)} has a volume of {rest}."
    apart = {subject.name for subject in parts}
    if apart < {subject.name for subject in whole}:
        whole = [subject for subject in whole if subject.name not in apart]
        have = "have" if len(whole) > 1 else "has"
        text = f"Without the {_listed(parts)}, the {_listed(whole)} {have} a volume of {rest}."
    source = "atlas" if any(s.source == "atlas" for s in (*whole, *parts)) else "measured"
    return [Claim(text, tuple(s.region for s in whole), source)]


def brighter(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Which of two structures has the higher mean intensity."""
    pair = _pair(asked, subjects, progress)
    means = {s.name: measure(volume, s.region.mask).mean for s in pair if s.region.mask is not None}
    first, second = sorted(pair, key=lambda s: -means[s.name])
    unit = f" {volume.unit}" if volume.unit else ""
    high, low = (number_format.intensity(means[s.name]) + unit for s in (first, second))
    apart = number_format.intensity(means[first.name] - means[second.name]) + unit
    text = (
        f"{leading(first.name)} and {definite(second.name)} have the same mean intensity, {high}."
        if high == low
        else f"{leading(first.name)} is brighter than {definite(second.name)}, by {apart}: "
        f"the mean intensities are {high} and {low}."
    )
    if asked.is_closed and len(asked.things) == 2 and asked.word:
        text = _confirmed(asked.word, first is pair[0], text)
    source = "atlas" if "atlas" in (first.provenance, second.provenance) else "measured"
    return [Claim(text, (first.region, second.region), source)]


def _pair(asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Subject]:
    """The two structures with masks that a comparison is about."""
    if len(asked.things) == 2:
        return [subjects.require_single(words, progress) for words in asked.things]
    pair = subjects.require_masks(asked.things[0], progress)
    if len(pair) != 2:
        raise Unanswerable(
            f"A comparison needs two structures; {asked.things[0]!r} means {len(pair)}. Name both."
        )
    return pair


def union_of(subjects: list[Subject]) -> NDArray[np.bool_]:
    """The voxels of any of the subjects."""
    union: NDArray[np.bool_] = np.any([s.mask.full() for s in subjects if s.mask], axis=0)
    return union


def _confirmed(word: str, is_more: bool, text: str) -> str:
    """A comparison with yes or no before it: whether the first has more, or less, as asked."""
    less = word.lower().removeprefix("of ").removeprefix("a ").removeprefix("the ")
    holds = not is_more if less.split()[0] in LESS else is_more
    if "equally" in text or "the same mean" in text:
        holds = False
    within = f"{text[0].lower()}{text[1:]}" if text.startswith("The ") else text
    return f"{'Yes' if holds else 'No'}: {within}"


def _listed(subjects: list[Subject]) -> str:
    """Names of subjects, the last after "and"."""
    names = [subject.name for subject in subjects]
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def _ml(volume: Volume, subject: Subject) -> float:
    assert subject.mask is not None
    return measure(volume, subject.mask).volume_ml


def _size(volume: Volume, subject: Subject) -> Claim:
    text = f"{leading(subject.name)} has a volume of {number_format.volume(_ml(volume, subject))}."
    return Claim(text, (subject.region,), subject.provenance)


FUNCTIONS: Mapping[
    QuestionForm, Callable[[Volume, ParsedQuestion, Subjects, Progress], list[Claim]]
] = {
    QuestionForm.VOLUME: sizes,
    QuestionForm.LARGER: larger,
    QuestionForm.RATIO: ratio,
    QuestionForm.WITHOUT: without,
    QuestionForm.SUM: summed,
    QuestionForm.BRIGHTER: brighter,
}
"""Forms of questions that this module answers."""
