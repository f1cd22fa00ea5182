"""Ctrl-C in a terminal prints how to resume, and leaves no process behind."""

import json

import pytest

from tests.evaluation.segment.data_sets import write_pairs
from tests.evaluation.text_runs import evaluate, interrupted, picture


def kept(out):
    return list((out / "cases").glob("[!.]*.json"))


def require_stopped(came, sentence):
    status, result, words, alive = came
    assert status == 130
    assert result == ""
    assert words.splitlines()[-1] == sentence
    assert "Traceback" not in words
    assert not alive


@pytest.mark.parametrize("workers", [1, 2])
def test_segmentation_is_stopped_and_goes_on(tmp_path, workers):
    images, labels = write_pairs(tmp_path, 4)
    out = tmp_path / "out"
    arguments = ("segment", "--images", images, "--labels", labels, "--out", out,
                 "--interactions", 3, "--workers", workers)  # fmt: skip
    came = interrupted(arguments, lambda: kept(out))
    done = len(kept(out))
    assert 1 <= done < 4
    require_stopped(
        came, f"Stopped with {done} of 4 cases done; run the same command again to resume."
    )
    assert not (out / "report.html").exists()
    before = {path: path.stat().st_mtime_ns for path in kept(out)}
    assert evaluate(*arguments)["cases"] == 4
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_questions_are_stopped_while_a_model_thinks(tmp_path):
    picture(tmp_path / "a_1.png")
    scripts = ([{"say": "Yes."}], [{"say": "Well", "wait": True}])
    records = [
        {"image": "a_1.png", "question": "Q?", "answer": "yes", "context": json.dumps(script)}
        for script in scripts
    ]
    (tmp_path / "q.json").write_text(json.dumps(records))
    out = tmp_path / "out"
    arguments = ("ask", "--images", tmp_path, "--references", tmp_path / "q.json",
                 "--backend", "scripted", "--out", out, "--json")  # fmt: skip
    require_stopped(
        interrupted(arguments, lambda: kept(out)),
        "Stopped with 1 of 2 cases done; run the same command again to resume.",
    )


def test_grounding_is_stopped_while_its_worker_begins(tmp_path):
    picture(tmp_path / "a_1.png")
    (tmp_path / "t.csv").write_text("image,phrase,x0,y0,x1,y1\na_1.png,shade 10,1,1,9,9\n")
    out = tmp_path / "out"
    arguments = ("ground", "--images", tmp_path, "--references", tmp_path / "t.csv",
                 "--dataset", "boxes", "--backend", "shades", "--out", out)  # fmt: skip
    require_stopped(
        interrupted(arguments, (out / "run.json").exists),
        "Stopped with 0 of 1 cases done; run the same command again to resume.",
    )
