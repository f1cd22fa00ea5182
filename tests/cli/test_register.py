"""``register`` prints the transform and writes the prior on the current grid."""

import json

import numpy as np
from numpy.testing import assert_allclose
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.io.writers import write_image
from tests.sessions.test_register import DATA, series

KEYS = ["kind", "affine_mm", "metric_before", "metric_after", "overlap", "seconds", "notes"]


def run(*arguments):
    return CliRunner().invoke(app, ["register", *map(str, arguments)])


def test_register_prints_one_object_and_writes_the_prior_on_the_current_grid(tmp_path):
    current, prior = tmp_path / "current.nii.gz", tmp_path / "prior.nii.gz"
    write_image(current, nmv.Volume(DATA))
    shifted = np.eye(4)
    shifted[:3, 3] = 40, 0, 0  # the same image 40 mm further up
    write_image(prior, nmv.Volume(DATA, shifted))
    out = tmp_path / "out.nii.gz"
    done = run(current, prior, "--json", "--out", out)
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert list(result) == KEYS
    assert result["kind"] == "rigid"
    assert_allclose(np.array(result["affine_mm"])[:3, 3], (-40, 0, 0), atol=0.5)
    written = nmv.read_volume(out)
    inner = (slice(4, -4),) * 3
    assert np.corrcoef(written.data[inner].ravel(), DATA[inner].ravel())[0, 1] > 0.98


def test_another_patient_must_be_confirmed(tmp_path):
    series(tmp_path / "a")
    series(tmp_path / "b", PatientID="2")
    refused = run(tmp_path / "a", tmp_path / "b")
    assert refused.exit_code == 1
    assert "--other-patient" in refused.output
    allowed = run(tmp_path / "a", tmp_path / "b", "--other-patient")
    assert allowed.exit_code == 0
    assert "another Patient ID" in allowed.output


def test_only_nifti_is_written(tmp_path):
    series(tmp_path / "a")
    refused = run(tmp_path / "a", tmp_path / "a", "--out", tmp_path / "x.png")
    assert refused.exit_code == 1
    assert "x.png is no NIfTI file" in refused.output
