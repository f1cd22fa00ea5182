"""Files that are given away: nothing of the patient in them, everything else as it was."""

import json
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

import napari_medvlm as nmv
from napari_medvlm.data.errors import Cancelled, CannotSave, InvalidImage
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.table import row
from napari_medvlm.io.dicom_objects.deidentification_profile import Keep
from napari_medvlm.io.dicom_objects.deidentify import deidentify
from napari_medvlm.io.dicom_objects.seg_read import read_seg
from napari_medvlm.io.dicom_objects.seg_write import Segment
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from tests.io.conftest import PATIENT
from tests.io.dicom_files import dataset, save, write_series

DATA = np.random.default_rng(0).integers(-1000, 1500, (6, 16, 20)).astype(np.int16)
SECRETS = ("Quxley", "Zebulon", "HN8842199", "19610723", "Grimthorpe", "PrivateWard", "20250314")
WHO = {
    **PATIENT,
    "PatientName": "Quxley^Zebulon",
    "PatientID": "HN8842199",
    "PatientBirthDate": "19610723",
    "PatientSex": "F",
    "PatientWeight": "71",
    "PatientComments": "Seen by Grimthorpe",
    "ReferringPhysicianName": "Grimthorpe^A",
    "InstitutionName": "PrivateWard",
    "StudyDate": "20250314",
    "StudyTime": "101500",
    "SeriesDescription": "Liver of Quxley",
    "StudyDescription": "For Dr Grimthorpe",
}


@pytest.fixture
def series(tmp_path):
    """A series with a SEG and an SR made of it, in one folder."""
    folder = tmp_path / "Quxley"
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(folder, DATA, **uids, **WHO)
    for path in folder.glob("*.dcm"):
        made = pydicom.dcmread(path)
        made.private_block(0x0099, "Scanner", create=True).add_new(1, "LO", "Quxley")
        made.add_new(0x60003000, "OW", b"Quxley")
        made.save_as(path)
    volume = nmv.read_volume(folder)
    mask = np.zeros(volume.shape, bool)
    mask[2:4, 3:9, 4:11] = True
    segment = {1: Segment("Quxley's liver")}
    nmv.write_mask(folder / "seg.dcm", mask.astype(np.uint8), volume, segment)
    values = row("liver", Mask.of(mask), volume).values
    write_sr(folder / "sr.dcm", folder / "seg.dcm", {1: values}, volume)
    return folder


def every(folder):
    return [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]


def test_nothing_of_the_patient_is_left_and_the_objects_fit_together(series, tmp_path):
    made = deidentify(series, tmp_path / "out")
    assert (len(made.files), made.left_out, made.warnings) == (8, (), ())
    for path in (tmp_path / "out").iterdir():
        for secret in SECRETS:
            assert secret.lower().encode() not in path.read_bytes().lower(), (path, secret)
    volume = nmv.read_volume(tmp_path / "out")
    before = nmv.read_volume(series)
    assert np.array_equal(volume.data, before.data)
    assert np.allclose(volume.affine, before.affine)
    files = every(tmp_path / "out")
    seg = next(f for f in files if f.Modality == "SEG")
    report = next(f for f in files if f.Modality == "SR")
    images = {f.SOPInstanceUID for f in files if f.Modality == "CT"}
    referred = {
        i.ReferencedSOPInstanceUID
        for i in seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    }
    assert referred <= images
    image = next(f for f in files if f.Modality == "CT")
    assert seg.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert len({f.StudyInstanceUID for f in files}) == 1
    found = read_seg(tmp_path / "out" / f"{seg.SOPInstanceUID}.dcm")
    assert found.values.sum() == 2 * 6 * 7
    reported = read_sr(tmp_path / "out" / f"{report.SOPInstanceUID}.dcm")[0]["mean"]
    assert reported == read_sr(series / "sr.dcm")[0]["mean"]


def test_every_file_says_what_was_done_to_it(series, tmp_path):
    deidentify(series, tmp_path / "out")
    for made in every(tmp_path / "out"):
        assert made.PatientIdentityRemoved == "YES"
        assert "PS3.15 basic profile" in made.DeidentificationMethod[0]
        assert made.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
        assert made.LongitudinalTemporalInformationModified == "MODIFIED"
        assert made.PatientName == made.PatientID != ""
        assert not [element for element in made.iterall() if element.tag.is_private]
        assert not [element for element in made if 0x6000 <= element.tag.group < 0x6100]
        assert made.get("PatientWeight") is None
        assert made.StudyDate < "20250314"


def test_a_seed_gives_the_same_again_and_no_seed_never_does(series, tmp_path):
    names = [
        set(deidentify(series, tmp_path / str(i), seed=seed).files)
        for i, seed in enumerate(["long and secret", "long and secret", None, None])
    ]
    assert names[0] == names[1]
    assert not names[0] & names[2]
    assert not names[2] & names[3]


