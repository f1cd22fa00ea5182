"""The command ``follow`` prints what became of the lesions of a prior."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

import napari_medvlm as nmv
from benchmarks.planted_lesions import EXPECTED, planted_pair
from napari_medvlm.cli import app
from napari_medvlm.io.label_images import read_labels, write_names
from napari_medvlm.io.writers import write_image

KEYS = {
    "name", "prior_mm", "current_mm", "state", "volume_ml", "longest_mm", "change_percent",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Images and masks of the planted studies, and the true map between them."""
    folder = tmp_path_factory.mktemp("studies")
    pair = planted_pair(2)
    for name, volume, masks in (
        ("prior", pair.prior, pair.prior_masks),
        ("current", pair.current, pair.current_masks),
    ):
        write_image(folder / f"{name}.nii.gz", volume)
        labels = folder / f"{name}_masks.nii.gz"
        nmv.write_mask(labels, masks.values, volume)
        write_names(labels, {value: (text, "") for value, text in masks.names.items()})
    return folder, pair


@pytest.fixture
def follow(files, monkeypatch):
    """The command on these files, with the true map as registration."""
    folder, pair = files
    monkeypatch.setattr(nmv, "register", lambda *_, **__: pair.pairing, raising=False)
    command = ["follow", str(folder / "current.nii.gz"), str(folder / "prior.nii.gz")]

    def run(*options):
        return CliRunner().invoke(app, [*command, *map(str, options)])

    return run, folder


def test_masks_are_compared_and_written(follow, tmp_path) -> None:
    run, folder = follow
    table, labels = tmp_path / "table.csv", tmp_path / "labels.nii.gz"
    done = run(
        "--masks", folder / "prior_masks.nii.gz",
        "--current-masks", folder / "current_masks.nii.gz",
        "--dates", "2026-01-01,2026-04-01", "--nodes", "stable a",
        "--out", table, "--masks-out", labels, "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert {lesion["name"]: lesion["state"] for lesion in printed["lesions"]} == EXPECTED
    assert printed["lesions"][0].keys() >= KEYS
    assert printed["category"] == "PD"
    assert len(printed["sum_mm"]) == 2
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert len(rows) == 2 * len(EXPECTED)
    assert rows[0] | {"study": "prior", "date": "2026-01-01", "name": "grown a"} == rows[0]
    (node,) = {row["name"] for row in rows if row["is_node"] == "True"}
    assert node == "stable a"
    written = read_labels(labels)
    assert written.names[1] == "grown a"
    assert written.names[4] == "merged a + merged b"
    assert len(written.present) == 9


def test_points_are_proposed_without_masks(follow) -> None:
    run, folder = follow
    done = run("--masks", folder / "prior_masks.nii.gz", "--no-backtest", "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    states = {lesion["name"]: lesion["state"] for lesion in printed["lesions"]}
    assert {name for name, state in states.items() if state} == {"gone"}
    assert all(lesion["current_mm"].keys() == set("spl") for lesion in printed["lesions"])
    assert printed["category"] == "NE"


def test_the_text_has_a_line_for_each_lesion(follow) -> None:
    run, folder = follow
    done = run("--masks", folder / "prior_masks.nii.gz", "--no-backtest")
    assert "stable a: proposed at (" in done.stdout
    assert "gone: gone, 1.23 to 0.00 mL, -100 %" in done.stdout
    assert "Sum of diameters" in done.stdout


def test_masks_of_another_image_are_refused_in_a_sentence(follow, tmp_path) -> None:
    run, folder = follow
    small = nmv.Volume(np.ones((4, 5, 6), np.uint8))
    nmv.write_mask(tmp_path / "small.nii.gz", small.data, small)
    done = run("--masks", tmp_path / "small.nii.gz")
    assert done.exit_code == 1
    assert "small.nii.gz lies on another grid" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--dates", "yesterday"), "is not two dates"),
        (("--dates", "2026-04-01,2026-01-01"), "is not later than the prior"),
        (("--masks-out", "labels.nii.gz"), "--masks-out needs"),
        (("--nodes", "axilla"), "No lesion is named axilla"),
    ],
)
def test_wrong_options_are_refused_in_a_sentence(follow, options, message) -> None:
    run, folder = follow
    done = run("--masks", folder / "prior_masks.nii.gz", *options)
    assert done.exit_code != 0
    assert message in " ".join(done.stderr.replace("│", " ").split())
