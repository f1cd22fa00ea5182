"""The words that identify a patient, taken out of all texts of a data set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

TEXTS = ("LO", "LT", "SH", "ST", "UC", "UT")
PLACEHOLDER = "REMOVED"
CODES = ("CodeValue", "LongCodeValue", "CodeMeaning")
STANDARD_SCHEMES = frozenset(
    ("SCT", "SRT", "SNM3", "DCM", "UCUM", "LN", "RADLEX", "FMA", "NCIt", "UMLS", "ICD10", "I10"),
)
"""Coding schemes that everybody shares: no code of theirs is about a patient."""
STRUCTURAL = frozenset(
    (
        *("PhotometricInterpretation", "Modality", "SegmentationType", "SegmentAlgorithmType"),
        *("ValueType", "RelationshipType", "ContinuityOfContent", "GraphicType"),
        *("ContourGeometricType", "DimensionOrganizationType", "SpecificCharacterSet"),
        *("CompletionFlag", "VerificationFlag", "TemporalRangeType", "PresentationLUTShape"),
        *("LossyImageCompression", "BurnedInAnnotation"),
    ),
)
"""Elements of code strings that say how to read the file; a name may be equal to one by chance."""


def identity_of(dataset: Dataset) -> re.Pattern[str] | None:
    """Words that identify the patient, of four letters or more; None if there are none."""
    parts = set()
    for keyword in ("PatientName", "OtherPatientNames", "PatientID", "OtherPatientIDs"):
        value = str(dataset.get(keyword) or "")
        parts |= {value, *re.split(r"[\^=\\\s,'\[\]]+", value)}
    words = sorted((re.escape(word) for word in parts if len(word) >= 4), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None


def remove_words(dataset: Dataset, words: re.Pattern[str] | None) -> None:
    """Take words out of all texts, code strings, titles and codes of no shared scheme, in place."""
    if words is None:
        return
    shared = str(dataset.get("CodingSchemeDesignator") or "") in STANDARD_SCHEMES
    for element in dataset:
        if element.VR == "SQ":
            for values in element.value or ():
                remove_words(values, words)
        elif _is_text(element) and element.value and not (shared and element.keyword in CODES):
            _remove(element, words)


def _is_text(element: DataElement) -> bool:
    if element.VR == "CS":
        return element.keyword not in STRUCTURAL
    return element.VR in (*TEXTS, "AE") and element.keyword != "CodingSchemeDesignator"


def _remove(element: DataElement, words: re.Pattern[str]) -> None:
    value: Any = element.value
    values = [value] if isinstance(value, str) else list(value)
    changed = [words.sub(PLACEHOLDER, str(v)) for v in values]
    if changed != values:
        element.value = changed[0] if isinstance(value, str) else changed
