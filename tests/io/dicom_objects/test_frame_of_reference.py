"""An object of another frame of reference or patient than the image is named as such."""

import json

import numpy as np
import pydicom
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from pydicom.uid import generate_uid
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm import _reader
from napari_medvlm.cli import app
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.dicom_objects.frame_of_reference import mismatch_notes, open_image_notes
from napari_medvlm.io.dicom_objects.rtstruct_read import read_on_series
from napari_medvlm.layers import layer_data
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series

DATA = np.random.default_rng(1).integers(0, 400, (6, 16, 16)).astype(np.int16)
OTHER_FRAME = (
    "{} has another frame of reference than {}: the positions of its regions cannot be compared "
    "with the image."
)


def series(folder, patient, **values):
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(folder, DATA, **{**PATIENT, **uids, "PatientID": patient, **values})
    return nmv.read_volume(folder)


@pytest.fixture
def volume(tmp_path):
    return series(tmp_path / "one", "1")


@pytest.fixture(params=["seg.dcm", "x.rtstruct.dcm"])
def drawn(request, volume, tmp_path):
    mask = np.zeros(volume.shape, bool)
    mask[2:4, 4:8, 4:8] = True
    nmv.write_mask(tmp_path / request.param, mask, volume)
    return tmp_path / request.param


def frame_of(volume):
    return pydicom.dcmread(next(volume.source.iterdir())).FrameOfReferenceUID


def test_an_object_of_the_image_has_no_note(volume, drawn):
    assert mismatch_notes(drawn, volume) == ()


@pytest.mark.parametrize(
    ("patient", "same_frame", "notes"),
    [
        ("1", False, [OTHER_FRAME]),
        ("2", True, ["{} has another Patient ID than {}."]),
        ("2", False, [OTHER_FRAME, "{} has another Patient ID than {}."]),
        ("", True, []),
    ],
)
def test_another_frame_and_another_patient_are_notes(
    volume, drawn, tmp_path, patient, same_frame, notes
):
    values = {"FrameOfReferenceUID": frame_of(volume)} if same_frame else {}
    other = series(tmp_path / "other", patient, **values)
    expected = tuple(note.format(drawn.name, other.name) for note in notes)
    assert mismatch_notes(drawn, other) == expected
    asked = ["measure", str(other.source), "--mask", str(drawn), "--json"]
    assert json.loads(CliRunner().invoke(app, asked).stdout)["notes"] == list(expected)


def test_values_that_a_file_lacks_are_not_compared(volume, drawn, tmp_path):
    bare = tmp_path / "bare"
    write_series(bare, DATA)
    assert mismatch_notes(drawn, nmv.read_volume(bare)) == ()
    picture = nmv.Volume(DATA)
    assert mismatch_notes(drawn, picture) == ()
    (tmp_path / "table.csv").write_text("a")
    assert mismatch_notes(tmp_path / "table.csv", volume) == ()


def test_no_report_is_written_of_another_patient(volume, tmp_path):
    mask = np.zeros(volume.shape, bool)
    mask[2:4, 4:8, 4:8] = True
    nmv.write_mask(tmp_path / "seg.dcm", mask, volume)
    other = series(tmp_path / "other", "2")
    asked = ["measure", str(other.source), "--mask", str(tmp_path / "seg.dcm"), "--json"]
    done = CliRunner().invoke(app, [*asked, "--sr", str(tmp_path / "sr.dcm")])
    assert done.exit_code == 1
    assert "No report is written. seg.dcm has another frame of reference" in done.stderr
    assert json.loads(done.stdout)["objects"][0]["voxels"] == 2 * 4 * 4
    assert not (tmp_path / "sr.dcm").exists()


def test_regions_of_several_frames_are_a_note(volume, tmp_path):
    path = tmp_path / "x.rtstruct.dcm"
    labels = np.zeros(volume.shape, np.uint8)
    labels[2, 4:8, 4:8], labels[4, 4:8, 4:8] = 1, 2
    nmv.write_mask(path, labels, volume)
    structures = pydicom.dcmread(path)
    structures.StructureSetROISequence[1].ReferencedFrameOfReferenceUID = generate_uid()
    structures.save_as(path)
    assert mismatch_notes(path, volume) == (
        f"Some regions of x.rtstruct.dcm are in another frame of reference than {volume.name}.",
    )


