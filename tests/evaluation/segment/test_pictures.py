"""Pairs of 2D pictures, PNG and JPEG, are evaluated as volumes are."""

import json
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_medvlm import read_volume
from napari_medvlm.cli import app
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.evaluation.runs.report_images import planes
from napari_medvlm.evaluation.segment.case_reader import load
from napari_medvlm.evaluation.segment.cases import Case, Layout
from tests.evaluation.segment.conftest import segment_options

run = CliRunner().invoke
INSIDE = np.zeros((64, 80), bool)
INSIDE[20:40, 30:60] = True


def write_pair(root, suffix, label):
    """A picture with a bright rectangle, and its label image."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(exist_ok=True)
    shown = np.where(INSIDE, 200, 40).astype(np.uint8)
    Image.fromarray(np.stack([shown] * 3, -1)).save(root / "images" / f"a{suffix}", quality=95)
    Image.fromarray(label).save(root / "labels" / f"a{suffix}", quality=75)
    image, labels = (root / folder / f"a{suffix}" for folder in ("images", "labels"))
    return Case(layout=Layout.PAIRS, name="a", image=image, labels=labels)


def mask():
    return np.where(INSIDE, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_run_over_pictures_measures_and_reports(tmp_path, suffix):
    write_pair(tmp_path, suffix, mask())
    done = run(app, ["evaluate", *map(str, segment_options(tmp_path, tmp_path / "out"))])
    assert done.exit_code == 0, done.output
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert "label 255" in json.dumps(summary)
    (case,) = (tmp_path / "out" / "cases").glob("*.json")
    (attempt,) = json.loads(case.read_text())["attempts"]
    assert attempt["steps"][-1]["dice"] > 0.9
    assert "data:image/png;base64" in (tmp_path / "out" / "report.html").read_text()


def test_a_mask_saved_as_jpeg_is_read_without_the_values_of_its_compression(tmp_path):
    case = write_pair(tmp_path, ".jpg", mask())
    assert len(np.unique(read_volume(case.labels).data)) > 2
    loaded = load(case)
    assert [s.values for s in loaded.structures] == [(255,)]
    assert np.array_equal(loaded.labels[0] == 255, INSIDE)


def test_labels_saved_in_colour_are_read_if_they_have_no_colour(tmp_path):
    case = write_pair(tmp_path, ".png", np.stack([mask()] * 3, -1))
    assert np.array_equal(load(case).labels[0] == 255, INSIDE)
    colored = np.stack([mask()] * 3, -1)
    colored[..., 1] = 7
    with pytest.raises(InvalidImage, match="a colour picture"):
        load(write_pair(tmp_path, ".png", colored))


def test_the_report_shows_a_picture_once_and_not_its_edges(tmp_path):
    volume = read_volume(write_pair(tmp_path, ".png", mask()).image)
    shown = Image.open(BytesIO(b64decode(planes(volume, INSIDE[None], ~INSIDE[None]))))
    assert shown.size == (300, 320)
