"""What was found and answered, as qualitative evaluations of a DICOM report, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.data.prompts import Box
from napari_medvlm.io.dicom_objects.coded_terms import term_for
from napari_medvlm.io.dicom_objects.seg_write import VERSION

if TYPE_CHECKING:
    from pydicom import Dataset

AROUND = (0, 1, 3, 2, 0)
"""The corners of a box's first face, along its rim; those of the opposite face are 4 more."""


@dataclass(frozen=True)
class Evaluation:
    """A qualitative evaluation: a phrase or question, its answer, and the regions of the answer.

    Parameters
    ----------
    question
        The phrase that was searched for, or the question.
    sentence
        The answer.
    boxes
        Regions of the answer.
    present
        Whether the phrase was found; `None` for an answer to a question.
    score
        Confidence of the model, 0 to 1, if it states one.
    algorithm
        The backend and its model.
    """

    question: str
    sentence: str
    boxes: tuple[Box, ...] = ()
    present: bool | None = None
    score: float | None = None
    algorithm: str = ""


def groups_of(evaluation: Evaluation, frame: str, series: str) -> list[Any]:
    """The measurement groups of an evaluation: one for each box, or one without a place.

    A box is a volume surface between its first face and the one opposite, which defines it,
    at any angle. Groups of one evaluation share its tracking identifier.

    Parameters
    ----------
    frame
        FrameOfReferenceUID of the image.
    series
        Its SeriesInstanceUID.
    """
    from highdicom import sr
    from pydicom.uid import generate_uid

    fields = _evaluation_fields(evaluation)
    fields["tracking_identifier"] = sr.TrackingIdentifier(generate_uid(), evaluation.question)
    surfaces = [_surface(box, frame, series) for box in evaluation.boxes]
    groups: list[Any] = [
        sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_volume_surface=surface, **fields
        )
        for surface in surfaces
    ]
    groups = groups or [sr.MeasurementsAndQualitativeEvaluations(**fields)]
    for group in groups:
        group[0].ContentSequence.append(_finding_item(evaluation.sentence))
    return groups


def evaluations_in(content: Any) -> tuple[Evaluation, ...]:
    """The evaluations of a report's content, as `groups_of` wrote them, in the report's order."""
    groups = [
        *content.get_volumetric_roi_measurement_groups(),
        *content.get_image_measurement_groups(),
    ]
    evaluations: dict[str, Evaluation] = {}
    for group in groups:
        sentence = sentence_in(group)
        if sentence is not None:
            evaluation = _evaluation(group, sentence)
            known = evaluations.get(str(group.tracking_uid))
            boxes = (*(known.boxes if known else ()), *evaluation.boxes)
            evaluations[str(group.tracking_uid)] = replace(evaluation, boxes=boxes)
    return tuple(evaluations[uid] for uid in dict.fromkeys(_tracked(content)) if uid in evaluations)


def sentence_in(group: Any) -> str | None:
    """The sentence of a group, or `None` if it is no evaluation but measurements."""
    texts = [item for item in _items(group, "TEXT") if _code(item) == "121071"]
    return str(texts[0].TextValue) if texts else None


def _evaluation_fields(evaluation: Evaluation) -> dict[str, Any]:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    fields: dict[str, Any] = {"algorithm_id": None}
    if evaluation.algorithm:
        fields["algorithm_id"] = sr.AlgorithmIdentification(evaluation.algorithm, VERSION)
    if evaluation.present is not None:
        term = term_for(evaluation.question)
        fields |= {"finding_type": term.kind, "finding_category": term.category}
        value = codes.SCT.Present if evaluation.present else codes.SCT.Absent
        fields["qualitative_evaluations"] = [sr.QualitativeEvaluation(codes.DCM.Finding, value)]
    if evaluation.score is not None:
        percent = round(100 * evaluation.score, 3)
        certainty = codes.DCM.CertaintyOfFinding
        fields["measurements"] = [sr.Measurement(certainty, percent, codes.UCUM.Percent)]
    return fields


def _surface(box: Box, frame: str, series: str) -> Any:
    from highdicom import sr

    corners = box.corners()[:, ::-1]
    rims = [corners[[first + corner for corner in AROUND]] for first in (0, 4)]
    return sr.VolumeSurface(
        "POLYGON", rims, frame, source_series=sr.SourceSeriesForSegmentation(series)
    )


def _finding_item(text: str) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    return sr.TextContentItem(codes.DCM.Finding, text, sr.RelationshipTypeValues.CONTAINS)


def _tracked(content: Any) -> Iterator[str]:
    """The tracking UIDs of all groups as they stand: highdicom gives those with a place first."""
    for container in content[0].ContentSequence:
        for group in container.get("ContentSequence") or ():
            for item in group.get("ContentSequence") or ():
                if item.ValueType == "UIDREF" and _code(item) == "112040":
                    yield str(item.UID)


def _evaluation(group: Any, sentence: str) -> Evaluation:
    values = [item.ConceptCodeSequence[0].CodeValue for item in _items(group, "CODE", "121071")]
    numbers = [
        item.MeasuredValueSequence[0].NumericValue for item in _items(group, "NUM", "111012")
    ]
    makers = [str(item.TextValue) for item in _items(group, "TEXT", "111001")]
    return Evaluation(
        question=str(group.tracking_identifier),
        sentence=sentence,
        boxes=tuple(_boxes(_items(group, "SCOORD3D"))),
        present=_present(values),
        score=float(numbers[0]) / 100 if numbers else None,
        algorithm=makers[0] if makers else "",
    )


def _present(values: Sequence[str]) -> bool | None:
    from pydicom.sr.codedict import codes

    known = {codes.SCT.Present.value: True, codes.SCT.Absent.value: False}
    return next((known[value] for value in values if value in known), None)


def _boxes(rims: Iterable[Dataset]) -> Iterator[Box]:
    """The box between two opposite faces; none if a surface is anything else."""
    faces = [np.reshape(np.array(r.GraphicData, float), (-1, 3))[:, ::-1] for r in rims]
    if [len(face) for face in faces] != [5, 5]:
        return
    corner = faces[0][0]
    edges = (faces[1][0] - corner, faces[0][3] - corner, faces[0][1] - corner)
    yield Box(
        corner_mm=tuple(map(float, corner)),
        edges_mm=tuple(tuple(map(float, edge)) for edge in edges),
    )


def _items(group: Any, kind: str, code: str = "") -> list[Any]:
    """The content items of a group of one kind and, if asked for, one name."""
    items = group[0].ContentSequence
    return [i for i in items if i.ValueType == kind and (not code or _code(i) == code)]


def _code(item: Any) -> str:
    return str(item.ConceptNameCodeSequence[0].get("CodeValue", ""))