def test_retained_attributes_are_written_without_the_name(series, tmp_path):
    deidentify(series, tmp_path / "out", keep=Keep(characteristics=True, descriptions=True))
    files = every(tmp_path / "out")
    image = next(f for f in files if f.Modality == "CT")
    assert (image.PatientSex, float(image.PatientWeight)) == ("F", 71.0)
    assert image.SeriesDescription == "Liver of REMOVED"
    assert {c.CodeValue for c in image.DeidentificationMethodCodeSequence} == {
        "113100", "113107", "113108", "113105",
    }  # fmt: skip
    seg = next(f for f in files if f.Modality == "SEG")
    assert seg.SegmentSequence[0].SegmentLabel == "REMOVED's liver"


def test_a_series_that_is_not_there_is_reported(series, tmp_path):
    with pytest.raises(InvalidImage, match="No file in .* is of the series 1.2.3"):
        deidentify(series, tmp_path / "out", series="1.2.3")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(series, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(CannotSave, match="already exists and is not overwritten"):
        deidentify(series, out)
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


def test_one_bad_file_is_reported_by_name_and_the_others_are_written(series, tmp_path):
    damaged = series / "001.dcm"
    damaged.write_bytes(damaged.read_bytes()[:300])
    (series / "empty.dcm").write_bytes(b"")
    made = deidentify(series, tmp_path / "out")
    assert len(made.files) == 7
    assert [name for name, _ in made.left_out] == ["001.dcm", "empty.dcm"]
    assert "2 files were left out:" in made.lines
    assert len(list((tmp_path / "out").iterdir())) == 7


def test_a_report_by_others_is_left_out(series, tmp_path):
    report = pydicom.dcmread(series / "sr.dcm")
    report.Manufacturer = "Someone else"
    report.save_as(series / "sr.dcm")
    made = deidentify(series, tmp_path / "out")
    assert "a report by another program" in dict(made.left_out)["sr.dcm"]


def test_where_nothing_can_be_written_nothing_is_left(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(b"nothing")
    with pytest.raises(CannotSave, match=r"None of the 1 files could be written; a.dcm"):
        deidentify(tmp_path / "in", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]
    (tmp_path / "none").mkdir()
    with pytest.raises(InvalidImage, match="no DICOM file in none"):
        deidentify(tmp_path / "none", tmp_path / "out")


def test_a_full_disk_or_a_cancel_leaves_nothing(series, tmp_path):
    def stop(fraction, message):
        if fraction > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        deidentify(series, tmp_path / "out", progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["Quxley"]


@pytest.mark.parametrize(
    ("values", "reported"),
    [
        ({"BurnedInAnnotation": "YES"}, "1 file has text burned into the image"),
        ({"Modality": "US"}, "1 file has no statement on burned-in text"),
        (
            {"sop_class": SecondaryCaptureImageStorage, "Modality": "CT"},
            "no statement on burned-in text",
        ),
        ({"Modality": "US", "BurnedInAnnotation": "NO"}, None),
    ],
    ids=["marked", "ultrasound", "secondary capture", "clean"],
)
def test_writing_in_the_picture_is_warned_of(values, reported, tmp_path):
    made = dataset(DATA[0], values.pop("sop_class", "1.2.840.10008.5.1.4.1.1.2"))
    for name, value in values.items():
        setattr(made, name, value)
    save(made, tmp_path / "in" / "a.dcm")
    found = deidentify(tmp_path / "in", tmp_path / "out")
    assert (reported is None) == (found.warnings == ())
    assert reported is None or reported in found.warnings[0]
    marked = values.get("BurnedInAnnotation") == "YES"
    assert every(tmp_path / "out")[0].PatientIdentityRemoved == ("NO" if marked else "YES")


def test_compressed_pixels_and_odd_dates_go_through(tmp_path):
    made = dataset(DATA[0], StudyDate="20250314", StudyTime="101500")
    made.compress(RLELossless)
    save(made, tmp_path / "in" / "a.dcm")
    data = (tmp_path / "in" / "a.dcm").read_bytes().replace(b"20250314", b"Quxley's")
    (tmp_path / "in" / "a.dcm").write_bytes(data)
    deidentify(tmp_path / "in", tmp_path / "out")
    assert np.array_equal(nmv.read_volume(next((tmp_path / "out").iterdir())).data[0], DATA[0])
    assert every(tmp_path / "out")[0].StudyDate == ""


def test_contours_keep_their_places_and_their_frame_of_reference(tmp_path):
    path = get_testdata_file("rtstruct.dcm", download=False)
    deidentify(path, tmp_path / "out")
    made, before = every(tmp_path / "out")[0], pydicom.dcmread(path, force=True)
    frame = made.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID
    assert frame != before.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID
    assert made.StructureSetROISequence[0].ReferencedFrameOfReferenceUID == frame
    contours = [f.ROIContourSequence[0].ContourSequence[0].ContourData for f in (made, before)]
    assert contours[0] == contours[1]


def test_the_command_states_what_it_wrote(series, tmp_path):
    command = [sys.executable, "-c", "from napari_medvlm.cli import app; app()", "deidentify"]
    arguments = [str(series), "--out", str(tmp_path / "out"), "--seed", "secret", "--json"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True)
    reported = json.loads(done.stdout)
    assert reported == {"out": str(tmp_path / "out"), "files": 8, "left_out": [], "warnings": []}
    again = subprocess.run([*command, *arguments], capture_output=True, text=True)
    assert again.returncode == 1
    assert "already exists" in again.stderr
