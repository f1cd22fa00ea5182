"""Segmentations and reports of series whose headers lack elements or name rare character sets."""

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.io import Segment
from tests.corpus.object_rows import sources

ABSENT = ("AccessionNumber", "PatientSex", "PatientBirthDate", "StudyID", "StudyTime")
CHARACTER_SETS = {
    "io20-japan": ["", "ISO 2022 IR 87"],
    "io20-korea": ["", "ISO 2022 IR 149"],
    "io20-china": ["", "ISO 2022 IR 58"],
    "io20-empty": "",
    "io20-unknown": "ISO_IR 999",
    "io20-latin": "ISO_IR 100",
}


def written(folder):
    """The names of the segments that highdicom reads, and the report."""
    volume = nmv.read_volume(folder / "series")
    mask = np.zeros(volume.shape, np.uint8)
    mask[1:, 2:9, 3:12] = 1
    nmv.write_mask(folder / "seg.dcm", mask, volume, {1: Segment("肝臓")})
    asked = ["measure", str(volume.source), "--mask", str(folder / "seg.dcm")]
    done = CliRunner().invoke(app, [*asked, "--sr", str(folder / "sr.dcm")])
    assert done.exit_code == 0, done.output
    seg = hd.seg.segread(folder / "seg.dcm")
    names = [seg.get_segment_description(n).segment_label for n in seg.segment_numbers]
    return names, hd.sr.srread(folder / "sr.dcm")


def edited(folder, change):
    for path in (folder / "series").iterdir():
        header = dcmread(path)
        change(header)
        header.save_as(path)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@pytest.mark.parametrize("value", CHARACTER_SETS.values(), ids=list(CHARACTER_SETS))
def test_a_series_of_any_character_set_has_a_segmentation_and_a_report(tmp_path, value):
    sources(tmp_path)

    def change(header):
        header.SpecificCharacterSet = value

    edited(tmp_path, change)
    names, report = written(tmp_path)
    assert names == ["肝臓"]
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    assert group.tracking_identifier == "肝臓"


@pytest.mark.parametrize("keyword", [*ABSENT, "SliceThickness"], ids=lambda k: f"io21-{k}")
def test_a_series_without_an_element_has_a_segmentation_and_a_report(tmp_path, keyword):
    sources(tmp_path)

    def change(header):
        if keyword in header:
            delattr(header, keyword)

    edited(tmp_path, change)
    names, report = written(tmp_path)
    assert names == ["肝臓"]
    assert len(report.content.get_volumetric_roi_measurement_groups()) == 1
