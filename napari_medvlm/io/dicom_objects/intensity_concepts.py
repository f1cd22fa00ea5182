"""What intensities are in DICOM's terms: the concept and the unit of their measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_medvlm.data.volume import HU, SUV_UNIT

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

_ACTIVITY = "NuclearMedicineTomographicActivity"
CONCEPTS_OF_UNITS = {
    HU: "AttenuationCoefficient",
    SUV_UNIT: "Suvbw",
    "g/ml{SUVlbm}": "Suvlbm",
    "g/ml{SUVlbm(James128)}": "Suvlbm",
    "g/ml{SUVlbm(Janma)}": "Suvlbm",
    "g/ml{SUVibw}": "Suvibw",
    "cm2/ml{SUVbsa}": "Suvbsa",
    **dict.fromkeys(("Bq/ml", "{counts}", "{counts}/s", "{propcounts}"), _ACTIVITY),
    "{propcounts}/s": _ACTIVITY,
    "Gy": "AbsorbedDose",
    "{Zeff}": "EffectiveAtomicNumber",
}
"""Keywords of pydicom's table of DICOM codes, by the unit of intensities."""
CONCEPTS_OF_MODALITIES = {
    "CT": "XRayAttenuation",
    **dict.fromkeys(("CR", "DX", "MG", "RF", "XA", "IO", "PX"), "XRayAttenuation"),
    "US": "Echogenicity",
    "NM": _ACTIVITY,
    "PT": _ACTIVITY,
}
"""The same by modality, where the unit does not name the quantity; all others are MR signal."""


def intensity_concept(unit: str, modality: str) -> tuple[Code, Code]:
    """What the intensities of an image are, and their unit, as codes.

    Parameters
    ----------
    unit
        As UCUM writes it; empty if it is not known.
    modality
        DICOM's Modality of the image.
    """
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    keyword = CONCEPTS_OF_UNITS.get(unit) or CONCEPTS_OF_MODALITIES.get(modality)
    concept = getattr(codes.DCM, keyword) if keyword else codes.cid7469.MRSignalIntensity
    if not unit:
        return concept, codes.UCUM.NoUnits
    known = {HU: codes.UCUM.HounsfieldUnit}
    known[SUV_UNIT] = codes.UCUM.StandardizedUptakeValueBodyWeight
    return concept, known.get(unit) or Code(unit, "UCUM", unit)
