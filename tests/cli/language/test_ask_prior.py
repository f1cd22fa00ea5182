"""``ask --prior``: a question about two studies."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.writers import write_image
from tests.backends import tiny_models as tiny

run = CliRunner().invoke
SHIFT_MM = np.array([4.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.qwen25(tmp_path_factory.mktemp("qwen2.5-vl"))


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A smooth volume and the same voxels 4 mm further up, as files."""
    below = tmp_path_factory.mktemp("studies")
    data = gaussian_filter(np.random.default_rng(3).normal(size=(20, 24, 26)), 3)
    values = np.round(1000 * data / np.abs(data).max()).astype(np.int16)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    moved = affine.copy()
    moved[:3, 3] = SHIFT_MM
    write_image(below / "now.nii.gz", Volume(values, affine))
    write_image(below / "before.nii.gz", Volume(values, moved))
    return below / "now.nii.gz", below / "before.nii.gz"


def ask(image, *options):
    return run(
        app, ["ask", str(image), "Has it grown?", "--slices", "0:8:9", "--json", *map(str, options)]
    )


def test_the_registered_slice_of_the_prior_is_sent_before_the_current_one(studies, folder):
    now, before = studies
    done = ask(now, "--prior", before, "--backend", "vlm", "--model", folder)
    assert done.exit_code in (0, 3), done.stderr
    reported = json.loads(done.stdout)
    assert reported["images"] == [
        {"axis": 0, "index": 8, "image": "prior"}, {"axis": 0, "index": 8},
    ]  # fmt: skip
    shift = np.array(reported["registration"]["affine_mm"])[:3, 3]
    np.testing.assert_allclose(shift, -SHIFT_MM, atol=0.5)
    done = ask(now, "--prior", before, "--same-positions", "--backend", "vlm", "--model", folder)
    assert json.loads(done.stdout)["images"][0] == {"axis": 0, "index": 6, "image": "prior"}


def test_a_backend_that_looks_at_no_images_refuses_a_prior(studies):
    done = run(app, ["ask", str(studies[0]), "How large?", "--prior", str(studies[1])])
    assert done.exit_code == 1
    assert "cannot compare two studies" in done.stderr


def test_a_volume_and_a_single_slice_are_refused(studies, tmp_path, folder):
    flat = tmp_path / "flat.nii.gz"
    write_image(flat, Volume(np.zeros((1, 24, 26), np.int16), np.eye(4)))
    done = ask(studies[0], "--prior", flat, "--backend", "vlm", "--model", folder)
    assert done.exit_code == 1
    assert "slice" in done.stderr
