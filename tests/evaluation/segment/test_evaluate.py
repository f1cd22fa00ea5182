"""A run over a folder: what it leaves, and that it goes on where it was killed."""

import json
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet
from typer.testing import CliRunner

from benchmarks.tasks import mni_truths
from napari_medvlm import Ledger, read_volume, replay
from napari_medvlm.cli import app
from napari_medvlm.evaluation.runs.cases import SkippedCase
from napari_medvlm.evaluation.runs.provenance import weights_digest
from napari_medvlm.evaluation.runs.tables import write_table
from napari_medvlm.evaluation.segment import summary
from napari_medvlm.evaluation.segment.cases import Layout
from napari_medvlm.evaluation.segment.datasets import find_cases
from napari_medvlm.evaluation.segment.evaluate import DataSet
from napari_medvlm.evaluation.segment.outcomes import Attempt, Outcome, Step
from napari_medvlm.evaluation.segment.plan import Plan
from napari_medvlm.evaluation.segment.task import TASK
from tests.evaluation.segment import data_sets
from tests.evaluation.segment.conftest import (
    INTERACTIONS,
    ROOT,
    command,
    segment_options,
)
from tests.evaluation.text_runs import evaluate

run = CliRunner().invoke


def figures(out):
    """All that a run found, without what depends on the machine."""
    found = {}
    for path in sorted((out / "cases").glob("*.json")):
        content = json.loads(path.read_text())
        content.pop("source")  # relative to the folder
        for attempt in content["attempts"]:
            attempt.pop("memory_mib")
            for step in attempt["steps"]:
                step.pop("seconds")
        found[path.name] = content
    return found


def test_a_run_leaves_the_figures_that_it_promises(finished):
    out, printed = finished
    reported = json.loads((out / "summary.json").read_text())
    assert reported == printed
    assert reported["cases"] == 4
    assert {one["case"] for one in reported["skipped"]} == {"lonely", "shifted"}
    reasons = " ".join(one["reason"] for one in reported["skipped"])
    assert "no label image for lonely.nii.gz" in reasons
    assert "another grid" in reasons
    assert set(reported["structures"]) == {"label 1", "label 2"}
    for of in (*reported["structures"].values(), reported["mean"]):
        assert len(of["dice"]) == INTERACTIONS
        assert of["dice"][-1] > 0.9
        assert 1 <= of["noc85"] <= of["noc90"] <= INTERACTIONS
        assert 0 < of["dsc_auc"] <= INTERACTIONS - 1
        assert 0 < of["nsd_auc"] <= INTERACTIONS - 1
        assert of["seconds"] > 0
        assert 20 < of["memory_mib"] < 4000
    table = parquet.read_table(out / "results.parquet").to_pylist()
    assert len(table) == 4 * 2 * INTERACTIONS
    first = [row["dice"] for row in table if row["interaction"] == 1]
    assert reported["mean"]["dice"][0] == pytest.approx(np.mean(first))


def test_saved_masks_have_the_dice_of_the_table(pairs, tmp_path):
    options = (*segment_options(pairs, tmp_path), "--structure", "2")
    before = evaluate(*options)
    assert not (tmp_path / "masks").exists()
    assert evaluate(*options, "--save-masks") == before, "the masks of cases that were done"
    last = {
        row["case"]: row["dice"]
        for row in parquet.read_table(tmp_path / "results.parquet").to_pylist()
    }
    assert last
    for case, dice in last.items():
        image = nibabel.load(tmp_path / "masks" / case / "label 2.nii.gz")
        truth = nibabel.load(pairs / "labels" / f"{case}.nii.gz")
        a, b = np.asarray(image.dataobj) > 0, np.asarray(truth.dataobj) == 2
        assert np.allclose(image.affine, truth.affine, atol=1e-4)
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) == pytest.approx(dice)
    folders = (tmp_path / "masks", pairs / "labels", "--structure", "2")
    again = evaluate("masks", *folders, "--out", tmp_path / "scored")
    assert again["structures"]["label 2"]["dice"] == [pytest.approx(np.mean(list(last.values())))]


