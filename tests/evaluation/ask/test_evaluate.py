"""Runs of questions: what they leave, by one worker, by two, and after being killed."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from napari_medvlm.cli import app
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.ask.items import Item
from napari_medvlm.evaluation.ask.measure import question_of
from napari_medvlm.evaluation.ask.plan import Plan
from napari_medvlm.evaluation.runs.run_folder import case_contents, case_of
from tests.evaluation.text_runs import ROOT, command, environment, evaluate, picture, require_alone


def script(say, box=None):
    part = {"say": say} if box is None else {"say": say, "box": box}
    return json.dumps([part])


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Questions whose context tells the scripted backend what to say."""
    root = tmp_path_factory.mktemp("ask")
    picture(root / "images" / "cxr_1.png", [(200, 10, 10, 30, 30)])
    picture(root / "images" / "cxr_2.png")
    questions = [
        {"question": "Is it there?", "answer": "yes", "context": script("Yes."), "pair": "p"},
        {"question": "Is it not there?", "answer": "no", "context": script("Yes."), "pair": "p"},
        {"question": "Where?", "answer": "left lobe", "boxes": [[10, 10, 30, 30]],
         "context": script("The left lobe", [10, 10, 30, 20])},
        {"question": "Which?", "options": ["liver", "lung"], "answer": "B",
         "context": script("B. lung")},
        {"question": "How large?", "values": [20.0], "context": script("It is 25 mm")},
        {"question": "What?", "answer": "mass", "context": script("I am sorry, I cannot help.")},
        {"question": "Changed?", "answer": "no", "images": ["cxr_1.png", "cxr_2.png"],
         "captions": ["before", "now"], "context": script("No.")},
    ]  # fmt: skip
    records = [{"image": "cxr_1.png", **one} for one in questions]
    lost = {"image": "lost_3.png", "question": "Q", "answer": "A"}
    (root / "q.json").write_text(json.dumps([*records, lost]))
    return root


def options(data, out, *more):
    return (
        *("ask", "--images", data / "images", "--references", data / "q.json"),
        *("--backend", "scripted", "--out", out, *more),
    )


@pytest.fixture(scope="session")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("ask_runs") / "one"
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
    assert reported["cases"] == 7
    assert [one["reason"] for one in reported["skipped"]] == ["There is no image lost_3.png."]
    kinds = reported["kinds"]
    assert kinds["yes/no"]["accuracy"] == pytest.approx(2 / 3)
    assert kinds["yes/no"]["set_accuracy"] == 0
    assert kinds["choice"]["accuracy"] == 1
    assert kinds["open"]["exact"] == 0.5
    assert kinds["open"]["refused"] == 0.5
    assert kinds["values"]["mre"] == pytest.approx(0.25)
    assert reported["mean"]["iou"] == pytest.approx(0.5)
    table = parquet.read_table(out / "results.parquet").to_pylist()
    assert [row["text"] for row in table][3] == "B. lung"
    settings = json.loads((out / "run.json").read_text())
    assert settings["provenance"]["sacrebleu"]
    report = (out / "report.html").read_text()
    assert report.count("data:image/png;base64,") == 7
    assert "I am sorry, I cannot help." in report
    assert "http" not in report.replace("http://www.w3.org", "")


def test_two_workers_find_the_same(data, finished, tmp_path):
    evaluate(*options(data, tmp_path, "--workers", 2))
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


def test_the_embedded_answerer_can_be_measured(data, tmp_path):
    reported = evaluate(*options(data, tmp_path, "--backend", "embedded"))
    assert reported["cases"] == 7


def test_a_case_is_opened_from_any_folder(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data)
    (tmp_path / "q.json").write_text('[{"image": "cxr_1.png", "question": "Q?", "answer": "A"}]')
    arguments = ("ask", "--images", "images", "--references", str(tmp_path / "q.json"))
    done = CliRunner().invoke(app, ["evaluate", *arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    (case,) = (tmp_path / "out" / "cases").glob("[!.]*.json")
    content = json.loads(case.read_text())
    (stored,) = content["source"]["images"]
    assert not Path(stored).is_absolute(), "run and data can be moved together"
    (absolute,) = case_of(tmp_path / "out", content["case"])["source"]["images"]
    assert Path(absolute) == (data / "images" / "cxr_1.png").resolve()


def volume(*shape):
    return Volume(np.arange(np.prod(shape), dtype=np.int16).reshape(shape))


def test_a_model_sees_all_images_with_what_they_are():
    item = Item(name="q", images=(), question="Q?", answer="", captions=("before", "now"))
    asked = question_of(item, [volume(1, 8, 9), volume(1, 8, 9)], Plan())
    assert asked.captions == ("before", "now")
    assert len(asked.pictures) == 2


def test_of_a_volume_slices_are_shown_evenly():
    item = Item(name="q", images=(), question="Q?", answer="")
    asked = question_of(item, [volume(20, 8, 9)], Plan(slices=4))
    assert [p.slice.index for p in asked.pictures] == [2, 7, 12, 17]
    assert asked.captions[0].startswith("axial slice 2 of 20")
    assert question_of(item, [volume(20, 8, 9)], Plan(images=False)).pictures == ()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--backend", "nobody"), "no backend called nobody"),
        (("--backend", "similarity"), "does not answer questions"),
        (("--dataset", "slake"), 'no field "img_name"'),
    ],
)
def test_mistakes_are_reported_in_a_sentence(data, tmp_path, more, message):
    done = CliRunner().invoke(app, ["evaluate", *map(str, options(data, tmp_path, *more))])
    assert done.exit_code == 1, done.output
    assert message in done.output
