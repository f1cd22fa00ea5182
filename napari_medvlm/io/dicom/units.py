"""The unit of a DICOM image's intensities, as UCUM writes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_medvlm.data.volume import HU
from napari_medvlm.io.dicom.header import item, text

if TYPE_CHECKING:
    from pydicom import Dataset

UNSPECIFIED = "US"
UCUM = "UCUM:"
"""Before the unit of a real world value mapping, where a Rescale Type stands otherwise."""
UCUM_HU = "[hnsf'U]"
RESCALE_TYPES = {
    "HU": HU,
    "MGML": "mg/ml",
    "PCT": "%",
    "ED": "10*23/ml",
    "EDW": "{EDW}",
    "Z_EFF": "{Zeff}",
    "HU_MOD": "{HU_MOD}",
    "OD": "{mOD}",
    UNSPECIFIED: "",
}
"""By DICOM's Rescale Type and Modality LUT Type (PS3.3, C.11.1.1.2)."""
PET_UNITS = {
    "BQML": "Bq/ml",
    "CNTS": "{counts}",
    "CPS": "{counts}/s",
    "PROPCNTS": "{propcounts}",
    "PROPCPS": "{propcounts}/s",
    "PCNT": "%",
    "CM2": "cm2",
    "CM2ML": "cm2/ml",
    "GML": "g/ml",
    "MLG": "ml/g",
    "MLML": "ml/ml",
    "1CM": "/cm",
    "MLMING": "ml/min/g",
    "MLMINML": "ml/min/ml",
    "MGMINML": "mg/min/ml",
    "UMOLML": "umol/ml",
    "UMOLMINML": "umol/min/ml",
    "STDDEV": "{SD}",
}
"""By the Units of a PET series (PS3.3, C.8.9.1.1.3)."""
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""How the SOP classes of pictures of screens, films and documents begin."""
NO_HU_IN_CAPTURE = (
    "The intensities are not Hounsfield units: the file is a secondary capture, as of a screen."
)
SUV_UNITS = {
    "LBM": "g/ml{SUVlbm}",
    "LBMJAMES128": "g/ml{SUVlbm(James128)}",
    "LBMJANMA": "g/ml{SUVlbm(Janma)}",
    "IBW": "g/ml{SUVibw}",
    "BSA": "cm2/ml{SUVbsa}",
}
"""By SUV Type, of uptake that is not by body weight (DICOM's context group 85)."""


def rescale_type(header: Dataset, groups: list[Dataset]) -> str:
    """What the intensities of a slice are, in DICOM's terms; empty if the header does not state it.

    Of real world values that are the rescaled values, it is `UCUM` and their unit.

    Parameters
    ----------
    groups
        The functional groups of a frame: its own, then the shared ones; empty for a plain file.
    """
    table = item(header, "ModalityLUTSequence")
    if table is not None:
        return text(table, "ModalityLUTType") or UNSPECIFIED
    of_frame = [item(group, "PixelValueTransformationSequence") for group in groups]
    values = [values for values in (*of_frame, header) if values is not None]
    stated = next(filter(None, (text(v, "RescaleType") for v in values)), "")
    return stated if stated not in ("", UNSPECIFIED) else _mapped(groups, values) or stated


def _mapped(groups: list[Dataset], values: list[Dataset]) -> str:
    """The unit of a frame's real world values, if they are its rescaled values; else empty.

    `values` state the rescale of the frame; its own first.
    """
    mapping = next(filter(None, (item(g, "RealWorldValueMappingSequence") for g in groups)), None)
    code = None if mapping is None else item(mapping, "MeasurementUnitsCodeSequence")
    if mapping is None or code is None:
        return ""
    for rescale, real, default in (
        ("RescaleSlope", "RealWorldValueSlope", 1.0),
        ("RescaleIntercept", "RealWorldValueIntercept", 0.0),
    ):
        used = next((v.get(rescale) for v in values if v.get(rescale) is not None), default)
        try:
            same = math.isclose(float(used), float(mapping.get(real)), rel_tol=1e-6, abs_tol=1e-9)
        except (TypeError, ValueError):
            return ""
        if not same:
            return ""
    return f"{UCUM}{text(code, 'CodeValue')}"


def mapped_unit(types: Sequence[str]) -> str:
    """The unit of real world values, by what `rescale_type` gives for all slices; else empty."""
    mapped = {kind.removeprefix(UCUM) if kind.startswith(UCUM) else "" for kind in types}
    return mapped.pop() if len(mapped) == 1 else ""


def unit_of(types: Sequence[str], modality: str) -> tuple[str | None, tuple[str, ...]]:
    """The unit of a volume and what is to be reported of it.

    Parameters
    ----------
    types
        The Rescale Type of each slice.

    Returns
    -------
    The unit; None if no type is stated. A note on CT whose intensities are not Hounsfield units,
    and on slices of several types.
    """
    stated = sorted(set(types))
    if len(stated) > 1:
        return "", (f"The slices have several Rescale Types ({', '.join(stated)}); no unit.",)
    if not stated[0]:
        return None, ()
    mapped = stated[0].removeprefix(UCUM) if stated[0].startswith(UCUM) else None
    if mapped is not None:
        return (HU if mapped == UCUM_HU else "" if mapped == "1" else mapped), ()
    unit = RESCALE_TYPES.get(stated[0].upper(), "")
    if modality != "CT" or unit == HU:
        return unit, ()
    return unit, (
        f"The intensities are not Hounsfield units: the header's Rescale Type is {stated[0]}.",
    )


def is_plain_capture(header: Dataset) -> bool:
    """Whether a file is a secondary capture whose intensities nothing rescales."""
    uid = text(header, "SOPClassUID")
    is_capture = uid == SECONDARY_CAPTURE or uid.startswith(f"{SECONDARY_CAPTURE}.")
    return is_capture and "RescaleIntercept" not in header and "RescaleSlope" not in header


def pet_unit(header: Dataset) -> str:
    """The unit of a PET series; empty if the header states none that is known."""
    units, kind = text(header, "Units").upper(), text(header, "SUVType").upper()
    if units in ("GML", "CM2ML") and kind in SUV_UNITS:
        return SUV_UNITS[kind]
    return PET_UNITS.get(units, "")
