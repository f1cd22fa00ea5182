"""Masks of another program are scored as MONAI does, and compared with a run of clicks."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from monai.metrics import compute_hausdorff_distance
from typer.testing import CliRunner

from napari_medvlm.cli import app
from tests.conftest import dice
from tests.evaluation.segment import data_sets
from tests.evaluation.segment.test_report import Page

run = CliRunner().invoke


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Two cases whose predicted masks are shifted by a voxel: root, truths, masks and summary."""
    root = tmp_path_factory.mktemp("masks")
    data_sets.write_pairs(root, 2)
    truths, masks = {}, {}
    for name, volume, labels in data_sets.cases(2):
        shifted = np.roll(labels, 1, axis=2)
        data_sets.save_labels(root / "predicted" / f"{name}_pred.nii.gz", shifted, volume)
        truths[name], masks[name] = (volume, labels), shifted
    arguments = [root / "predicted", root / "labels", "--images", root / "images"]
    options = ["--mask-pattern", "{case}_pred", "--out", root / "out", "--json"]
    done = run(app, ["evaluate", "masks", *map(str, (*arguments, *options))])
    assert done.exit_code == 0, done.output
    return root, truths, masks, json.loads(done.stdout)


def test_dice_and_the_hausdorff_distance_are_those_of_other_programs(scored):
    root, truths, masks, _ = scored
    for name, (volume, labels) in truths.items():
        content = json.loads((root / "out" / "cases" / f"{name}.json").read_text())
        for value, attempt in zip((1, 2), content["attempts"], strict=True):
            (step,) = attempt["steps"]
            truth, mask = labels == value, masks[name] == value
            assert step["dice"] == pytest.approx(dice(truth, mask))
            batch = [torch.tensor(m[None, None].astype(np.float32)) for m in (mask, truth)]
            expected = compute_hausdorff_distance(*batch, percentile=95, spacing=volume.spacing)
            assert step["hd95_mm"] == pytest.approx(float(expected), abs=1e-4)


def test_the_report_has_pictures_and_no_prompts(scored):
    root, _, _, summary = scored
    page = Page((root / "out" / "report.html").read_text("utf-8"))
    assert "2 cases, masks from files." in page.text
    assert "Commands are" not in page.text
    assert len(page.pictures) == 4
    assert "evaluate open" not in page.text
    assert not re.search("interaction|clicks|NoC|jitter|AUC|MiB", page.text)
    assert (root / "out" / "dice.pdf").read_bytes().startswith(b"%PDF")
    assert "NoC" not in (root / "out" / "summary.tex").read_text()
    with (root / "out" / "results.csv").open(newline="") as file:
        columns = next(csv.reader(file))
    assert columns == ["case", "structure", "dice", "iou", "nsd", "hd95_mm", "truth_ml"]
    assert summary["structures"]["label 1"]["cases"] == 2
    assert not (root / "out" / "sessions").exists()


def test_masks_are_compared_with_other_masks(scored):
    root = scored[0]
    arguments = [root / "labels", root / "labels", "--out", root / "perfect"]
    same = run(app, ["evaluate", "masks", *map(str, arguments)])
    assert same.exit_code == 1, "the same folder"
    assert "both mask and labels" in same.output
    assert "--mask-pattern" in same.output
    assert "--labels" not in same.output, "not an option of this command"
    arguments = [root / "predicted", root / "labels", "--mask-pattern", "{case}_pred"]
    options = ["--tolerance-mm", "2", "--structure", "1", "--out", root / "one"]
    done = run(app, ["evaluate", "masks", *map(str, (*arguments, *options))])
    assert done.exit_code == 0
    assert re.match(
        r"label 1: Dice 0\.\d{3}.*, NSD \d\.\d{3}, HD95 \d\.\d mm; 2 cases\n", done.stdout
    )
    assert "interaction" not in done.stdout
    folders = (root / "out", root / "one", "--out", root / "compared")
    compared = run(app, ["evaluate", "compare", *map(str, folders), "--json"])
    comparison = json.loads(compared.stdout)
    dice_row = comparison["metrics"]["dice"]
    assert (dice_row["difference"], dice_row["cases"]) == (0, 2)
    assert comparison["metrics"]["noc90"]["cases"] == 0
    assert set(comparison["settings"]) == {"structures"}
    assert (root / "compared" / "pairs.pdf").exists()
    assert "interaction" not in Page((root / "compared" / "compare.html").read_text("utf-8")).text


def test_a_folder_of_masks_for_each_case_is_scored_by_their_names(scored, tmp_path):
    root, truths, masks, summary = scored
    for name, (volume, _) in truths.items():
        for structure, values in {"both sides": (1, 2), "right": (2,)}.items():
            mask = np.isin(masks[name], values)
            data_sets.save_labels(tmp_path / "in" / name / f"{structure}.nii.gz", mask, volume)
    arguments = ["evaluate", "masks", str(tmp_path / "in"), str(root / "labels"), "--json"]
    done = run(app, [*arguments, "--out", str(tmp_path / "unnamed")])
    assert done.exit_code == 1
    assert "case_00 has no mask label 1.nii.gz." in " ".join(done.output.split())
    values = {"both sides": [1, 2], "right": [2]}
    (tmp_path / "in" / "structures.json").write_text(json.dumps(values))
    done = run(app, [*arguments, "--out", str(tmp_path / "out")])
    structures = json.loads(done.stdout)["structures"]
    assert structures["right"]["dice"] == summary["structures"]["label 2"]["dice"]
    expected = [dice(labels > 0, masks[name] > 0) for name, (_, labels) in truths.items()]
    assert structures["both sides"]["dice"] == [pytest.approx(np.mean(expected))]


def test_folders_without_pairs_name_options_of_this_command(scored):
    root = scored[0]
    arguments = [root / "predicted", root / "labels", "--out", root / "none"]
    done = run(app, ["evaluate", "masks", *map(str, arguments)])
    assert "There is no mask for the labels case_00" in done.output
    assert "--mask-pattern" in done.output
    assert "--dataset" not in done.output
    options = ["--mask-pattern", "{case}_pred", "--images", root / "predicted"]
    done = run(app, ["evaluate", "masks", *map(str, (*arguments, *options))])
    assert "leave out --images" in done.output
    assert "--image-pattern" not in done.output


def test_a_mask_on_another_grid_is_named_and_left_out(scored, tmp_path):
    root, truths, masks, _ = scored
    for name, (volume, _) in truths.items():
        cut = type(volume)(volume.data[1:], volume.affine) if name == "case_01" else volume
        mask = masks[name][1:] if name == "case_01" else masks[name]
        data_sets.save_labels(tmp_path / "masks" / f"{name}.nii.gz", mask, cut)
    arguments = [tmp_path / "masks", root / "labels", "--out", tmp_path / "out", "--json"]
    done = run(app, ["evaluate", "masks", *map(str, arguments)])
    summary = json.loads(done.stdout)
    assert [row["case"] for row in summary["skipped"]] == ["case_01"]
    assert "case_01.nii.gz" in summary["skipped"][0]["reason"]
