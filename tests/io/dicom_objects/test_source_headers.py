"""SEG, RTSTRUCT and SR of series whose headers lack elements, and in any script."""

import subprocess
import sys

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.io import Segment
from napari_medvlm.io.dicom_objects.source_headers import TYPE_2, source_headers
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.label_images import read_masks
from tests.io.conftest import PATIENT
from tests.io.dicom_files import enhanced, write_series

DATA = np.random.default_rng(1).integers(0, 400, (6, 16, 16)).astype(np.int16)
NAMES = {1: "肝臓", 2: "Žlučník", 3: "печень", 4: "liver"}


@pytest.fixture
def of_series(tmp_path):
    """A volume of six slices; elements whose value is `None` are absent."""

    def make(**values):
        uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
        write_series(tmp_path / "series", DATA, **uids, **PATIENT)
        for file in (tmp_path / "series").iterdir():
            header = pydicom.dcmread(file)
            for keyword, value in values.items():
                if value is None:
                    delattr(header, keyword)
                else:
                    setattr(header, keyword, value)
            header.save_as(file)
        return nmv.read_volume(tmp_path / "series")

    return make


def labels_of(volume):
    labels = np.zeros(volume.shape, np.uint8)
    for number in NAMES:
        labels[1:4, 3 * number - 2 : 3 * number, 2:12] = number
    return labels


def write_all(volume, folder):
    """SEG, RTSTRUCT and SR of four objects; the paths."""
    segments = {number: Segment(name) for number, name in NAMES.items()}
    paths = [folder / name for name in ("seg.dcm", "x.rtstruct.dcm", "sr.dcm")]
    for path in paths[:2]:
        nmv.write_mask(path, labels_of(volume), volume, segments)
    asked = ["measure", str(volume.source), "--mask", str(paths[0]), "--sr", str(paths[2])]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    return paths


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
def test_elements_of_type_2_that_a_series_lacks_are_empty(of_series, tmp_path):
    volume = of_series(**dict.fromkeys(TYPE_2, None))
    for path in write_all(volume, tmp_path):
        header = pydicom.dcmread(path)
        assert [str(header[keyword].value) for keyword in TYPE_2] == [""] * len(TYPE_2)
        validator = subprocess.run(
            ["dciodvfy", "-new", path], capture_output=True, text=True, check=False
        )
        assert "Error" not in validator.stderr


@pytest.mark.parametrize("keyword", [*TYPE_2, "SliceThickness"])
def test_each_of_them_may_be_absent(of_series, tmp_path, keyword):
    volume = of_series(**{keyword: None})
    for path in write_all(volume, tmp_path)[:2]:
        assert np.array_equal(read_masks(path, volume.grid).values, labels_of(volume))


def test_slices_whose_orientations_are_rounded_differently_have_a_segmentation(of_series, tmp_path):
    volume = of_series()
    file = sorted(volume.source.iterdir())[2]
    header = pydicom.dcmread(file)
    header.ImageOrientationPatient = [1, 0.00001, 0, -0.00001, 1, 0]
    header.save_as(file)
    path = write_all(nmv.read_volume(volume.source), tmp_path)[0]
    assert np.array_equal(read_masks(path, volume.grid).values, labels_of(volume))


def test_an_enhanced_image_with_pixel_measures_in_each_frame_has_a_segmentation(tmp_path):
    source, path = tmp_path / "ct.dcm", tmp_path / "seg.dcm"
    uids = {name: generate_uid() for name in ("StudyInstanceUID", "SeriesInstanceUID")}
    enhanced(source, DATA, **uids, **PATIENT, FrameOfReferenceUID=generate_uid())
    header = pydicom.dcmread(source)
    (shared,) = header.SharedFunctionalGroupsSequence
    for frame in header.PerFrameFunctionalGroupsSequence:
        frame.PixelMeasuresSequence = shared.PixelMeasuresSequence
        frame.PlaneOrientationSequence = shared.PlaneOrientationSequence
    header.SharedFunctionalGroupsSequence = [Dataset()]
    header.save_as(source)
    volume = nmv.read_volume(source)
    nmv.write_mask(path, labels_of(volume), volume)
    assert np.array_equal(read_masks(path, volume.grid).values, labels_of(volume))
    (shared,) = hd.seg.segread(path).SharedFunctionalGroupsSequence
    assert shared.PixelMeasuresSequence[0].PixelSpacing == [0.7, 0.9]


@pytest.mark.parametrize("character_set", [None, "ISO_IR 100", ["", "ISO 2022 IR 87"], ""])
def test_names_in_any_script_are_in_all_files(of_series, tmp_path, character_set):
    latin = character_set == "ISO_IR 100"
    patient = "Müller^Jürgen" if latin else "Yamada^Tarou"
    values = {} if character_set is None else {"SpecificCharacterSet": character_set}
    seg, structures, report = map(
        pydicom.dcmread, write_all(of_series(PatientName=patient, **values), tmp_path)
    )
    names = list(NAMES.values())
    assert [segment.SegmentLabel for segment in seg.SegmentSequence] == names
    assert [roi.ROIName for roi in structures.StructureSetROISequence] == names
    groups = hd.sr.srread(tmp_path / "sr.dcm").content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == names
    for header in (seg, structures, report):
        assert header.SpecificCharacterSet == "ISO_IR 192"
        assert header.PatientName == patient


def test_a_report_that_cannot_be_written_names_what_is_missing(of_series, tmp_path, monkeypatch):
    volume = of_series()
    seg = write_all(volume, tmp_path)[0]
    headers = source_headers(volume)
    del headers[0].StudyInstanceUID
    monkeypatch.setattr("napari_medvlm.io.dicom_objects.sr.source_headers", lambda volume: headers)
    rows = CliRunner().invoke(app, ["measure", str(volume.source), "--mask", str(seg), "--sr",
                                    str(tmp_path / "b.dcm")])  # fmt: skip
    assert rows.exit_code == 1
    assert rows.stdout.startswith("肝臓: ")
    assert "they have no StudyInstanceUID." in rows.stderr
    with pytest.raises(CannotSave, match="nothing to report"):
        write_sr(tmp_path / "c.dcm", seg, {}, volume)


def test_a_chinese_name_behind_an_escape_sequence_is_written_without_it(of_series, tmp_path):
    marks = "x" * 13
    volume = of_series(SpecificCharacterSet=["", "ISO 2022 IR 58"], PatientName=f"Wang={marks}")
    name = b"^".join(b"\x1b$)A" + part.encode("gb2312") for part in "王小")
    for file in volume.source.iterdir():  # pydicom writes no escape sequence of this set
        file.write_bytes(file.read_bytes().replace(marks.encode(), name))
    nmv.write_mask(tmp_path / "seg.dcm", labels_of(volume), volume)
    assert str(pydicom.dcmread(tmp_path / "seg.dcm").PatientName) == "Wang=王^小"
