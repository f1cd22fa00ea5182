"""Whose image a DICOM file is of, taken out of it: the standard's basic profile.

What is done to which element is DICOM's own table (PS3.15, E.1-1), as dicom-anonymizer lists it.
Identities that must stay the same across files (UIDs, the patient's ID) are mapped by dicognito,
which also shifts dates.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from napari_medvlm.io.dicom_objects.identity_words import (
    PLACEHOLDER,
    TEXTS,
    identity_of,
    remove_words,
)

if TYPE_CHECKING:
    from pydicom import DataElement, Dataset

METHOD = "napari-medvlm: PS3.15 basic profile"
STANDARD = "1.2.840.10008."
"""The root of UIDs that the standard itself gives; they identify nobody."""
OF_CODES = (
    "CodingSchemeUID",
    "MappingResourceUID",
    "ContextUID",
    "ContextGroupExtensionCreatorUID",
)
FILE_META = (
    *("FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID"),
    *("MediaStorageSOPInstanceUID", "TransferSyntaxUID"),
)
"""What is left of the file meta information; the writer adds its own name."""
CHARACTERISTICS = ("PatientSex", "PatientAge", "PatientSize", "PatientWeight")
DESCRIPTIONS = (
    *("StudyDescription", "SeriesDescription", "ProtocolName", "RequestedProcedureDescription"),
    *("SegmentLabel", "SegmentDescription", "ContentLabel", "ContentDescription", "TrackingID"),
    *("StructureSetLabel", "StructureSetName", "ROIName", "ROIDescription", "ROIObservationLabel"),
    "TextValue",
)
VALID = {
    "DA": re.compile(r"\d{4}\.?\d\d\.?\d\d"),
    "TM": re.compile(r"\d\d(:?\d\d(:?\d\d(\.\d{1,6})?)?)?"),
    "DT": re.compile(r"\d{4}(\d\d(\d\d(\d\d(\d\d(\d\d(\.\d{1,6})?)?)?)?)?)?([+-]\d{4})?"),
}
PROFILE, CONTENT, DESCRIPTORS, DATES, PATIENT = "113100", "113104", "113105", "113107", "113108"
MEANINGS = {
    PROFILE: "Basic Application Confidentiality Profile",
    CONTENT: "Clean Structured Content Option",
    DESCRIPTORS: "Clean Descriptors Option",
    DATES: "Retain Longitudinal Temporal Information Modified Dates Option",
    PATIENT: "Retain Patient Characteristics Option",
}


@dataclass(frozen=True)
class Keep:
    """What is left in the files beyond the basic profile.

    Parameters
    ----------
    characteristics
        Sex, age, size and weight of the patient; without weight there is no SUV.
    descriptions
        Descriptions of study and series, names of objects. The patient's name and ID are taken out
        of them, but they are free text: somebody must look.
    """

    characteristics: bool = False
    descriptions: bool = False

    @property
    def keywords(self) -> frozenset[str]:
        """The elements that are left."""
        keywords = CHARACTERISTICS if self.characteristics else ()
        return frozenset((*keywords, *(DESCRIPTIONS if self.descriptions else ())))


class Deidentifier:
    """Takes the identity out of data sets; the same UID becomes the same one in all of them.

    Parameters
    ----------
    seed
        The same seed gives the same UIDs, IDs and shift of dates again. Anyone who knows it can
        find out which file is whose: keep it secret. None: a new one that nobody knows.
    """

    def __init__(self, seed: str | None = None, keep: Keep | None = None) -> None:
        from dicognito.anonymizer import Anonymizer

        self._keep = keep or Keep()
        self._anonymizer = Anonymizer(seed=seed or secrets.token_hex(32))
        profile: Any = _Profile(self._keep.keywords)  # one of dicognito's by its methods
        self._anonymizer.add_element_handler(profile)

    def clean(self, dataset: Dataset) -> None:
        """Take the identity out of a data set, in place."""
        words = identity_of(dataset)
        dataset.preamble = bytes(128)
        dataset.remove_private_tags()
        _keep_syntax(dataset.file_meta)
        _remove_unknown(dataset)
        self._anonymizer.anonymize(dataset)
        if "PatientName" in dataset:  # never a name that somebody may have
            dataset.PatientName = str(dataset.get("PatientID", ""))
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        remove_words(dataset, words)
        self._declare(dataset)

    def _declare(self, dataset: Dataset) -> None:
        from pydicom.dataset import Dataset as New

        options = [PROFILE, DATES]
        options += [PATIENT] if self._keep.characteristics else []
        options += [DESCRIPTORS] if self._keep.descriptions else []
        options += [CONTENT] if "ContentSequence" in dataset else []
        codes = []
        for option in options:
            code = New()
            code.CodeValue, code.CodingSchemeDesignator = option, "DCM"
            code.CodeMeaning = MEANINGS[option]
            codes.append(code)
        burned = dataset.get("BurnedInAnnotation") == "YES"
        dataset.PatientIdentityRemoved = "NO" if burned else "YES"
        dataset.DeidentificationMethod = [METHOD, "DICOGNITO"]
        dataset.DeidentificationMethodCodeSequence = codes
        dataset.LongitudinalTemporalInformationModified = "MODIFIED"


def _keep_syntax(meta: Dataset) -> None:
    """Leave of the file meta information what the file is; who wrote and sent it is removed."""
    for element in list(meta):
        if element.keyword not in FILE_META:
            del meta[element.tag]


def _remove_unknown(dataset: Dataset) -> None:
    """Remove elements that no dictionary names, those of unknown type, and addresses (URLs)."""
    for element in list(dataset):
        if not element.keyword or element.VR in ("UN", "UR"):
            del dataset[element.tag]
        elif element.VR == "SQ":
            for values in element.value or ():
                _remove_unknown(values)


class _Profile:
    """Says of each element what the table says; UIDs, IDs and dates go on to dicognito."""

    def __init__(self, retained: frozenset[str]) -> None:
        self._retained = retained

    def __call__(self, dataset: Dataset, element: DataElement) -> bool:
        """Whether the element is done with."""
        if _is_drawn_over(element.tag.group):
            del dataset[element.tag]
            return True
        if element.keyword in self._retained:
            return True
        if element.VR == "UI":
            return _is_public(element)
        if element.VR in VALID and not element.keyword.startswith("PatientBirth"):
            return _is_no_date(element)
        if element.keyword in ("PatientID", "ContentSequence"):
            return False
        action = "D" if element.keyword in DESCRIPTIONS else _table().get(int(element.tag), "K")
        return _act(action, dataset, element)

    def describe_actions(self) -> Iterator[str]:
        """What dicognito's list of what is done says of this."""
        yield "Apply the table of the basic profile"


