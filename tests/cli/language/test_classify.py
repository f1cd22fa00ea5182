"""``classify``: probabilities of labels, as text and as JSON."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_medvlm.backends import dispatch
from napari_medvlm.cli import app
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.io import read_volume
from tests.backends.clip.by_hand import go_on, loaded
from tests.backends.clip.tiny_clip import save_clip

run = CliRunner().invoke


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(4).integers(0, 256, (40, 40)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "scan.png")
    return folder / "scan.png", save_clip(folder / "clip")


def test_the_probabilities_are_those_of_the_backend(scan):
    image, model = scan
    done = run(
        app,
        ["classify", str(image), "edema", "mass", "--exclusive", "--model", str(model), "--json"],
    )
    assert done.exit_code == 0, done.stderr
    volume = read_volume(image)
    expected = dispatch.label(
        loaded(model, volume), volume, LabelQuery(("edema", "mass")), go_on
    ).probabilities
    assert json.loads(done.stdout)["probabilities"] == pytest.approx(dict(expected), abs=1e-5)


def test_descriptors_of_a_file_are_listed_below_their_finding(scan, tmp_path):
    image, model = scan
    (tmp_path / "own.yaml").write_text("descriptors: {cyst: [round lucency, thin wall]}\n")
    done = run(
        app,
        ["classify", str(image), "Cyst", "--model", str(model),
         "--descriptors", str(tmp_path / "own.yaml")],
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    finding, *own = done.stdout.splitlines()
    assert finding.startswith("Cyst: 0.")
    assert [line.partition(":")[0] for line in own] == ["  round lucency", "  thin wall"]
    values = [float(line.rpartition(" ")[2]) for line in own]
    assert float(finding.rpartition(" ")[2]) == pytest.approx(np.sqrt(np.prod(values)), abs=2e-3)


def test_a_model_that_is_not_there_fails_with_what_to_do(scan):
    done = run(app, ["classify", str(scan[0]), "mass", "--model", "no/such-model"])
    assert done.exit_code == 1
    assert "models download" in done.stderr
