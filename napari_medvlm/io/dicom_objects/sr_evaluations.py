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
    """What was said of an image, and where.

    Parameters
    ----------
    asked
        The phrase that was looked for, or the question.
    said
        The answer, a sentence.
    boxes
        Where it is or comes from.
    present
        Whether the phrase was found; `None` of an answer.
    score
        The model's own confidence, 0 to 1, if it has one.
    who
        The backend and its model.
    """

    asked: str
    said: str
    boxes: tuple[Box, ...] = ()
    present: bool | None = None
    score: float | None = None
    who: str = ""


def groups_of(evaluation: Evaluation, frame: str, series: str) -> list[Any]:
    """The measurement groups of an evaluation: one for each box, or one without a place.

    A box is a volume surface between its first face and the one opposite, which tells all of it,
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

    told = _told(evaluation)
    told["tracking_identifier"] = sr.TrackingIdentifier(generate_uid(), evaluation.asked)
    surfaces = [_surface(box, frame, series) for box in evaluation.boxes]
    made: list[Any] = [
        sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_volume_surface=surface, **told
        )
        for surface in surfaces
    ]
    made = made or [sr.MeasurementsAndQualitativeEvaluations(**told)]
    for group in made:
        group[0].ContentSequence.append(_finding(evaluation.said))
    return made


def evaluations_in(content: Any) -> tuple[Evaluation, ...]:
    """The evaluations of a report's content, as `groups_of` wrote them, in the report's order."""
    groups = [
        *content.get_volumetric_roi_measurement_groups(),
        *content.get_image_measurement_groups(),
    ]
    found: dict[str, Evaluation] = {}
    for group in groups:
        said = said_in(group)
        if said is not None:
            one = _evaluation(group, said)
            known = found.get(str(group.tracking_uid))
            boxes = (*(known.boxes if known else ()), *one.boxes)
            found[str(group.tracking_uid)] = replace(one, boxes=boxes)
    return tuple(found[uid] for uid in dict.fromkeys(_tracked(content)) if uid in found)


def said_in(group: Any) -> str | None:
    """The sentence of a group, or `None` if it is no evaluation but measurements."""
    texts = [item for item in _items(group, "TEXT") if _code(item) == "121071"]
    return str(texts[0].TextValue) if texts else None


def _told(evaluation: Evaluation) -> dict[str, Any]:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    told: dict[str, Any] = {"algorithm_id": None}
    if evaluation.who:
        told["algorithm_id"] = sr.AlgorithmIdentification(evaluation.who, VERSION)
    if evaluation.present is not None:
        term = term_for(evaluation.asked)
        told |= {"finding_type": term.kind, "finding_category": term.category}
        value = codes.SCT.Present if evaluation.present else codes.SCT.Absent
        told["qualitative_evaluations"] = [sr.QualitativeEvaluation(codes.DCM.Finding, value)]
    if evaluation.score is not None:
        percent = round(100 * evaluation.score, 3)
        certainty = codes.DCM.CertaintyOfFinding
        told["measurements"] = [sr.Measurement(certainty, percent, codes.UCUM.Percent)]
    return told


def _surface(box: Box, frame: str, series: str) -> Any:
    from highdicom import sr

    corners = box.corners()[:, ::-1]
    rims = [corners[[first + corner for corner in AROUND]] for first in (0, 4)]
    return sr.VolumeSurface(
        "POLYGON", rims, frame, source_series=sr.SourceSeriesForSegmentation(series)
    )


def _finding(text: str) -> Any:
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


def _evaluation(group: Any, said: str) -> Evaluation:
    values = [item.ConceptCodeSequence[0].CodeValue for item in _items(group, "CODE", "121071")]
    numbers = [
        item.MeasuredValueSequence[0].NumericValue for item in _items(group, "NUM", "111012")
    ]
    makers = [str(item.TextValue) for item in _items(group, "TEXT", "111001")]
    return Evaluation(
        asked=str(group.tracking_identifier),
        said=said,
        boxes=tuple(_boxes(_items(group, "SCOORD3D"))),
        present=_present(values),
        score=float(numbers[0]) / 100 if numbers else None,
        who=makers[0] if makers else "",
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