def _act(action: str, dataset: Dataset, element: DataElement) -> bool:
    """Remove an element (X), empty it (Z) or put a placeholder there (D); else leave it (K)."""
    if action == "K":
        return False
    if action == "D" and element.VR in ("PN", "CS", *TEXTS):
        element.value = PLACEHOLDER if element.value else ""
    elif action == "Z":
        element.value = [] if element.VR == "SQ" else ""
    else:
        del dataset[element.tag]
    return True


@cache
def _table() -> dict[int, str]:
    """What the standard's table says of an element: X, Z or D."""
    from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as standard

    actions = {
        "D": (standard.D_TAGS, standard.X_D_TAGS),
        "Z": (standard.Z_TAGS, standard.Z_D_TAGS, standard.X_Z_TAGS, standard.X_Z_D_TAGS),
        "X": (standard.X_TAGS,),
    }
    values = {
        tag[0] << 16 | tag[1]: action
        for action, lists in actions.items()
        for tags in lists
        for tag in tags
        if len(tag) == 2  # those with four numbers are curves and overlays
    }
    return values | {0x0018_1000: "D"}  # the device's serial number: some objects must have one


def _is_drawn_over(group: int) -> bool:
    """Curves and overlays: often writing over the image."""
    return 0x5000 <= group <= 0x50FF or 0x6000 <= group <= 0x60FF


def _is_public(element: DataElement) -> bool:
    value: Any = element.value
    values = [value] if isinstance(value, str) else list(value or [])
    return element.keyword in OF_CODES or all(str(v).startswith(STANDARD) for v in values)


def _is_no_date(element: DataElement) -> bool:
    """Empty a date or time that is none: it may hold anything, and cannot be shifted."""
    value: Any = element.value
    values = [value] if isinstance(value, str) else list(value or [])
    if all(not v or VALID[element.VR].fullmatch(str(v).strip()) for v in values):
        return False
    element.value = ""
    return True
