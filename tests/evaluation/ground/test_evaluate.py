"""Runs of grounding: what they leave, by one worker, by two, on Ray, and after being killed."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.runs.run_folder import case_contents, case_of
from tests.evaluation.segment import data_sets
from tests.evaluation.text_runs import ROOT, command, environment, evaluate, picture, require_alone

NUMBER = 4


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Pictures with two shades: one is found where it is, of a third a corner."""
    root = tmp_path_factory.mktemp("ground")
    images, annotations = [], []
    for number in range(NUMBER):
        boxes = [(100, 5, 5, 15, 15), (200, 20 + number, 10, 40, 30)]
        name = f"cxr_{number}.png"
        picture(root / "images" / name, boxes)
        images.append({"id": number, "file_name": name, "width": 50, "height": 40})
        for category, (_, x0, y0, x1, y1) in enumerate(boxes):
            bbox = [x0, y0, x1 - x0, y1 - y0]
            annotations.append({"image_id": number, "category_id": category, "bbox": bbox})
    annotations.append({"image_id": 0, "category_id": 2, "bbox": [10, 10, 8, 8]})
    names = ["shade 100", "shade 200", "odd"]
    categories = [{"id": n, "name": name} for n, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "boxes.json").write_text(json.dumps(content))
    return root


def options(data, out, *more):
    return (
        *("ground", "--images", data / "images", "--references", data / "boxes.json"),
        *("--dataset", "coco", "--backend", "shades", "--out", out, *more),
    )


@pytest.fixture(scope="session")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("ground_runs") / "one"
    return out, evaluate(*options(data, out))


def found(out):
    cases = {}
    for content in case_contents(out):
        content.pop("seconds")
        cases[content["case"]] = content
    return cases


def test_a_run_leaves_what_it_promises(finished):
    out, reported = finished
    assert json.loads((out / "summary.json").read_text()) == reported
    assert reported["cases"] == NUMBER
    assert reported["classes"]["shade 200"]["miou"] == pytest.approx(1)
    assert reported["classes"]["shade 200"]["ap"] == pytest.approx(1)
    assert reported["classes"]["odd"]["acc30"] == 0
    assert reported["mean"]["miou"] == pytest.approx(8 / 9)
    low, high = reported["mean"]["intervals"]["miou"]
    assert low <= 8 / 9 <= high
    assert reported["classes"]["shade 200"]["intervals"]["miou"] is None  # all images agree
    table = parquet.read_table(out / "results.parquet").to_pylist()
    assert len(table) == 2 * NUMBER + 1
    assert {row["class"] for row in table} == {"shade 100", "shade 200", "odd"}
    report = (out / "report.html").read_text()
    assert f"{low:.3f} to {high:.3f}" in report
    assert report.count("data:image/png;base64,") == 8
    assert report.index("<b>odd</b>") < report.index("<b>shade 100</b>"), "the worst comes first"
    assert "http" not in report.replace("http://www.w3.org", "")


def test_false_alarms_are_counted_where_every_class_is_looked_for(data, tmp_path):
    reported = evaluate(*options(data, tmp_path, "--every-class"))
    assert reported["classes"]["odd"]["false"] == NUMBER - 1
    assert reported["classes"]["shade 200"]["false"] == 0


def test_masks_in_space(tmp_path):
    values = np.full((6, 20, 22), 10, np.int16)
    values[2:5, 4:12, 5:15] = 200
    volume = Volume(values, np.diag([3.0, 1, 1, 1]))
    data_sets.save_image(tmp_path / "images" / "one_0000.nii.gz", values, volume.affine)
    inside = (values == 200).astype(np.uint8)
    data_sets.save_labels(tmp_path / "labels" / "one.nii.gz", inside, volume)
    (tmp_path / "names.json").write_text('{"1": "shade 200"}')
    reported = evaluate(
        *("ground", "--images", tmp_path / "images", "--references", tmp_path / "labels"),
        *("--dataset", "masks", "--names", tmp_path / "names.json", "--backend", "shades"),
        *("--out", tmp_path / "out", "--image-pattern", "{case}_0000.nii.gz"),
    )
    assert reported["classes"]["shade 200"]["miou"] == pytest.approx(1)
    assert reported["classes"]["shade 200"]["ap50"] == pytest.approx(1)


@pytest.mark.parametrize("more", [("--workers", 2), ("--workers", 2, "--ray", "local")])
def test_others_find_the_same(data, finished, tmp_path, more):
    evaluate(*options(data, tmp_path, *more))
    assert found(tmp_path) == found(finished[0])


def test_a_folder_in_which_another_run_writes_is_refused(data, tmp_path):
    require_alone(options(data, tmp_path, "--backend", "embedded"), tmp_path)


def test_a_killed_run_goes_on(data, finished, tmp_path):
    arguments = command(*options(data, tmp_path))
    with subprocess.Popen(
        arguments, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment()
    ) as process:
        while not list((tmp_path / "cases").glob("[!.]*.json")):
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.005)
        process.kill()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cases").glob("[!.]*.json")}
    evaluate(*options(data, tmp_path))
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert found(tmp_path) == found(finished[0])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--backend", "nobody"), "no backend called nobody"),
        (("--backend", "similarity", "--dataset", "vindr"), "no column image_id"),
        (("--backend", "nninteractive"), "does not find phrases"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(data, tmp_path, more, message):
    done = CliRunner().invoke(app, ["evaluate", *map(str, options(data, tmp_path, *more))])
    assert done.exit_code == 1, done.output
    assert message in done.output


def test_a_case_is_opened_from_any_folder(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    (tmp_path / "t.csv").write_text("image,phrase,x0,y0,x1,y1\ncxr_1.png,brain,1,1,9,9\n")
    arguments = ("ground", "--images", "images", "--references", str(tmp_path / "t.csv"))
    more = ("--dataset", "boxes", "--out", str(tmp_path / "out"))
    done = CliRunner().invoke(app, ["evaluate", *arguments, *more])
    assert done.exit_code == 0, done.output
    (case,) = (tmp_path / "out" / "cases").glob("[!.]*.json")
    content = json.loads(case.read_text())
    (stored,) = content["source"]["images"]
    assert not Path(stored).is_absolute(), "run and data can be moved together"
    (absolute,) = case_of(tmp_path / "out", content["case"])["source"]["images"]
    assert Path(absolute) == (data / "images" / "cxr_1.png").resolve()
