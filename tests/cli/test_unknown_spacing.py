"""Where a file does not state the voxel spacing, nothing is reported in mm or mL."""

import csv
import json
import math

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.measurements.table import row
from napari_medvlm.data.volume import ASSUMED

run = CliRunner().invoke


@pytest.fixture
def picture(tmp_path):
    data = np.zeros((40, 40), np.uint8)
    data[10:30, 10:30] = 200
    Image.fromarray(data).save(tmp_path / "p.png")
    volume = nmv.read_volume(tmp_path / "p.png")
    nmv.write_mask(tmp_path / "m.nii.gz", volume.data > 0, volume)
    return tmp_path / "p.png", tmp_path / "m.nii.gz"


def test_measure_counts_voxels_and_names_the_option(picture, tmp_path):
    image, mask = map(str, picture)
    table = tmp_path / "t.csv"
    done = run(app, ["measure", image, "--mask", mask, "--csv", str(table)])
    assert done.stdout == "m: 400 voxels, mean 200, SD 0\n"
    assert "--spacing z,y,x" in done.stderr
    (measured,) = csv.DictReader(table.read_text("utf-8-sig").splitlines())
    assert measured["voxels"] == "400"
    assert not [k for k, v in measured.items() if "_m" in k and v not in ("", "nan")]
    volume = nmv.read_volume(image).spaced((1, 0.5, 0.5))
    nmv.write_mask(mask, volume.data > 0, volume)
    known = run(app, ["measure", image, "--mask", mask, "--spacing", "1,0.5,0.5", "--json"])
    assert json.loads(known.stdout)["objects"][0]["volume_ml"] == pytest.approx(400 * 0.25 / 1000)


def test_segment_reports_voxels_and_null(picture):
    done = run(app, ["segment", str(picture[0]), "--point", "0,20,20", "--json"])
    summary = json.loads(done.stdout)
    assert summary["voxels"] == 400
    assert summary["volume_ml"] is None
    assert summary["box_mm"] is None
    assert "size of a pixel is unknown" in summary["notes"][0]


@pytest.mark.parametrize(
    "question",
    ["What is the voxel size?", "How large is the lesion?", "Where is the lesion?",
     "What is the longest diameter of the lesion?"],
)  # fmt: skip
def test_ask_states_no_length(picture, question):
    done = run(app, ["ask", str(picture[0]), question, "--mask", f"{picture[1]}:lesion"])
    assert done.exit_code == 3
    assert "The file does not state" in done.stdout
    assert " mm" not in done.stdout


def test_ask_describes_a_picture_in_words(picture):
    done = run(app, ["ask", str(picture[0]), "What kind of image is this?"])
    assert done.stdout.startswith("It is a picture")


def test_a_known_pixel_size_gives_diameters_in_the_slice():
    volume = nmv.Volume(
        np.arange(4 * 20 * 20).reshape(4, 20, 20),
        np.diag([1.0, 0.5, 0.5, 1.0]),
        notes=(f"The spacing of the slices is unknown; {ASSUMED}",),
    )
    voxels = np.zeros(volume.shape, bool)
    voxels[1:3, 5:9, 5:15] = True
    measured = row("lesion", nmv.Mask.of(voxels), volume)
    assert math.isnan(measured.volume_ml)
    assert measured.longest_axial_mm == pytest.approx(math.hypot(10, 4) / 2, abs=0.75)
