"""Distances and angles as measurements of a DICOM report (TID 1501 with TID 320), and back.

Each is a group whose measurements are inferred from a polyline in the frame of reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from napari_medvlm.data.measurements.ruler import Ruler

LENGTH, ANGLE = "410668003", "1483009"
"""SNOMED CT codes of the two quantities."""


def ruler_groups(rulers: Sequence[Ruler], frame: str) -> list[Any]:
    """The measurement group of each distance and angle.

    Parameters
    ----------
    rulers
        Those without a finite length and angle are left out.
    frame
        FrameOfReferenceUID of the image.
    """
    from highdicom import sr
    from pydicom.uid import generate_uid

    groups = []
    for ruler in rulers:
        measurements = list(_measurements(ruler, frame))
        if measurements:
            tracked = sr.TrackingIdentifier(generate_uid(), ruler.name)
            groups.append(
                sr.MeasurementsAndQualitativeEvaluations(tracked, measurements=measurements)
            )
    return groups


def rulers_in(content: Any) -> tuple[Ruler, ...]:
    """The distances and angles of a report's content, as `ruler_groups` wrote them."""
    rulers = []
    for group in content.get_image_measurement_groups():
        for item in group[0].ContentSequence:
            if item.ValueType == "NUM" and _code(item) in (LENGTH, ANGLE):
                lines = [i for i in item.get("ContentSequence") or () if i.ValueType == "SCOORD3D"]
                if lines:
                    points = np.reshape(np.array(lines[0].GraphicData, float), (-1, 3))[:, ::-1]
                    rulers.append(Ruler(str(group.tracking_identifier), points))
    return tuple(rulers)


def _measurements(ruler: Ruler, frame: str) -> Iterator[Any]:
    """The angle of three points, otherwise the length, with the polyline that it is of."""
    from highdicom import sr
    from pydicom.sr.codedict import codes

    angle, length = ruler.angle_deg, ruler.length_mm
    if np.isfinite(angle):
        of = codes.SCT.Angle, round(angle, 4), codes.UCUM.Degree
    elif np.isfinite(length):
        of = codes.SCT.Length, round(length, 4), codes.UCUM.Millimeter
    else:
        return
    line = sr.CoordinatesForMeasurement3D("POLYLINE", ruler.points_mm[:, ::-1], frame)
    yield sr.Measurement(*of, referenced_coordinates=[line])


def _code(item: Any) -> str:
    return str(item.ConceptNameCodeSequence[0].get("CodeValue", ""))
