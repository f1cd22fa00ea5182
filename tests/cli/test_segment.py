"""The command line does what the window does."""

import json

import numpy as np
import pydicom
import pytest
import typer
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.backends import registry
from napari_medvlm.cli import app
from napari_medvlm.data.geometry.grid import placed
from napari_medvlm.io.label_images import read_labels
from tests.conftest import dice, make_phantom
from tests.io.dicom_files import write_series
from tests.worker.conftest import use_foreign

run = CliRunner().invoke
commands = typer.main.get_command(app).commands
NO_DETAILS = dict.fromkeys(
    ["PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID",
     "ReferringPhysicianName", "Manufacturer"], ""
)  # fmt: skip


@pytest.fixture
def scan(tmp_path):
    volume, left, _ = make_phantom()
    nmv.write_mask(tmp_path / "scan.nrrd", volume.data - volume.data.min(), volume)
    return tmp_path / "scan.nrrd", left


def test_segment_writes_a_mask_and_one_json_object(scan, tmp_path):
    path, left = scan
    out, session = tmp_path / "mask.nii.gz", tmp_path / "session.json"
    done = run(
        app,
        [
            *("segment", str(path), "--point", "12,20,13", "--negative", "12,4,22"),
            *("--out", str(out), "--session", str(session), "--json"),
        ],
    )
    assert done.exit_code == 0, done.output
    reported = json.loads(done.stdout)
    assert reported["backend"] == "embedded"
    assert reported["volume_ml"] == pytest.approx(2 * left.sum() / 1000, rel=0.2)
    assert reported["seconds_per_click"] > 0
    assert np.shape(reported["box_mm"]) == (2, 3)
    mask = nmv.read_volume(out).data > 0
    assert dice(mask, left) > 0.85
    again = run(app, ["replay", str(session), "--json"])
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["identical"] is True