def test_a_run_records_what_it_depends_on(finished):
    settings = json.loads((finished[0] / "run.json").read_text())
    assert settings["plan"]["seed"] == 42
    assert settings["data"]["dataset"] == "pairs"
    assert {"napari-medvlm", "numpy", "weights_digest"} <= set(settings["provenance"])


def test_two_workers_find_the_same(pairs, finished, tmp_path):
    evaluate(*segment_options(pairs, tmp_path, "--workers", 2))
    assert figures(tmp_path) == figures(finished[0])


def test_a_ray_cluster_finds_the_same(pairs, finished, tmp_path):
    evaluate(*segment_options(pairs, tmp_path, "--workers", 2, "--ray", "local"))
    assert figures(tmp_path) == figures(finished[0])


def test_a_killed_run_goes_on_with_the_next_case(pairs, finished, tmp_path):
    options = segment_options(pairs, tmp_path)
    with subprocess.Popen(command(*options), stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        while not list((tmp_path / "cases").glob("[!.]*.json")):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cases").glob("[!.]*.json")}
    assert 1 <= len(before) < 4
    assert not (tmp_path / "report.html").exists()
    evaluate(*options)
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert figures(tmp_path) == figures(finished[0])
    assert (tmp_path / "report.html").exists()


def test_a_second_run_in_the_folder_of_one_that_goes_on_is_refused(pairs, finished, tmp_path):
    options = segment_options(pairs, tmp_path)
    with subprocess.Popen(command(*options), stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        while not (tmp_path / "run.json").exists():
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01)
        done = run(app, ["evaluate", *map(str, (*options, "--seed", 1))])
        assert done.exit_code == 1
        assert f"Another run is writing to {tmp_path}." in " ".join(done.output.split())
        assert process.wait() == 0
    assert json.loads((tmp_path / "run.json").read_text())["plan"]["seed"] == 42
    assert figures(tmp_path) == figures(finished[0])


def test_a_run_with_other_settings_is_not_gone_on_with(pairs, finished):
    done = run(app, ["evaluate", *map(str, segment_options(pairs, finished[0], "--seed", 1))])
    assert done.exit_code == 1
    assert "seed 42, not 1" in done.output


def test_a_run_is_extended_by_interactions_and_its_first_ones_stay(pairs, finished, tmp_path):
    """An extended run equals one with as many from the beginning; fewer are refused."""
    short = (*segment_options(pairs, tmp_path, "--structure", 2), "--interactions", 1)
    evaluate(*short)
    assert evaluate(*short, "--interactions", INTERACTIONS)["plan"]["interactions"] == INTERACTIONS
    extended = {name: case["attempts"][0] for name, case in figures(tmp_path).items()}
    assert extended == {name: case["attempts"][1] for name, case in figures(finished[0]).items()}
    done = run(app, ["evaluate", *map(str, short)])
    assert f"interactions {INTERACTIONS}, not 1" in done.output


def test_sessions_can_be_replayed(pairs, finished):
    path = finished[0] / "sessions" / "case_02" / "label 2.json"
    volume = read_volume(pairs / "images" / "case_02.nii.gz")
    (again,) = replay(Ledger.load(path), volume, runner="inline")
    assert again.name == "label 2"
    assert again.identical


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backend", "nobody"], "no backend called nobody"),
        (["--next-prompt", "box"], "A box can only be the first prompt"),
        (["--dataset", "msd"], "dataset.json"),
        (["--image-pattern", "x"], "does not say once"),
        (["--ray", "127.0.0.1:1"], "no Ray cluster"),
        (["--names", "none.json"], "There is no table of names none.json"),
        (["--device", "cuda", "--next-prompt", "box"], "--device cuda has no effect"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(pairs, tmp_path, options, message):
    arguments = map(str, segment_options(pairs, tmp_path / "out", *options))
    done = run(app, ["evaluate", *arguments])
    assert done.exit_code == 1, done.output
    assert message in done.output
    assert "Traceback" not in done.output


@pytest.fixture
def worker():
    made = []

    def make(**plan):
        made.append(TASK.worker(Plan(**plan).model_dump()))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_brain_at_4_mm(tmp_path, worker):
    volume, truths = mni_truths(4)
    labels = truths["whole brain"].astype(np.uint8)
    data_sets.save_image(tmp_path / "images" / "mni.nii.gz", volume.data, volume.affine)
    data_sets.save_labels(tmp_path / "labels" / "mni.nii.gz", labels, volume)
    plan = {"interactions": 3, "first_prompt": "lasso", "next_prompt": "scribble"}
    (attempt,) = worker(**plan).result(data_sets_cases(tmp_path)[0]).attempts
    assert [s.prompt for s in attempt.steps] == ["lasso", "scribble", "scribble"]
    assert min(attempt.dice) > 0.95
    assert attempt.mask is not None


@pytest.mark.parametrize("image", ["a.png", "a.jpg"])
@pytest.mark.parametrize(("label", "channels"), [("a.png", 1), ("a.png", 3), ("a.jpg", 1)])
def test_colour_pictures_with_masks_are_segmented(image, label, channels, tmp_path, worker):
    drawn = np.zeros((48, 64), np.uint8)
    drawn[16:32, 16:40] = 255
    pixels = np.random.default_rng(0).integers(0, 60, (48, 64, 3), np.uint8)
    pixels[drawn > 0] += 150
    for name, picture in (
        (f"images/{image}", pixels),
        (f"labels/{label}", drawn if channels == 1 else np.stack([drawn] * channels, axis=-1)),
    ):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(picture).save(tmp_path / name)
    (case,) = data_sets_cases(tmp_path)
    (attempt,) = worker(interactions=1).result(case).attempts
    assert attempt.structure == "label 255"
    assert attempt.dice[0] > 0.9


def data_sets_cases(root):
    return find_cases(Layout.PAIRS, root / "images", root / "labels").cases


def test_a_case_is_opened_from_any_folder(pairs, monkeypatch):
    monkeypatch.chdir(pairs)
    found = DataSet(Layout.PAIRS, Path("images"), Path("labels")).find().cases
    assert found[0].image == pairs / "images" / "case_00.nii.gz"
    assert found[0].labels == pairs / "labels" / "case_00.nii.gz"


def test_a_structure_that_a_case_lacks_is_reported(tmp_path, worker):
    data_sets.write_msd(tmp_path, 1)
    content = json.loads((tmp_path / "dataset.json").read_text())
    content["labels"]["3"] = "spleen"
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    (case,) = find_cases(Layout.MSD, tmp_path).cases
    outcome = worker(interactions=1, structures=("left", "spleen")).result(case)
    assert outcome.absent == ("spleen",)
    assert [a.structure for a in outcome.attempts] == ["left"]


def test_structures_that_the_labels_lack_are_reported(tmp_path, worker):
    data_sets.write_pairs(tmp_path, 1)
    (case,) = data_sets_cases(tmp_path)
    outcome = worker(interactions=1, structures=("2", "liver")).result(case)
    assert [a.structure for a in outcome.attempts] == ["label 2"]
    assert outcome.absent == ("liver",)
    outcome = worker(structures=("liver",)).result(case)
    assert "none of the structures liver, only label 1, label 2" in outcome.problem


def test_labels_that_are_all_background_are_reported(tmp_path, worker):
    _, labels = data_sets.write_pairs(tmp_path, 1)
    _, volume, drawn = next(data_sets.cases(1))
    data_sets.save_labels(labels / "case_00.nii.gz", drawn * 0, volume)
    assert "has no label" in worker().result(data_sets_cases(tmp_path)[0]).problem


def test_a_run_that_measures_nothing_fails_and_leaves_the_folder_free(pairs, tmp_path):
    arguments = segment_options(pairs, tmp_path, "--interactions", 1, "--structure")
    done = run(app, ["evaluate", *map(str, (*arguments, "liver"))])
    assert done.exit_code == 1
    assert "Nothing was measured. None of 6 could be used. " in done.output
    assert "could not be used" in (tmp_path / "report.html").read_text()
    again = run(app, ["evaluate", *map(str, (*arguments, "label 1"))])
    assert again.exit_code == 0, again.output


def test_a_threshold_that_is_never_reached_is_reported(tmp_path):
    _, labels = data_sets.write_pairs(tmp_path, 1)
    _, volume, drawn = next(data_sets.cases(1))
    chequered = (np.indices(drawn.shape).sum(axis=0) % 2).astype(np.uint8)
    data_sets.save_labels(labels / "case_00.nii.gz", chequered, volume)
    arguments = segment_options(tmp_path, tmp_path / "out", "--interactions", 1)
    done = run(app, ["evaluate", *map(str, arguments)])
    assert "after 1 interaction; 0.90 not reached; 1 case" in done.output


def test_an_image_without_contrast_is_reported(tmp_path, worker):
    data_sets.write_pairs(tmp_path, 1)
    path = tmp_path / "images" / "case_00.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.ones(image.shape, np.float32), image.affine), path)
    outcome = worker().result(data_sets_cases(tmp_path)[0])
    assert "same value" in outcome.problem
    assert not outcome.fatal


def step(dice, **more):
    given = {"prompt": "point", "positive": True, "zyx": (1, 2, 3), "iou": dice, "nsd": dice}
    return Step(dice=dice, **{**given, "hd95_mm": 1.0, "seconds": 2.0, **more})


def outcome(case, *dice, structure="a"):
    steps = tuple(map(step, dice))
    attempt = Attempt(structure=structure, steps=steps, memory_mib=100, mask=None)
    return Outcome(case=case, attempts=(attempt,))


def test_means_by_hand():
    found = summary.summary(
        [
            outcome("one", 0.5, 0.8, 0.95),
            outcome("two", 0.1, 0.2, 0.3),
            outcome("one", 0.9, 0.9, 0.9, structure="b"),
        ],
        [SkippedCase("bad", "It is.")],
        Plan(interactions=3),
    )
    a = found["structures"]["a"]
    assert a["dice"] == pytest.approx([0.3, 0.5, 0.625])
    assert (a["noc80"], a["noc90"]) == (2.5, 3.0), "a miss counts as all interactions"
    assert (a["missed80"], a["missed90"]) == (0.5, 0.5)
    assert a["dsc_auc"] == pytest.approx(np.mean([0.65 + 0.875, 0.15 + 0.25]))
    assert a["nsd_auc"] == pytest.approx(np.mean([0.65 + 0.875, 0.15])), "0 up to a Dice of 0.2"
    assert found["auc_max"] == 2
    assert found["mean"]["dice"][0] == pytest.approx(0.6), "each structure counts the same"
    assert found["skipped"] == [{"case": "bad", "reason": "It is."}]


def test_with_a_box_first_the_area_is_over_the_clicks():
    plan = Plan(interactions=3, first_prompt="box")
    found = summary.summary([outcome("one", 0.0, 0.8, 0.9)], [], plan)
    assert found["mean"]["dsc_auc"] == pytest.approx(0.85)
    assert found["auc_max"] == 1


def test_without_pyarrow_the_table_is_csv(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    write_table(tmp_path, summary.rows([outcome("one", 0.5, 0.75)]))
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert not (tmp_path / "results.parquet").exists()
    assert lines[0].startswith("case,structure,interaction,prompt,positive,dice")
    assert lines[2].startswith("one,a,2,point,True,0.75")


def test_the_digest_of_weights_follows_their_content(tmp_path):
    (tmp_path / "w.bin").write_bytes(b"1")
    one, folder = weights_digest(str(tmp_path / "w.bin")), weights_digest(str(tmp_path))
    (tmp_path / "w.bin").write_bytes(b"2")
    assert len({one, folder, weights_digest(str(tmp_path / "w.bin")), None}) == 4
    assert weights_digest(str(tmp_path)) != folder
    assert weights_digest(None) is None