def test_a_file_that_fits_one_of_the_open_images_has_no_note(volume, drawn, tmp_path):
    other = series(tmp_path / "other", "2")
    assert open_image_notes(drawn, [other, volume]) == ()
    assert len(open_image_notes(drawn, [other])) == 2
    assert open_image_notes(drawn, []) == ()


def test_opening_a_segmentation_in_a_window_shows_the_note(volume, tmp_path, monkeypatch):
    mask = np.zeros(volume.shape, bool)
    mask[2:4, 4:8, 4:8] = True
    path = tmp_path / "seg.dcm"
    nmv.write_mask(path, mask, volume)
    viewer, warnings = ViewerModel(), []
    viewer.add_layer(Layer.create(*layer_data(series(tmp_path / "other", "2"))))
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    monkeypatch.setattr("napari.utils.notifications.show_warning", warnings.append)
    _reader.get_reader(str(path))(str(path))
    assert warnings[0].startswith("seg.dcm has another frame of reference than ")


@pytest.fixture
def without_frame(drawn):
    """A segmentation or structure set that lacks its frame of reference."""
    made = pydicom.dcmread(drawn)
    made.pop("FrameOfReferenceUID", None)
    for frame in made.get("ReferencedFrameOfReferenceSequence", ()):
        frame.pop("FrameOfReferenceUID", None)
    for roi in made.get("StructureSetROISequence", ()):
        roi.pop("ReferencedFrameOfReferenceUID", None)
    made.save_as(drawn)
    return drawn


@pytest.mark.parametrize(
    "command",
    [
        ["measure", "{image}", "--mask", "{file}"],
        ["ask", "{image}", "How many objects are there?", "--labels", "{file}"],
        ["ground", "{image}", "Object 1", "--labels", "{file}"],
    ],
)
def test_an_assumed_frame_of_reference_is_in_every_json(volume, without_frame, command):
    words = [word.format(image=volume.source, file=without_frame) for word in command]
    done = CliRunner().invoke(app, [*words, "--json"])
    notes = json.loads(done.stdout)["notes"]
    assert [n for n in notes if "states no frame of reference" in n and without_frame.name in n]


def test_an_assumed_frame_of_reference_is_shown_in_the_window(volume, without_frame, monkeypatch):
    viewer, warnings = ViewerModel(), []
    viewer.add_layer(Layer.create(*layer_data(volume)))
    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    monkeypatch.setattr("napari.utils.notifications.show_warning", warnings.append)
    _reader.get_reader(str(without_frame))(str(without_frame))
    assert "states no frame of reference" in " ".join(warnings)


def test_structures_that_name_no_series_are_laid_over_the_only_open_one(volume, tmp_path):
    path = tmp_path / "x.rtstruct.dcm"
    nmv.write_mask(path, np.ones(volume.shape, np.uint8), volume)
    made = pydicom.dcmread(path)
    del made.ReferencedFrameOfReferenceSequence
    made.save_as(path)
    named = read_on_series(path, {"1.2": volume.grid})
    assert named.mask_of(1).voxels == volume.data.size
    assert "names no series" in named.notes[0]
    for grids in ({}, {"1.2": volume.grid, "1.3": volume.grid}):
        with pytest.raises(InvalidImage, match="names no series"):
            read_on_series(path, grids)


def test_labels_of_other_voxels_and_of_another_patient_are_in_the_json(volume, drawn, tmp_path):
    other = series(tmp_path / "other", "2", PixelSpacing=[2, 2])
    asked = ["ask", str(other.source), "How many objects are there?", "--labels", str(drawn)]
    done = CliRunner().invoke(app, [*asked, "--json"])
    notes = " ".join(json.loads(done.stdout)["notes"]) if done.stdout else done.stderr
    assert "another Patient ID" in notes
    if drawn.name == "seg.dcm":
        assert "does not lie on the slices of the image voxel on voxel" in notes
        assert "the nearest of them are taken" in notes
