"""Answers by measuring: each fact is a claim with its region and its source. Never a guess."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.atlas.grounder import Grounder
from napari_medvlm.backends.embedded.measuring_qa import header_facts, number_format
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable
from napari_medvlm.backends.embedded.measuring_qa.question_forms import (
    ParsedQuestion,
    QuestionForm,
    read,
)
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects
from napari_medvlm.data.answer import Answer, Claim, Question
from napari_medvlm.data.geometry.grid import Grid, world_bounds
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import longest_diameter_mm, measure
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume

MIDLINE_MM = 5.0
"""A centre this near to the middle of the image, in mm, is on neither side."""

IN_MM = {
    QuestionForm.LARGER,
    QuestionForm.VOLUME,
    QuestionForm.DIAMETER,
    QuestionForm.WIDTH,
    QuestionForm.DISTANCE,
}
"""Questions whose answers are lengths or volumes."""


class Answerer:
    """Answers questions about one volume and what was segmented in it.

    Parameters
    ----------
    volume
        The image.
    grounder
        Finds structures that were not segmented.
    """

    def __init__(self, volume: Volume, grounder: Grounder) -> None:
        self._volume = volume
        self._grounder = grounder

    def answer(self, question: Question, progress: Progress) -> Answer:
        """The answer; one that says so if the question is beyond what can be measured."""
        progress(0.0, "reading the question")
        asked = read(question.text)
        if asked is None:
            return beyond()
        subjects = Subjects(self._volume, question, self._grounder)
        try:
            if asked.form in IN_MM:
                header_facts.require_spacing(self._volume)
            claims = self._ways[asked.form](asked, subjects, progress)
        except Unanswerable as reason:
            return Answer(str(reason), answered=False, reason=str(reason))
        progress(1.0, "done")
        return Answer(" ".join(claim.text for claim in claims), tuple(claims))

    @property
    def _ways(
        self,
    ) -> dict[QuestionForm, Callable[[ParsedQuestion, Subjects, Progress], list[Claim]]]:
        return {
            QuestionForm.MODALITY: lambda *_: [header_facts.modality(self._volume)],
            QuestionForm.SPACING: lambda *_: [header_facts.spacing(self._volume)],
            QuestionForm.EXTENT: lambda *_: [header_facts.extent(self._volume)],
            QuestionForm.SHAPE: lambda *_: [header_facts.shape(self._volume)],
            QuestionForm.COUNT: self._count,
            QuestionForm.LARGER: self._larger,
            QuestionForm.VOLUME: self._sizes,
            QuestionForm.DIAMETER: self._diameters,
            QuestionForm.WIDTH: self._widths,
            QuestionForm.INTENSITY: self._intensities,
            QuestionForm.DISTANCE: self._distance,
            QuestionForm.OVERLAP: self._overlaps,
            QuestionForm.AT: self._at,
            QuestionForm.WHERE: self._location,
            QuestionForm.PRESENT: self._present,
        }

    # What was segmented, or is in the atlas.

    def _count(self, _: ParsedQuestion, subjects: Subjects, __: Progress) -> list[Claim]:
        known = subjects.known
        if not known:
            return [Claim("There are no objects.", source="measured")]
        names = ", ".join(subject.name for subject in known)
        count = "There is 1 object" if len(known) == 1 else f"There are {len(known)} objects"
        return [Claim(f"{count}: {names}.", tuple(s.region for s in known), "measured")]

    def _larger(self, asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Claim]:
        found = [self._masked(thing, subjects, progress) for thing in asked.things]
        if len(found) > 1:
            found = [[_single(t, s)] for t, s in zip(asked.things, found, strict=True)]
        masked = [subject for group in found for subject in group]
        if len(masked) < 2:
            raise Unanswerable(
                f"A comparison needs two structures; only {masked[0].name} is known. "
                "Segment the other one."
            )
        sizes = sorted(((self._ml(s), s) for s in masked), key=lambda pair: -pair[0])
        (most, first), (less, second) = sizes[:2]
        text = number_format.compared(first.name, most, second.name, less)
        claim = Claim(text, (first.region, second.region), "measured")
        return [claim, *(self._size(subject) for _, subject in sizes)]

    def _sizes(self, asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Claim]:
        return [self._size(s) for s in self._masked(asked.things[0], subjects, progress)]

    def _diameters(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        claims = []
        for subject in self._masked(asked.things[0], subjects, progress):
            assert subject.mask is not None
            longest = longest_diameter_mm(subject.mask, self._volume.affine)
            text = f"The longest diameter of the {subject.name} is {longest:.1f} mm."
            claims.append(Claim(text, (subject.region,), _source(subject)))
        return claims

    def _widths(self, asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Claim]:
        """Extents of the voxels from right to left, in patient millimetres."""
        claims = []
        for subject in self._masked(asked.things[0], subjects, progress):
            assert subject.mask is not None
            width = _width_mm(subject.mask, self._volume.grid)
            text = f"The {subject.name} extends {width:.1f} mm from right to left."
            claims.append(Claim(text, (subject.region,), _source(subject)))
        return claims

    def _intensities(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        claims = []
        for subject in self._masked(asked.things[0], subjects, progress):
            assert subject.mask is not None
            measured = measure(self._volume, subject.mask)
            unit = f" {measured.unit}" if measured.unit else ""
            mean, sd = number_format.intensity(measured.mean), number_format.intensity(measured.sd)
            text = (
                f"The {subject.name} has a mean intensity of {mean}{unit}, with a standard "
                f"deviation of {sd}{unit}."
            )
            claims.append(Claim(text, (subject.region,), _source(subject)))
        return claims

    def _distance(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        found = [self._any(thing, subjects, progress) for thing in asked.things]
        if len(found) == 1 and len(found[0]) == 2:
            first, second = found[0]
        elif len(found) == 2:
            first, second = (_single(t, s) for t, s in zip(asked.things, found, strict=True))
        else:
            raise Unanswerable("A distance needs two structures.")
        apart = float(np.linalg.norm(first.region.center_mm - second.region.center_mm))
        text = f"The centres of the {first.name} and the {second.name} are {apart:.1f} mm apart."
        return [Claim(text, (first.region, second.region), _source(first, second))]

    def _overlaps(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        claims = []
        for subject in self._masked(asked.things[0], subjects, progress):
            assert subject.mask is not None
            own = subject.mask.full()
            for other in subjects.known:
                if other.mask is None or other.name == subject.name:
                    continue
                share = float((own & other.mask.full()).sum() / own.sum())
                if share:
                    part = number_format.share(share)
                    text = f"{part} of the {subject.name} lies in the {other.name}."
                    claims.append(Claim(text, (subject.region, other.region), "measured"))
            if not claims:
                text = f"The {subject.name} overlaps no other object."
                claims.append(Claim(text, (subject.region,), "measured"))
        return claims

    def _at(self, asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Claim]:
        index = asked.index
        assert index is not None
        grid = self._volume.grid
        if not grid.contains(index):
            z, y, x = grid.shape
            raise Unanswerable(
                f"The voxel {index} lies outside the image, which has {z} x {y} x {x} voxels "
                "(z, y, x); the first is 0, 0, 0."
            )
        value = float(self._volume.intensity()[index]) * self._volume.scale
        unit = f" {self._volume.unit}" if self._volume.unit else ""
        here = Region("voxel", Box.at_index(grid, index, np.array(index) + 1))
        position = number_format.position(grid.to_world(index), 1)
        stated = self._volume.spacing_is_known and self._volume.has_planes
        text = (
            f"At voxel {index}{f', that is {position}' if stated else ''}, "
            f"the intensity is {number_format.intensity(value)}{unit}."
        )
        inside = [o for o in subjects.known if o.mask is not None and o.mask.full()[index]]
        claims = [Claim(text, (here,), "measured")]
        claims += [Claim(f"It lies in the {o.name}.", (o.region,), _source(o)) for o in inside]
        if not inside:
            claims += self._structures_at(index, progress)
        return claims

    def _structures_at(self, index: tuple[int, int, int], progress: Progress) -> list[Claim]:
        """Atlas structures at a voxel: by outline, or else by box."""
        regions = self._grounder.structures_at(index, progress)
        if not regions:
            return [Claim("No object and no atlas structure is there.", source="atlas")]
        outlined = [region for region in regions if region.mask is not None]
        return [
            Claim(
                f"By the atlas it lies in the {region.name}."
                if region.mask is not None
                else f"By the atlas it lies in the box of the {region.name}.",
                (region,),
                "atlas",
            )
            for region in outlined or regions
        ]

    def _location(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        claims = []
        if not (self._volume.spacing_is_known and self._volume.has_planes):
            raise Unanswerable(
                "The file does not state how the image lies in the patient, so sides and positions "
                "are unknown."
            )
        for subject in self._any(asked.things[0], subjects, progress):
            side = _side(subject.region, self._volume.grid)
            center = number_format.position(subject.region.center_mm, 0)
            text = f"The {subject.name} is {side}, centred at {center}."
            claims.append(Claim(text, (subject.region,), _source(subject)))
        return claims

    def _present(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        names = subjects.find(asked.things[0], progress)
        segmented = [subject for subject in names if subject.source != "atlas"]
        if not segmented:
            raise Unanswerable(
                f"Whether {asked.things[0]!r} is there cannot be measured: nothing of that name "
                "was segmented. A vision-language model may answer this."
            )
        return [
            Claim(f"Yes: the {s.name} was segmented.", (s.region,), _source(s)) for s in segmented
        ]

    # Parts.

    def _any(self, words: str, subjects: Subjects, progress: Progress) -> list[Subject]:
        matches = subjects.find(words, progress)
        if not matches:
            near = subjects.nearest(words)
            offer = f" Did you mean {near!r}?" if near else ""
            raise Unanswerable(
                f"There is no object, label or structure called {words!r}.{offer} Segment it, or "
                "load labels that name it."
            )
        return matches

    def _masked(self, words: str, subjects: Subjects, progress: Progress) -> list[Subject]:
        matches = self._any(words, subjects, progress)
        masked = [subject for subject in matches if subject.mask is not None]
        if not masked:
            raise Unanswerable(
                f"The atlas knows only the position of the {matches[0].name}, not its outline. "
                "Segment it to measure it."
            )
        return masked

    def _ml(self, subject: Subject) -> float:
        assert subject.mask is not None
        return measure(self._volume, subject.mask).volume_ml

    def _size(self, subject: Subject) -> Claim:
        text = f"The {subject.name} has a volume of {number_format.volume(self._ml(subject))}."
        return Claim(text, (subject.region,), _source(subject))


def beyond() -> Answer:
    """The answer to a question that no form fits."""
    known = "; ".join(form.value for form in QuestionForm)
    reason = (
        "This backend cannot answer that. Without a model it can report: "
        f"{known}. For other questions, choose a vision-language model."
    )
    return Answer(reason, answered=False, reason=reason)


def _single(words: str, subjects: list[Subject]) -> Subject:
    """The only subject that words mean; several are not chosen from."""
    names = list(dict.fromkeys(subject.name for subject in subjects))
    if len(names) > 1:
        raise Unanswerable(f"{words!r} may be {', '.join(names)}. Name one of them.")
    return subjects[0]


def _width_mm(mask: Mask, grid: Grid) -> float:
    """Extent of a mask's voxels along the patient's axis from right to left."""
    centers = grid.to_world(np.argwhere(mask.crop) + np.array(mask.start))[:, 2]
    return float(np.ptp(centers) + np.abs(grid.affine[2, :3]).sum())


def _source(*subjects: Subject) -> str:
    return "atlas" if any(subject.source == "atlas" for subject in subjects) else "measured"


def _side(region: Region, grid: Grid) -> str:
    middle = world_bounds(grid, (0, 0, 0), grid.shape)[:, 2].mean()
    offset_mm = region.center_mm[2] - middle
    if abs(offset_mm) < MIDLINE_MM:
        return "near the middle of the image"
    return "on the patient's left" if offset_mm > 0 else "on the patient's right"
