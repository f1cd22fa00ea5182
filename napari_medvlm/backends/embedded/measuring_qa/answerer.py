"""Answers by measuring: each fact is a claim with its region and its source. Never a guess."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.atlas.grounder import Grounder
from napari_medvlm.backends.embedded.measuring_qa import (
    comparisons,
    extents,
    header_facts,
    limits,
    number_format,
    positions,
)
from napari_medvlm.backends.embedded.measuring_qa.header_facts import Unanswerable, UnknownName
from napari_medvlm.backends.embedded.measuring_qa.number_format import definite, leading
from napari_medvlm.backends.embedded.measuring_qa.question_forms import (
    ParsedQuestion,
    QuestionForm,
    parsed_superlative,
    readings,
)
from napari_medvlm.backends.embedded.measuring_qa.subjects import Subject, Subjects
from napari_medvlm.data.answer import Answer, Claim, Question
from napari_medvlm.data.measurements.measure import measure
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume

IN_MM = {
    QuestionForm.LARGER,
    QuestionForm.RATIO,
    QuestionForm.EXTREME,
    QuestionForm.RANK,
    QuestionForm.LIMIT,
    QuestionForm.ABOVE,
    QuestionForm.WITHOUT,
    QuestionForm.VOLUME,
    QuestionForm.SUM,
    QuestionForm.DIMENSIONS,
    QuestionForm.DIAMETER,
    QuestionForm.WIDTH,
    QuestionForm.DEPTH,
    QuestionForm.HEIGHT,
    QuestionForm.DISTANCE,
    QuestionForm.MIDLINE,
    QuestionForm.RELATION,
    QuestionForm.FURTHER,
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
        ways = list(readings(question.text))
        if not ways:
            return beyond()
        asked = ways[0]
        subjects = Subjects(self._volume, question, self._grounder)
        try:
            claims = self._claims_of(ways, subjects, progress)
        except Unanswerable as reason:
            if not asked.has_pattern and not any(map(subjects.nearest, asked.things)):
                return beyond()
            return Answer(str(reason), answered=False, reason=str(reason))
        progress(1.0, "done")
        return Answer(" ".join(claim.text for claim in claims), tuple(claims))

    def _claims_of(
        self, ways: list[ParsedQuestion], subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        """The claims; if a name is unknown, those of the question read in the next way."""
        asked, *others = ways
        try:
            return self._claims(asked, subjects, progress)
        except UnknownName:
            for other in others:
                with suppress(Unanswerable):  # the first reason is of the words as they stand
                    return self._claims(other, subjects, progress)
            raise

    def _claims(self, asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Claim]:
        if asked.form in IN_MM:
            header_facts.require_spacing(self._volume)
        asked = replace(
            asked, things=tuple(self._of_superlative(t, subjects, progress) for t in asked.things)
        )
        for functions in (
            comparisons.FUNCTIONS,
            limits.FUNCTIONS,
            extents.FUNCTIONS,
            positions.FUNCTIONS,
        ):
            if asked.form in functions:
                return functions[asked.form](self._volume, asked, subjects, progress)
        return self._ways[asked.form](asked, subjects, progress)

    def _of_superlative(self, words: str, subjects: Subjects, progress: Progress) -> str:
        """The name of the one that "largest lesion" means; other words as they are."""
        for way in parsed_superlative(words):
            masked = limits.family(way.things[0], subjects, progress)
            if len(masked) > 1:
                return limits.furthest(self._volume, masked, way).name
        return words

    @property
    def _ways(
        self,
    ) -> dict[QuestionForm, Callable[[ParsedQuestion, Subjects, Progress], list[Claim]]]:
        return {
            QuestionForm.MODALITY: lambda *_: [header_facts.modality(self._volume)],
            QuestionForm.SPACING: lambda *_: [header_facts.spacing(self._volume)],
            QuestionForm.EXTENT: lambda *_: [header_facts.extent(self._volume)],
            QuestionForm.SHAPE: lambda asked, *_: [header_facts.shape(self._volume, asked.plane)],
            QuestionForm.COUNT: self._count,
            QuestionForm.INTENSITY: self._intensities,
            QuestionForm.OVERLAP: self._overlaps,
            QuestionForm.SHARE: self._share,
            QuestionForm.AT: self._at,
            QuestionForm.PRESENT: self._present,
        }

    # What was segmented, or is in the atlas.

    def _count(self, asked: ParsedQuestion, subjects: Subjects, __: Progress) -> list[Claim]:
        known = subjects.segmented(asked.things[0]) if asked.things else subjects.known
        if not known and asked.things:
            raise UnknownName(
                f"Nothing called {asked.things[0]!r} was segmented, so none can be counted. A "
                "vision-language model may answer this."
            )
        if not known:
            return [Claim("There are no objects.", source="measured")]
        names = ", ".join(subject.name for subject in known)
        count = "There is 1 object" if len(known) == 1 else f"There are {len(known)} objects"
        of = f" called {asked.things[0]!r}" if asked.things else ""
        return [Claim(f"{count}{of}: {names}.", tuple(s.region for s in known), "measured")]

    def _intensities(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        claims = []
        for subject in subjects.require_masks(asked.things[0], progress):
            assert subject.mask is not None
            measured = measure(self._volume, subject.mask)
            unit = f" {measured.unit}" if measured.unit else ""
            mean, sd = number_format.intensity(measured.mean), number_format.intensity(measured.sd)
            text = (
                f"{leading(subject.name)} has a mean intensity of {mean}{unit}, with a standard "
                f"deviation of {sd}{unit}."
            )
            claims.append(Claim(text, (subject.region,), _source(subject)))
        return claims

    def _overlaps(
        self, asked: ParsedQuestion, subjects: Subjects, progress: Progress
    ) -> list[Claim]:
        claims = []
        for subject in subjects.require_masks(asked.things[0], progress):
            assert subject.mask is not None
            own = subject.mask.full()
            for other in subjects.known:
                if other.mask is None or other.name == subject.name:
                    continue
                share = float((own & other.mask.full()).sum() / own.sum())
                if share:
                    part = number_format.share(share)
                    text = f"{part} of {definite(subject.name)} lies in {definite(other.name)}."
                    claims.append(Claim(text, (subject.region, other.region), "measured"))
            if not claims:
                text = f"{leading(subject.name)} overlaps no other object."
                claims.append(Claim(text, (subject.region,), "measured"))
        return claims

    def _share(self, asked: ParsedQuestion, subjects: Subjects, progress: Progress) -> list[Claim]:
        inner, outer = (subjects.require_masks(words, progress) for words in asked.things)
        own, other = comparisons.union_of(inner), comparisons.union_of(outer)
        share = float((own & other).sum() / own.sum())
        part = number_format.share(share) if share else "None"
        names = [definite(", ".join(s.name for s in group)) for group in (inner, outer)]
        text = f"{part} of {names[0]} lies in {names[1]}."
        if asked.is_closed:
            answer = "Yes" if share == 1 else "Partly" if share else "No"
            text = f"{answer}: {text[0].lower()}{text[1:]}"
        regions = tuple(subject.region for subject in (*inner, *outer))
        return [Claim(text, regions, _source(*inner, *outer))]

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
        claims += [
            Claim(f"It lies in {definite(o.name)}.", (o.region,), _source(o)) for o in inside
        ]
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
                f"By the atlas it lies in {definite(region.name)}."
                if region.mask is not None
                else f"By the atlas it lies in the box of {definite(region.name)}.",
                (region,),
                "atlas",
            )
            for region in outlined or regions
        ]

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
            Claim(f"Yes: {definite(s.name)} was segmented.", (s.region,), _source(s))
            for s in segmented
        ]


def beyond() -> Answer:
    """The answer to a question that no form fits."""
    known = "; ".join(form.value for form in QuestionForm)
    reason = (
        "This backend cannot answer that. Without a model it can report: "
        f"{known}. For other questions, choose a vision-language model."
    )
    return Answer(reason, answered=False, reason=reason)


def _source(*subjects: Subject) -> str:
    return "atlas" if any(subject.source == "atlas" for subject in subjects) else "measured"
