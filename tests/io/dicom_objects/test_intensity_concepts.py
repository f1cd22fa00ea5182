"""Measurements of intensities are reported by the quantity that they are."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import MRImageStorage, PositronEmissionTomographyImageStorage
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.io import Segment
from napari_medvlm.io.dicom_objects.intensity_concepts import intensity_concept
from tests.corpus.object_rows import sources


@pytest.mark.parametrize(
    ("unit", "modality", "code", "ucum"),
    [
        ("HU", "CT", "112031", "[hnsf'U]"),
        ("g/ml{SUVbw}", "PT", "126401", "g/ml{SUVbw}"),
        ("g/ml{SUVlbm(Janma)}", "PT", "126402", "g/ml{SUVlbm(Janma)}"),
        ("cm2/ml{SUVbsa}", "PT", "126403", "cm2/ml{SUVbsa}"),
        ("g/ml{SUVibw}", "PT", "126404", "g/ml{SUVibw}"),
        ("Bq/ml", "PT", "110821", "Bq/ml"),
        ("{counts}", "PT", "110821", "{counts}"),
        ("Gy", "RTDOSE", "128513", "Gy"),
        ("{Zeff}", "CT", "129320", "{Zeff}"),
        ("mg/ml", "CT", "110850", "mg/ml"),
        ("", "CT", "110850", "1"),
        ("", "DX", "110850", "1"),
        ("", "US", "110849", "1"),
        ("", "NM", "110821", "1"),
        ("", "MR", "110852", "1"),
    ],
)
def test_a_concept_follows_from_the_unit_or_else_from_the_modality(unit, modality, code, ucum):
    """Codes of DICOM PS3.16, annex D, and UCUM."""
    concept, of = intensity_concept(unit, modality)
    assert (concept.value, concept.scheme_designator) == (code, "DCM")
    assert (of.value, of.scheme_designator) == (ucum, "UCUM")


@pytest.mark.parametrize(
    ("modality", "sop_class", "code", "values"),
    [
        ("PT", PositronEmissionTomographyImageStorage, "110821", {"Units": "BQML"}),
        ("MR", MRImageStorage, "110852", {}),
    ],
)
def test_a_report_names_the_quantity_and_the_validator_finds_no_error(
    tmp_path, modality, sop_class, code, values
):
    sources(tmp_path, modality=modality, sop_class=sop_class, **values)
    volume = nmv.read_volume(tmp_path / "series")
    mask = np.zeros(volume.shape, np.uint8)
    mask[1:, 2:9, 3:12] = 1
    nmv.write_mask(tmp_path / "seg.dcm", mask, volume, {1: Segment("lesion")})
    asked = ["measure", str(volume.source), "--mask", str(tmp_path / "seg.dcm")]
    done = CliRunner().invoke(app, [*asked, "--sr", str(tmp_path / "sr.dcm")])
    assert done.exit_code == 0, done.output
    report = dcmread(tmp_path / "sr.dcm")
    assert code in {c.CodeValue for c in _names(report)}
    assert ("110852" in {c.CodeValue for c in _names(report)}) == (modality == "MR")
    if sys.platform == "linux":
        command = ["dciodvfy", "-new", tmp_path / "sr.dcm"]
        verified = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "Error" not in verified.stderr


def _names(item):
    for child in item.get("ContentSequence", []):
        yield from child.get("ConceptNameCodeSequence", [])
        yield from _names(child)