def test_a_line_over_the_longest_diameter_segments_the_object(scan, tmp_path):
    path, left = scan
    out = tmp_path / "mask.nii.gz"
    line = ("--line", "12,10,13:12,30,13")
    done = run(app, ["segment", str(path), *line, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert dice(nmv.read_volume(out).data > 0, left) > 0.85


@pytest.mark.parametrize("command", ["segment", "measure", "ask", "ground", "prepare", "replay"])
def test_commands_that_read_an_image_have_the_options_that_messages_name(command):
    options = {option for parameter in commands[command].params for option in parameter.opts}
    assert {"--series", "--frame", "--gaps"} <= options


@pytest.mark.parametrize("words", [("ask", "How large is the image?"), ("ground", "skull")])
def test_uneven_slices_are_resampled_for_questions_and_phrases_too(tmp_path, words):
    data = np.random.default_rng(0).integers(0, 900, (6, 7, 8)).astype(np.int16)
    write_series(tmp_path, data)
    next(p for p in tmp_path.iterdir() if pydicom.dcmread(p).InstanceNumber == 3).unlink()
    command, text = words
    refused = run(app, [command, str(tmp_path), text])
    assert "--gaps on the command line" in refused.stderr
    filled = run(app, [command, str(tmp_path), text, "--gaps", "fill", "--json"])
    assert filled.exit_code == (0 if command == "ask" else 3), filled.stderr


def test_session_and_report_are_there_though_the_mask_cannot_be_written(scan, tmp_path):
    path, _ = scan
    session, report = tmp_path / "session.json", tmp_path / "report.html"
    done = run(
        app,
        [
            *("segment", str(path), "--point", "12,20,13", "--out", str(tmp_path / "mask.dcm")),
            *("--session", str(session), "--report", str(report)),
        ],
    )
    assert done.exit_code == 1
    assert "scan was not read from a DICOM series" in done.output
    assert report.exists()
    assert run(app, ["replay", str(session)]).stdout.splitlines()[-1] == "Identical."


def test_replay_writes_the_masks_that_it_computes(scan, tmp_path):
    session, mask = tmp_path / "session.json", tmp_path / "mask.nii.gz"
    options = ("--point", "12,20,13", "--out", str(mask), "--session", str(session))
    assert run(app, ["segment", str(scan[0]), *options]).exit_code == 0
    done = run(app, ["replay", str(session), "--out", str(tmp_path / "again.nii.gz")])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-2:] == [str(tmp_path / "again.nii.gz"), "Identical."]
    first, again = (nmv.read_volume(path).data for path in (mask, tmp_path / "again.nii.gz"))
    assert first.any()
    assert (first == again).all()


def test_replay_finds_a_moved_image_when_reported_and_refuses_another(scan, tmp_path):
    path, _ = scan
    session = tmp_path / "session.json"
    run(app, ["segment", str(path), "--point", "12,20,13", "--session", str(session)])
    moved = path.rename(tmp_path / "moved.nrrd")
    done = run(app, ["replay", str(session)])
    assert done.exit_code == 1
    assert "There is no scan.nrrd" in done.output
    assert run(app, ["replay", str(session), "--image", str(moved)]).exit_code == 0
    nmv.write_mask(tmp_path / "other.nrrd", np.eye(5)[None], nmv.Volume(np.eye(5)[None]))
    done = run(app, ["replay", str(session), "--image", str(tmp_path / "other.nrrd")])
    assert done.exit_code == 1
    assert "another image" in done.output


@pytest.fixture
def foreign(monkeypatch):
    """Backends of another package."""
    use_foreign(monkeypatch)
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


def test_replay_with_another_backend_states_dice_and_volumes(scan, tmp_path, foreign):
    session = tmp_path / "session.json"
    run(app, ["segment", str(scan[0]), "--point", "12,20,13", "--session", str(session)])
    done = run(app, ["replay", str(session), "--backend", "threshold", "--json"])
    assert done.exit_code == 1, done.output
    reported = json.loads(done.stdout)
    assert reported["identical"] is False
    (entry,) = reported["objects"]
    assert (entry["backend_recorded"], entry["backend"]) == ("embedded", "threshold")
    assert entry["then_identical"] is True
    assert 0 < entry["dice"] < 1
    assert entry["volume_recorded_ml"] == pytest.approx(entry["voxels_recorded"] * 0.002, abs=1e-3)
    assert entry["volume_replayed_ml"] == pytest.approx(entry["voxels_replayed"] * 0.002, abs=1e-3)
    assert "Dice" in run(app, ["replay", str(session), "--backend", "threshold"]).output


def test_the_mask_of_a_dicom_series_goes_back_to_dicom(tmp_path):
    phantom, left, _ = make_phantom()
    data = (100 * phantom.data).astype(np.int16)
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(tmp_path / "series", data, **uids, PatientID="1", **NO_DETAILS)
    out = tmp_path / "seg.dcm"
    asked = ["segment", str(tmp_path / "series"), "--point", "12,20,13", "--name", "left kidney"]
    done = run(app, [*asked, "--out", str(out)])
    assert done.exit_code == 0, done.output
    back = read_labels(out)
    assert back.names == {1: "left kidney"}
    done = run(app, [*asked, "--out", str(tmp_path / "labels.nii.gz")])
    assert done.exit_code == 0, done.output
    assert read_labels(tmp_path / "labels.nii.gz").names == {1: "left kidney"}
    volume = nmv.read_volume(tmp_path / "series")
    assert dice(placed(back.values, back.grid, volume.grid) > 0, left) > 0.85


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--point", "99,20,13"], "lies outside the image"),
        (["--point", "1,2"], "is not an index"),
        (["--point", "nan,2,3"], "is not an index"),
        (["--box", "1,2,3"], "is not a box"),
        (["--negative", "1,2,3"], "at least one --point, --box or --line"),
        (["--point", "12,20,13", "--backend", "nobody"], "no backend called nobody"),
        (["--point", "12,20,13", "--out", "nowhere/mask.nii"], "could not be written"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(scan, arguments, message):
    done = run(app, ["segment", str(scan[0]), *arguments])
    assert done.exit_code in (1, 2)
    assert message in done.output
    assert "Traceback" not in done.output


def test_backends_are_listed_with_their_licences():
    done = run(app, ["backends"])
    assert "embedded" in done.output
    assert "BSD-3-Clause" in done.output
    assert "embedded" in json.loads(run(app, ["backends", "--json"]).stdout)["backends"]


def test_help_names_the_commands():
    done = run(app, ["--help"])
    for command in ("segment", "replay", "backends"):
        assert command in done.output


def test_a_gap_in_a_series_can_be_filled(tmp_path):
    volume = make_phantom()[0]
    write_series(tmp_path, volume.data)
    next(tmp_path.glob("000.dcm")).unlink()
    arguments = ["segment", str(tmp_path), "--point", "12,20,13", "--json"]
    refused = run(app, arguments)
    assert refused.exit_code == 1
    assert "missing" in refused.output
    filled = run(app, [*arguments, "--gaps", "fill"])
    assert filled.exit_code == 0
    assert "filled in linearly" in json.loads(filled.stdout)["notes"][0]


def test_ground_states_where_words_are_and_what_is_not_there(scan, tmp_path):
    path, left = scan
    volume = make_phantom()[0]
    nmv.write_mask(tmp_path / "organs.nii.gz", left.astype("u1"), volume)
    (tmp_path / "organs.json").write_text('{"1": "liver"}')
    organs = str(tmp_path / "organs.nii.gz")
    done = run(app, ["ground", str(path), "liver", "kidney", "--labels", organs, "--json"])
    assert done.exit_code == 0, done.output
    reported = json.loads(done.stdout)
    assert set(reported) == {
        *("backend", "seconds", "regions", "not_found", "out", "labels", "notes"),
    }
    (region,) = reported["regions"]
    assert (region["phrase"], region["kind"], region["name"]) == ("liver", "mask", "liver")
    low, high = region["box_mm"]
    center = volume.grid.to_world(np.argwhere(left).mean(0))
    assert (np.array(low) < center).all()
    assert (center < np.array(high)).all()
    (missing,) = reported["not_found"]
    assert missing["phrase"] == "kidney"
    assert set(missing) == {"phrase", "best_score", "reason"}


def test_ground_states_in_words_and_refuses_a_range_that_is_none(scan):
    path, _ = scan
    done = run(app, ["ground", str(path), "left hippocampus"])
    assert "not found" in done.stdout
    done = run(app, ["ground", str(path), "liver", "--slices", "axial"])
    assert done.exit_code == 2
    done = run(app, ["ground", str(path), "liver", "--slices", "0:90:99"])
    assert "no slice" in done.output


def test_ask_answers_with_claims_and_states_what_is_beyond_it(scan, tmp_path):
    path, left = scan
    volume = make_phantom()[0]
    nmv.write_mask(tmp_path / "a.nrrd", left.astype("u1"), volume)
    mask = f"{tmp_path / 'a.nrrd'}:left kidney"
    asked = ["ask", str(path), "How large is the left kidney?", "--mask", mask, "--json"]
    done = run(app, asked)
    assert done.exit_code == 0, done.output
    reported = json.loads(done.stdout)
    assert set(reported) == {"backend", "answered", "answer", "claims", "images", "seconds"}
    (claim,) = reported["claims"]
    assert f"{left.sum() * 2 / 1000:.2f} mL" in claim["text"]
    assert claim["regions"][0]["kind"] == "mask"
    assert set(claim["regions"][0]) == {"kind", "box_mm", "source"}
    done = run(app, ["ask", str(path), "What is the prognosis?", "--json"])
    assert done.exit_code == 3
    reported = json.loads(done.stdout)
    assert reported["answered"] is False
    assert reported["reason"]


@pytest.fixture
def unsized(tmp_path):
    """A DICOM picture, and a photograph, that do not tell the size of their pixels."""
    shown = np.full((20, 24), 50, np.uint8)
    shown[5:15, 6:18] = 200
    made = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    made.Rows, made.Columns = shown.shape
    made.PixelData = shown.astype(np.uint16).tobytes()
    for element in ("PixelSpacing", "SliceThickness"):
        delattr(made, element)
    made.save_as(tmp_path / "capture.dcm")
    Image.fromarray(shown).save(tmp_path / "photo.png")
    return tmp_path


@pytest.mark.parametrize("name", ["capture.dcm", "photo.png"])
def test_the_size_of_voxels_can_be_given(unsized, name):
    image, mask = str(unsized / name), str(unsized / "mask.nii.gz")
    asked = [image, "--spacing", "4,0.5,0.25"]
    done = run(app, ["segment", *asked, "--box", "0,4,5:1,16,19", "--out", mask, "--json"])
    assert done.exit_code == 0, done.output
    reported = json.loads(done.stdout)
    assert reported["notes"][-1] == "Voxels of 4 x 0.5 x 0.25 mm, set by hand."
    assert not any("1 mm" in note for note in reported["notes"])
    assert nmv.read_volume(mask).spacing == (4, 0.5, 0.25)
    (found,) = json.loads(run(app, ["measure", *asked, "--mask", mask, "--json"]).stdout)["objects"]
    assert found["volume_ml"] == pytest.approx(found["voxels"] * 4 * 0.5 * 0.25 / 1000)
    answer = run(app, ["ask", *asked, "What is the volume of mask?", "--mask", mask, "--json"])
    assert answer.exit_code == 0, answer.output
    assert f"{found['volume_ml']:.2f}" in json.loads(answer.stdout)["answer"]
    refused = run(app, ["measure", image, "--mask", mask])
    assert refused.exit_code == 1


def test_an_image_without_a_size_asks_for_it(unsized):
    asked = ["segment", str(unsized / "capture.dcm"), "--point", "0,10,10"]
    assert "Set it with --spacing z,y,x" in run(app, asked).stderr
    assert "--spacing" not in run(app, [*asked, "--spacing", "1,1,1"]).output


def test_a_session_with_a_given_size_is_replayed_with_it(scan, tmp_path):
    session, size = str(tmp_path / "session.json"), ["--spacing", "2,1.5,1.5"]
    asked = ["segment", str(scan[0]), "--point", "12,20,13", "--session", session]
    assert run(app, [*asked, *size]).exit_code == 0
    done = run(app, ["replay", session, *size, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["identical"] is True


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("1,2", "is not a voxel spacing z,y,x in mm"),
        ("1;2;3", "is not a voxel spacing z,y,x in mm"),
        ("0,1,1", "A voxel cannot have the size (0.0, 1.0, 1.0) mm."),
        ("-1,1,1", "A voxel cannot have the size (-1.0, 1.0, 1.0) mm."),
        ("1,nan,1", "A voxel cannot have the size (1.0, nan, 1.0) mm."),
        ("1,1,inf", "A voxel cannot have the size (1.0, 1.0, inf) mm."),
    ],
)
@pytest.mark.parametrize("command", ["segment", "measure", "ground", "ask", "prepare"])
def test_a_size_that_is_none_is_refused(scan, command, size, message):
    more = {
        "segment": ["--point", "12,20,13"],
        "measure": ["--mask", str(scan[0])],
        "ground": ["liver"],
        "ask": ["Is there a cyst?"],
        "prepare": [],
    }
    done = run(app, [command, str(scan[0]), *more[command], "--spacing", size])
    assert done.exit_code in (1, 2)
    assert message in " ".join(done.output.replace("│", " ").split())
    assert "Traceback" not in done.output
