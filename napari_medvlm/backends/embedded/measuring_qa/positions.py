"""Where structures are: their sides, distances, relations to one another and to the midline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.measuring_qa import number_format
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable
from napari_medvlm.backends.embedded.measuring_qa.number_format import definite, leading
from napari_medvlm.backends.embedded.measuring_qa.question_forms import ParsedQuestion, QuestionForm
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects, single
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.geometry.grid import Grid, world_bounds
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume

MIDLINE_MM = 5.0
"""A centre this near to the middle of the image, in mm, is on neither side."""
APART_MM = 1.0
"""Centres that are less than this apart along an axis, in mm, are level."""

AXES = {
    "above": (0, 1), "superior": (0, 1), "cranial": (0, 1),
    "below": (0, -1), "beneath": (0, -1), "underneath": (0, -1), "inferior": (0, -1),
    "caudal": (0, -1),
    "behind": (1, 1), "posterior": (1, 1), "anterior": (1, -1), "in front": (1, -1),
    "left": (2, 1), "right": (2, -1),
}  # fmt: skip
"""Axis of ``spl_mm`` of a relation, and the sign of the difference along it."""
DIRECTIONS = {
    (0, 1): "above", (0, -1): "below", (1, 1): "behind", (1, -1): "in front of",
    (2, 1): "to the left of", (2, -1): "to the right of",
}  # fmt: skip


def sides(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The side and the centre of each structure of a name."""
    _require_planes(volume)
    claims = []
    for subject in subjects.require(asked.things[0], progress):
        side = _side(subject.region, volume.grid)
        center = number_format.position(subject.region.center_mm, 0)
        text = f"{leading(subject.name)} is {side}, centred at {center}."
        claims.append(Claim(text, (subject.region,), subject.provenance))
    return claims


def distance(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """How far the centres of two structures are apart, in millimetres."""
    located = [subjects.require(thing, progress) for thing in asked.things]
    if len(located) == 1 and len(located[0]) == 2:
        first, second = located[0]
    elif len(located) == 2:
        first, second = (single(t, s) for t, s in zip(asked.things, located, strict=True))
    else:
        raise Unanswerable("A distance needs two structures.")
    apart = float(np.linalg.norm(first.region.center_mm - second.region.center_mm))
    names = f"{definite(first.name)} and {definite(second.name)}"
    text = f"The centres of {names} are {apart:.1f} mm apart."
    return [Claim(text, (first.region, second.region), _source((first, second)))]


def midline(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """How far the centre of each structure of a name is from the midline of the brain."""
    _require_planes(volume)
    claims = []
    for subject in subjects.require(asked.things[0], progress):
        left_mm = subjects.from_midline_mm(subject.region.center_mm, progress)
        side = "left" if left_mm > 0 else "right"
        text = (
            f"The centre of {definite(subject.name)} is {abs(left_mm):.1f} mm to the {side} of the "
            "midline of the brain atlas."
        )
        claims.append(Claim(text, (subject.region,), "atlas"))
    return claims


def relation(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Whether the centres of some structures lie above, behind, ... those of others."""
    _require_planes(volume)
    first, second = (subjects.require(thing, progress) for thing in asked.things)
    measured, way, opposite = _measured(asked.relation, subjects, progress)
    further_mm = [measured(a.region) - measured(b.region) for a in first for b in second]
    if min(further_mm) * max(further_mm) < 0:
        raise Unanswerable(f"It differs: {asked.things[0]!r} or {asked.things[1]!r} are several.")
    least, most = sorted((abs(min(further_mm)), abs(max(further_mm))))
    held = max(further_mm, key=abs)
    if most < APART_MM:
        answer = f"No: the centres of the {_names(first)} and the {_names(second)} are level."
    else:
        apart = f"{least:.0f} to {most:.0f}" if len(further_mm) > 1 else f"{most:.0f}"
        yes, towards = ("Yes", way) if held > 0 else ("No", opposite)
        answer = (
            f"{yes}: the centre of the {_names(first)} lies {apart} mm {towards} that of the "
            f"{_names(second)}."
        )
    regions = tuple(subject.region for subject in (*first, *second))
    return [Claim(answer, regions, _source((*first, *second)))]


def further(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Which of several structures of a name lies furthest in a direction."""
    _require_planes(volume)
    groups = [subjects.segmented(t) or subjects.require(t, progress) for t in asked.things]
    if len(groups) > 1:
        groups = [[single(t, g)] for t, g in zip(asked.things, groups, strict=True)]
    pair = [subject for group in groups for subject in group]
    if len(pair) < 2:
        raise Unanswerable(f"This needs two structures; only the {pair[0].name} is known.")
    measured, way, _ = _measured(asked.word, subjects, progress)
    first, second, *_ = sorted(pair, key=lambda subject: -measured(subject.region))
    apart = measured(first.region) - measured(second.region)
    text = (
        f"The centres of {definite(first.name)} and {definite(second.name)} are level."
        if apart < APART_MM
        else f"{leading(first.name)} is: its centre lies {apart:.0f} mm {way} that of "
        f"{definite(second.name)}."
    )
    if "midline" in way and apart >= APART_MM:
        near, far = (abs(measured(subject.region)) for subject in (first, second))
        text = f"{text[:-1]} ({near:.0f} and {far:.0f} mm from it)."
    return [Claim(text, (first.region, second.region), _source(pair))]


def _measured(
    words: str, subjects: Subjects, progress: Progress
) -> tuple[Callable[[Region], float], str, str]:
    """How far in mm a region lies in the direction of a relation; its words and the opposite."""
    ways = ("further from the midline than", "nearer to the midline than")
    if (lateral := "lateral" in words) or "medial" in words:
        sign = 1 if lateral else -1
        return (
            lambda region: sign * abs(subjects.from_midline_mm(region.center_mm, progress)),
            *(ways if lateral else ways[::-1]),
        )
    axis, sign = next(way for word, way in AXES.items() if word in words.lower())
    return (
        lambda region: sign * float(region.center_mm[axis]),
        DIRECTIONS[axis, sign],
        DIRECTIONS[axis, -sign],
    )


def _require_planes(volume: Volume) -> None:
    if not (volume.spacing_is_known and volume.has_planes):
        raise Unanswerable(
            "The file does not state how the image lies in the patient, so sides and positions "
            "are unknown."
        )


def _side(region: Region, grid: Grid) -> str:
    middle = world_bounds(grid, (0, 0, 0), grid.shape)[:, 2].mean()
    offset_mm = region.center_mm[2] - middle
    if abs(offset_mm) < MIDLINE_MM:
        return "near the middle of the image"
    return "on the patient's left" if offset_mm > 0 else "on the patient's right"


def _names(subjects: Iterable[Subject]) -> str:
    return " and the ".join(subject.name for subject in subjects)


def _source(subjects: Iterable[Subject]) -> str:
    return "atlas" if any(subject.source == "atlas" for subject in subjects) else "measured"


FUNCTIONS: Mapping[
    QuestionForm, Callable[[Volume, ParsedQuestion, Subjects, Progress], list[Claim]]
] = {
    QuestionForm.WHERE: sides,
    QuestionForm.DISTANCE: distance,
    QuestionForm.MIDLINE: midline,
    QuestionForm.RELATION: relation,
    QuestionForm.FURTHER: further,
}
"""Forms of questions that this module answers."""
