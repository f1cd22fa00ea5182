"""Lengths of structures, the slices that they are in and the range of their intensities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.measuring_qa import header_facts, number_format
from napari_medvlm.backends.embedded.measuring_qa.number_format import definite, leading
from napari_medvlm.backends.embedded.measuring_qa.question_forms import ParsedQuestion, QuestionForm
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects
from napari_medvlm.data.answer import Claim
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import longest_diameter_mm
from napari_medvlm.data.volume import Volume

DIRECTIONS = {
    QuestionForm.HEIGHT: (0, "from top to bottom"),
    QuestionForm.DEPTH: (1, "from front to back"),
    QuestionForm.WIDTH: (2, "from right to left"),
}
"""Axis of ``spl_mm`` of a form, and its words."""


def lengths(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Extents of masks along an axis of the patient, in millimetres."""
    axis, direction = DIRECTIONS[asked.form]
    return [
        _claim(
            s, f"{leading(s.name)} extends {extent_mm(mask, volume.grid, axis):.1f} mm {direction}."
        )
        for s, mask in _masks(asked, subjects, progress)
    ]


def dimensions(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """Extents of masks along the three axes of the patient, in millimetres."""
    claims = []
    for subject, mask in _masks(asked, subjects, progress):
        sizes = ", ".join(
            f"{extent_mm(mask, volume.grid, axis):.1f} mm {direction}"
            for axis, direction in DIRECTIONS.values()
        )
        claims.append(_claim(subject, f"{leading(subject.name)} extends {sizes}."))
    return claims


def diameters(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The longest diameters of masks."""
    return [
        _claim(
            s,
            f"The longest diameter of {definite(s.name)} is "
            f"{longest_diameter_mm(mask, volume.affine):.1f} mm.",
        )
        for s, mask in _masks(asked, subjects, progress)
    ]


def slices(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """First and last slice that structures are in, and the one that shows most of each.

    Of a structure that the atlas knows by its box alone, the slices of the box and its middle.
    """
    axis = header_facts.array_axis(volume, asked.plane) if asked.plane else 0
    text = _center_slice if asked.word == "centre" else _slices
    return [
        _claim(s, text(s, volume.grid, axis)) for s in subjects.require(asked.things[0], progress)
    ]


def _slices(subject: Subject, grid: Grid, axis: int) -> str:
    others = tuple(k for k in range(3) if k != axis)
    if subject.mask is None:
        start, stop = subject.region.box.bounds(grid)
        first, last = int(start[axis]), int(stop[axis]) - 1
        count = last - first + 1
        most, by = (first + last) // 2, "By the atlas, the box of the"
    else:
        areas = subject.mask.crop.sum(axis=others)
        held = np.flatnonzero(areas) + subject.mask.start[axis]
        first, last, count = held[0], held[-1], held.size
        most, by = int(areas.argmax()) + subject.mask.start[axis], "The"
    return (
        f"{by} {subject.name} is in the slices {'zyx'[axis]} = {first} to {last}, most of it in "
        f"slice {most}; {count} slice{'' if count == 1 else 's'} in all. The first slice of the "
        "image is 0."
    )


def _center_slice(subject: Subject, grid: Grid, axis: int) -> str:
    """The slice that the centre of a structure lies in."""
    index = round(float(grid.to_index(subject.region.center_mm)[axis]))
    by = "By the atlas, the" if subject.mask is None else "The"
    return (
        f"{by} centre of {definite(subject.name)} is in slice {'zyx'[axis]} = {index}; "
        "the first slice of the image is 0."
    )


def ranges(
    volume: Volume, asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[Claim]:
    """The lowest and highest intensity in masks."""
    unit = f" {volume.unit}" if volume.unit else ""
    claims = []
    for subject, mask in _masks(asked, subjects, progress):
        values = volume.intensity()[mask.full()] * volume.scale
        low, high = (number_format.intensity(float(v)) for v in (values.min(), values.max()))
        text = (
            f"The intensities of {definite(subject.name)} range from {low}{unit} to {high}{unit}."
        )
        claims.append(_claim(subject, text))
    return claims


def _masks(
    asked: ParsedQuestion, subjects: Subjects, progress: Progress
) -> list[tuple[Subject, Mask]]:
    masked = subjects.require_masks(asked.things[0], progress)
    return [(subject, subject.mask) for subject in masked if subject.mask is not None]


def _claim(subject: Subject, text: str) -> Claim:
    return Claim(text, (subject.region,), subject.provenance)


def extent_mm(mask: Mask, grid: Grid, axis: int) -> float:
    """Extent of a mask's voxels along an axis of ``spl_mm``."""
    centers = grid.to_world(np.argwhere(mask.crop) + np.array(mask.start))[:, axis]
    return float(np.ptp(centers) + np.abs(grid.affine[axis, :3]).sum())


FUNCTIONS: Mapping[
    QuestionForm, Callable[[Volume, ParsedQuestion, Subjects, Progress], list[Claim]]
] = {
    **dict.fromkeys(DIRECTIONS, lengths),
    QuestionForm.DIMENSIONS: dimensions,
    QuestionForm.DIAMETER: diameters,
    QuestionForm.SLICES: slices,
    QuestionForm.RANGE: ranges,
}
"""Forms of questions that this module answers."""
