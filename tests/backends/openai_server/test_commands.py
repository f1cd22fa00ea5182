"""Asking a server on the command line."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.settings import allowed_hosts
from tests.backends.openai_server.player import playing, recorded
from tests.backends.openai_server.requests import VOLUME
from tests.evaluation.text_runs import picture

MODEL = "Qwen/Qwen2.5-VL-7B-Instruct"


@pytest.fixture
def scan(tmp_path):
    nmv.write_mask(tmp_path / "scan.nrrd", VOLUME.data - VOLUME.data.min(), VOLUME)
    return str(tmp_path / "scan.nrrd")


def ask(scan, *arguments):
    return CliRunner().invoke(app, ["ask", scan, "Which is larger?", "--json", *arguments])


def test_a_closed_question_has_a_choice_and_how_likely_each_is(scan):
    options = ("--option", "the left one", "--option", "the right one")
    with playing(recorded("logprobs")) as server:
        done = ask(
            scan, "--backend", "server", "--base-url", server.url, "--model", "seer",
            "--slices", "0:2:4", "--context", "Flank pain.", *options,
        )  # fmt: skip
    assert done.exit_code == 0, done.output
    reported = json.loads(done.stdout)
    assert reported["choice"] == "the right one"
    assert sum(reported["probabilities"]) == pytest.approx(1)
    assert [image["index"] for image in reported["images"]] == [2, 3]
    assert "Flank pain." in str(server.asked[0]["messages"])


def test_questions_of_a_data_set_are_asked_without_boxes_unless_wanted(tmp_path):
    picture(tmp_path / "one.png", [(200, 5, 5, 20, 20)])
    question = {"id": "q", "image": "one.png", "question": "Which is larger?", "answer": "left"}
    (tmp_path / "questions.json").write_text(json.dumps([question]))
    for more, wanted in (((), False), (("--boxes",), True)):
        out = tmp_path / f"run {wanted}"
        with playing(recorded("plain")) as server:
            done = CliRunner().invoke(app, [
                *("evaluate", "ask", "--images", str(tmp_path), "--backend", "server"),
                *("--references", str(tmp_path / "questions.json"), "--out", str(out)),
                *("--base-url", server.url, "--model", MODEL, *more),
            ])  # fmt: skip
        assert done.exit_code == 0, done.output
        assert ("write its box" in str(server.asked[0]["messages"])) is wanted
        (case,) = (out / "cases").glob("[!.]*.json")
        assert json.loads(case.read_text())["written"]
        plan = json.loads((out / "run.json").read_text())["plan"]
        assert (plan["model"], plan["boxes"]) == (f"{server.url}#{MODEL}", wanted)


def test_the_kind_of_answer_can_be_specified(scan):
    with playing(recorded("plain")) as server:
        asked = ("--backend", "server", "--model", f"{server.url}#seer", "--slice-step-mm", "6")
        assert ask(scan, *asked, "--kind", "report").exit_code == 0
    assert "FINDINGS" in server.asked[0]["messages"][0]["content"]
    assert str(server.asked[0]).count("image_url': {'url'") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--slices", "0:1:2"], "--base-url"),
        (["--base-url", "http://127.0.0.1:1/v1"], "--slices or"),
        (["--base-url", "http://127.0.0.1:1/v1", "--slices", "1"], "AXIS:START:STOP"),
        (["--base-url", "nowhere", "--slices", "0:1:2"], "is not the address of a server"),
        (["--base-url", "http://8.8.8.8/v1", "--slices", "0:1:2"], "--allow-remote"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(scan, arguments, message):
    done = ask(scan, "--backend", "server", "--model", "seer", *arguments)
    assert done.exit_code in (1, 2)
    assert message in " ".join(done.output.replace("│", " ").split())
    assert "Traceback" not in done.output


def test_a_remote_server_is_asked_only_after_consent(scan, monkeypatch):
    monkeypatch.setattr(allowed_hosts, "is_private", lambda url: False)
    with playing(recorded("plain")) as server:
        asked = ("--backend", "server", "--base-url", server.url, "--slices", "0:1:2")
        assert ask(scan, *asked).exit_code == 1
        assert not server.headers
        assert ask(scan, *asked, "--allow-remote").exit_code == 0
    assert server.asked
