"""Against a real server, ``transformers serve``, with small models of random weights."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from openai import OpenAI
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.backends.models.catalog import served_row
from napari_medvlm.backends.openai_server.connection import joined, models_of
from napari_medvlm.backends.openai_server.request import request_of
from napari_medvlm.cli import app
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.tool_call import ToolResult, ToolRound
from napari_medvlm.worker.messages import AskRequest
from napari_medvlm.worker.process_runner import WorkerRunner
from tests.backends.openai_server.requests import MEASURE, VOLUME, asked, question
from tests.backends.openai_server.tiny_server import (
    CALLER,
    LONG,
    NAME,
    REVISION,
    make_models,
    serving,
)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make_models(tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def url(cache):
    with serving(cache) as address:
        yield address


def by_hand(url, what, name=NAME):
    """What the server writes when it is asked by its own client and does not stream."""
    request = request_of(what, served_row(name), name)
    del request["stream_options"]
    with OpenAI(base_url=url, api_key="none") as client:
        return client.chat.completions.create(**request).choices[0].message.content


def test_its_models_are_listed(url):
    assert sorted(models_of(url)) == sorted([LONG, NAME, CALLER])


def test_text_with_pictures_comes_in_pieces_and_is_what_the_server_writes_at_once(url):
    texts = set()
    for shown in (0, 1, 3):
        come, what = [], question(shown=shown)
        answer = asked(url, what, NAME, come=come)
        assert answer.written == by_hand(url, what)
        assert "".join(come).strip() == answer.written.strip()
        assert answer.tokens >= 40
        assert len(answer.images) == shown
        texts.add(answer.written)
    assert len(texts) == 3


def test_text_is_what_the_library_writes_when_called_by_hand(url, cache):
    import transformers as hf
    from PIL import Image

    what = question(shown=1)
    folder = cache / f"models--{NAME.replace('/', '--')}" / "snapshots" / REVISION
    processor = hf.AutoProcessor.from_pretrained(folder)
    model = hf.AutoModelForImageTextToText.from_pretrained(folder).eval()
    messages = request_of(what, served_row(NAME), NAME)["messages"]
    reply = [
        {"type": "text", "text": part["text"]}
        if part["type"] == "text"
        else {"type": "image", "image": Image.fromarray(what.pictures[0].pixels)}
        for part in messages[1]["content"]
    ]
    system = [{"type": "text", "text": messages[0]["content"]}]
    inputs = processor.apply_chat_template(
        [{"role": "system", "content": system}, {"role": "user", "content": reply}],
        add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    (tokens,) = model.generate(**inputs, max_new_tokens=1024)
    own = tokens[inputs["input_ids"].shape[1] :]
    assert asked(url, what, NAME).written == processor.decode(own, skip_special_tokens=True)


def test_other_pixels_are_another_question(url):
    texts = set()
    for turns in range(4):
        data = np.rot90(VOLUME.data, turns, axes=(1, 2)) if turns else VOLUME.data
        volume = nmv.Volume(np.ascontiguousarray(data), VOLUME.affine, modality=VOLUME.modality)
        answer = nmv.ask(
            volume,
            "What is it?",
            "server",
            selection=nmv.ImageSelection(nmv.Scope(0, 2, 3)),
            model=joined(url, NAME),
        )
        texts.add(answer.written)
    assert len(texts) > 1


def test_closed_questions_and_fields_that_it_does_not_take_are_asked_all_the_same(url):
    what = question(kind=AnswerKind.CHOICE, options=("left", "right"), tools=(MEASURE,))
    answer = asked(url, what, NAME)
    assert answer.written
    assert answer.probabilities == ()


def test_in_the_worker_the_text_comes_in_pieces_and_a_cancel_is_passed_on(url):
    come, running = [], []
    what = AskRequest("server", VOLUME, joined(url, LONG), question=question())
    with WorkerRunner() as runner:
        job = runner.submit(what, on_text=lambda text: (come.append(text), running[0].cancel()))
        running.append(job)
        with pytest.raises(Cancelled):
            job.result(120)
        again = AskRequest("server", VOLUME, joined(url, NAME), question=question())
        start, pieces = time.monotonic(), []
        reply = runner.submit(again, on_text=pieces.append).result(120)
        at_once_s, start = time.monotonic() - start, time.monotonic()
        runner.submit(again).result(120)
        later_s = time.monotonic() - start
    assert come
    assert len("".join(come)) < 500
    assert at_once_s < 10 * later_s, "the server goes on with what was cancelled"
    assert "".join(pieces).strip() == reply.answer.written.strip()
    assert len(pieces) > 1


def test_a_tool_is_called_by_the_protocol_and_its_result_is_taken(url):
    """Random weights write no call, so this model is led to one; all else is the server's."""
    what = question(tools=(MEASURE,))
    first = asked(url, what, CALLER)
    (call,) = first.calls
    assert (call.name, dict(call.arguments), call.problem) == (
        "measure", {"object": "left kidney"}, "",
    )  # fmt: skip
    assert call.id
    assert "tool_call" not in first.text
    rounds = (ToolRound(first.written, (ToolResult(call, "It has 150 ml."),)),)
    after = question(tools=(MEASURE,), steps=rounds)
    second = asked(url, after, CALLER)
    assert not second.calls
    assert second.written.strip() == by_hand(url, after, CALLER).strip()
    other = replace(rounds[0], results=(ToolResult(call, "It has 90 ml."),))
    assert asked(url, replace(after, steps=(other,)), CALLER).written != second.written


def test_a_wrong_name_is_reported_with_the_names_there_are(url):
    with pytest.raises(BackendUnavailable) as error:
        asked(url, name="tiny/none")
    assert "does not list a model 'tiny/none'" in error.value.message
    assert NAME in error.value.hint


def test_a_wrong_path_is_reported(url):
    with pytest.raises(BackendUnavailable, match="404") as error:
        asked(url.removesuffix("/v1"), name=NAME)
    assert "/v1" in error.value.hint


def test_the_command_line_asks_it(url, tmp_path):
    nmv.write_mask(tmp_path / "scan.nrrd", VOLUME.data - VOLUME.data.min(), VOLUME)
    done = CliRunner().invoke(
        app,
        [
            *("ask", str(tmp_path / "scan.nrrd"), "Which is larger?", "--backend", "server"),
            *("--base-url", url, "--model", NAME, "--slices", "0:1:5", "--slice-step-mm", "4"),
            *("--context", "Flank pain.", "--option", "the left", "--option", "the right"),
            *("--allow-remote", "--json"),
        ],
    )
    error = json.loads(done.stdout)
    assert done.exit_code == (0 if error["answered"] else 3)
    assert error["backend"] == "server"
    assert error["images"] == [{"axis": 0, "index": 1}, {"axis": 0, "index": 3}]
    required = {"backend", "answered", "answer", "claims", "images", "seconds"}
    assert required <= set(error) <= required | {"reason", "choice", "probabilities", "notes"}
