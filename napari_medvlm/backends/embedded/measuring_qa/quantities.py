"""Measure one quantity of a structure: its volume, an extent, its diameter or mean intensity."""

from __future__ import annotations

from napari_medvlm.backends.embedded.measuring_qa import number_format
from napari_medvlm.backends.embedded.measuring_qa.extents import DIRECTIONS, extent_mm
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable
from napari_medvlm.backends.embedded.measuring_qa.question_forms import QuestionForm
from napari_medvlm.backends.embedded.measuring_qa.question_limits import Limit
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject
from napari_medvlm.data.measurements.measure import longest_diameter_mm, measure
from napari_medvlm.data.volume import Volume

NAMES = {
    QuestionForm.VOLUME: "volume",
    QuestionForm.DIAMETER: "longest diameter",
    QuestionForm.INTENSITY: "mean intensity",
    **{form: f"extent {words}" for form, (_, words) in DIRECTIONS.items()},
}
"""What is measured for a form, in words."""


def value_of(volume: Volume, subject: Subject, quantity: QuestionForm) -> float:
    """The quantity of a structure with a mask: in mL, mm, or the unit of the intensities."""
    assert subject.mask is not None
    if quantity is QuestionForm.VOLUME:
        return measure(volume, subject.mask).volume_ml
    if quantity is QuestionForm.INTENSITY:
        return measure(volume, subject.mask).mean
    if quantity is QuestionForm.DIAMETER:
        return longest_diameter_mm(subject.mask, volume.affine)
    return extent_mm(subject.mask, volume.grid, DIRECTIONS[quantity][0])


def formatted(volume: Volume, value: float, quantity: QuestionForm) -> str:
    """A value of a quantity with its unit."""
    if quantity is QuestionForm.VOLUME:
        return number_format.volume(value)
    if quantity is QuestionForm.INTENSITY:
        return f"{number_format.intensity(value)} {volume.unit}".strip()
    return f"{value:.1f} mm"


def limit_in_words(volume: Volume, limit: Limit) -> str:
    """A limit of a question with its unit.

    Raises
    ------
    Unanswerable
        It is in Hounsfield units and the intensities are not.
    """
    if limit.unit == "HU" and volume.unit != "HU":
        raise Unanswerable("The intensities of the image are not in Hounsfield units.")
    return f"{limit.value:g} {limit.unit}"
