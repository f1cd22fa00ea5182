"""Volumes and intensities of several structures, compared or added."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.measuring_qa import number_format
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable
from napari_medvlm.backends.embedded.measuring_qa.question_forms import ParsedQuestion, QuestionForm
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects, single
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import measure
from napari_medvlm.data.volume import Volume

ANY_OBJECT = {"object", "structure", "segmentation", "mask", "label"}
"""Nouns for everything that was segmented."""
ORGAN = "organ"
"""Noun for what was segmented and is no lesion by its name."""
LOW = (
    *("smallest", "smaller", "darkest", "least", "lowest", "less", "below", "under"),
    *("stay", "stays", "fall", "falls"),
)
"""First words of superlatives and comparatives that ask for the low end."""


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
    claim = Claim(text, (first.region, second.region), "measured")
    return [claim, *(_size(volume, subject) for _, subject in ordered)]


def ratio(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The volume of one structure divided by that of another, and the volume of each."""
    first, second = pair = _pair(asked, subjects, progress)
    quotient = _ml(volume, first) / _ml(volume, second)
    text = (
        f"The ratio of the volume of the {first.name} to that of the {second.name} is "
        f"{quotient:.3g}."
    )
    source = "atlas" if "atlas" in (first.provenance, second.provenance) else "measured"
    claim = Claim(text, (first.region, second.region), source)
    return [claim, *(_size(volume, subject) for subject in pair)]


def extreme(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The largest or smallest of the segmented structures of a name."""
    words, which = asked.things
    masked = [s for s in segmented(words, subjects) if s.mask is not None]
    if not masked:
        raise Unanswerable(f"Nothing called {words!r} was segmented, so none can be compared.")
    ordered = sorted(masked, key=lambda s: _ml(volume, s), reverse=not _is_low(which))
    first = ordered[0]
    size = number_format.volume(_ml(volume, first))
    of = f" of {len(ordered)}" if len(ordered) > 1 else ""
    text = f"The {first.name} is the {which.lower()}{of}, with a volume of {size}."
    return [Claim(text, (first.region,), first.provenance)]


def brightest(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The segmented structure of a name with the highest or lowest mean intensity."""
    words, which = asked.things
    masked = [s for s in segmented(words, subjects) if s.mask is not None]
    if not masked:
        raise Unanswerable(f"Nothing called {words!r} was segmented, so none can be compared.")
    means = {s.name: measure(volume, s.mask).mean for s in masked if s.mask is not None}
    low = _is_low(which)
    first = sorted(masked, key=lambda s: means[s.name], reverse=not low)[0]
    unit = f" {volume.unit}" if volume.unit else ""
    text = (
        f"The {first.name} has the {'lowest' if low else 'highest'} mean intensity of "
        f"{len(masked)}, {number_format.intensity(means[first.name])}{unit}."
    )
    return [Claim(text, (first.region,), first.provenance)]


def above(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The segmented structures of a name that are larger or smaller than a volume."""
    words, which = asked.things
    assert asked.limit_ml is not None
    masked = [s for s in segmented(words, subjects) if s.mask is not None]
    if not masked:
        raise Unanswerable(f"Nothing called {words!r} was segmented, so none can be compared.")
    low = _is_low(which)
    beyond = [s for s in masked if (_ml(volume, s) < asked.limit_ml) == low]
    beyond = [s for s in beyond if _ml(volume, s) != asked.limit_ml]
    if not beyond:
        limit = number_format.volume(asked.limit_ml)
        text = f"None of {len(masked)} is {'smaller' if low else 'larger'} than {limit}."
        return [Claim(text, source="measured")]
    return [_size(volume, subject) for subject in beyond]


def _is_low(words: str) -> bool:
    return words.lower().split()[0] in LOW


def segmented(words: str, subjects: Subjects) -> list[Subject]:
    """The objects and labels that words mean; "organs" are all that are no lesions."""
    noun = words.lower().removesuffix("s")
    if noun == ORGAN:
        return [subject for subject in subjects.known if not subjects.is_lesion(subject.name)]
    return list(subjects.known) if noun in ANY_OBJECT else subjects.named(words)


def summed(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The volume of several structures together; voxels of two of them count once."""
    masked = [s for thing in asked.things for s in subjects.require_masks(thing, progress)]
    masked = list({subject.name: subject for subject in masked}.values())
    claims = [_size(volume, subject) for subject in masked]
    if len(masked) == 1:
        return claims
    union = np.zeros(volume.shape, bool)
    for subject in masked:
        assert subject.mask is not None
        union |= subject.mask.full()
    total = number_format.volume(measure(volume, Mask.of(union)).volume_ml)
    names = ", ".join(subject.name for subject in masked[:-1]) + f" and {masked[-1].name}"
    source = "atlas" if any(s.source == "atlas" for s in masked) else "measured"
    text = f"Together the {names} have a volume of {total}."
    return [Claim(text, tuple(s.region for s in masked), source), *claims]


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
        f"The {first.name} and the {second.name} have the same mean intensity, {high}."
        if high == low
        else f"The {first.name} is brighter than the {second.name}, by {apart}: the mean "
        f"intensities are {high} and {low}."
    )
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


def _ml(volume: Volume, subject: Subject) -> float:
    assert subject.mask is not None
    return measure(volume, subject.mask).volume_ml


def _size(volume: Volume, subject: Subject) -> Claim:
    text = f"The {subject.name} has a volume of {number_format.volume(_ml(volume, subject))}."
    return Claim(text, (subject.region,), subject.provenance)


FUNCTIONS: Mapping[
    QuestionForm, Callable[[Volume, ParsedQuestion, Subjects, Progress], list[Claim]]
] = {
    QuestionForm.VOLUME: sizes,
    QuestionForm.LARGER: larger,
    QuestionForm.RATIO: ratio,
    QuestionForm.EXTREME: extreme,
    QuestionForm.BRIGHTEST: brightest,
    QuestionForm.ABOVE: above,
    QuestionForm.SUM: summed,
    QuestionForm.BRIGHTER: brighter,
}
"""Forms of questions that this module answers."""
