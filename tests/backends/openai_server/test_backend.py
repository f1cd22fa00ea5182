"""What a server is sent, and what becomes of what it sends, with replies that were recorded."""

from __future__ import annotations

import base64
import io
import json
import struct

import numpy as np
import pytest
from PIL import Image

from napari_medvlm.backends.conformance.segment import CHECKS, backend_class
from napari_medvlm.backends.models.catalog import served_row
from napari_medvlm.backends.openai_server.connection import address_of, joined, models_of
from napari_medvlm.backends.openai_server.images import framed_for
from napari_medvlm.data.answer import AnswerKind, ChatTurn
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.tool_call import ToolCall, ToolResult, ToolRound
from napari_medvlm.settings import allowed_hosts
from tests.backends.openai_server.player import Played, failed, playing, recorded
from tests.backends.openai_server.requests import MEASURE, VOLUME, asked, pictures, question

TEXT = "The left kidney is larger."


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check):
    with playing(recorded("plain")) as server:
        check(backend_class("server"), f"{server.url}#seer")


def test_text_comes_as_it_is_written_and_is_the_answer():
    come = []
    with playing(recorded("plain")) as server:
        answer = asked(server.url, come=come)
    assert "".join(come) == answer.text == TEXT
    assert answer.answered
    assert answer.tokens == 7
    assert [claim.text for claim in answer.claims] == [TEXT]
    assert [ref.index for ref in answer.images] == [0]
    assert not answer.notes


def test_an_answer_stores_the_sent_text_and_the_box_format():
    with playing(recorded("plain")) as server:
        answer = asked(server.url, question(shown=1, context="Flank pain."))
        (body,) = server.asked
    sent = [
        part["text"]
        for message in body["messages"]
        if not isinstance(message["content"], str)
        for part in message["content"]
        if part["type"] == "text"
    ]
    assert sent
    assert all(text in answer.prompt for text in sent)
    assert answer.prompt.startswith("system: ")
    assert answer.prompt.count("[image]") == 1
    assert "base64" not in answer.prompt
    assert dict(answer.settings) == {"temperature": 0}


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "think_tags"])
def test_reasoning_is_separated_from_the_answer_in_each_form_of_servers(name):
    come = []
    with playing(recorded(name)) as server:
        answer = asked(server.url, come=come)
    assert answer.thinking == "I compare both."
    assert "".join(come) == answer.text == TEXT


def test_pixels_and_the_words_of_the_question_are_all_that_is_sent(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "of-another-service")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: of-another-service")
    what = question(shown=2, context="Flank pain.", earlier=(ChatTurn("Which side?", "Left."),))
    with playing(recorded("plain")) as server:
        asked(server.url, what)
    (headers,), (body,) = server.headers, server.asked
    assert "of-another-service" not in json.dumps([headers, body])
    assert set(headers) <= {
        "host", "accept", "accept-encoding", "connection", "content-type", "content-length",
        "user-agent",
    }  # fmt: skip
    assert headers["user-agent"] == "napari-medvlm"
    sent = json.dumps(body)
    assert VOLUME.name not in sent
    assert str(VOLUME.source or "no source") not in sent
    assert set(body) == {"model", "messages", "stream", "stream_options", "temperature"}
    parts = body["messages"][-1]["content"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert [part["text"] for part in parts if part["type"] == "text"] == [
        "Image 1: slice 0", "Image 2: slice 1", "What is known of the patient:\nFlank pain.",
        what.text,
    ]  # fmt: skip
    for url, picture in zip(urls, what.pictures, strict=True):
        data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
        assert _chunks(data) <= {b"IHDR", b"IDAT", b"IEND"}
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), picture.pixels)


def _chunks(png):
    """The names of a PNG's chunks: what it holds besides pixels."""
    names, at = set(), 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        names.add(png[at + 4 : at + 8])
        at += 12 + length
    return names


def test_the_key_is_this_programs_own(monkeypatch):
    with playing(recorded("plain")) as server:
        monkeypatch.setenv("NAPARI_MEDVLM_API_KEY", "mine")
        asked(server.url)
        monkeypatch.delenv("NAPARI_MEDVLM_API_KEY")
        monkeypatch.setattr("keyring.get_password", lambda *asked: "/".join(asked))
        asked(server.url)
    assert server.headers[0]["authorization"] == "Bearer mine"
    own = f"napari-medvlm/{server.url.removesuffix('/v1')}"
    assert server.headers[1]["authorization"] == f"Bearer {own}"


def test_private_servers_are_not_asked_through_a_proxy(monkeypatch):
    with playing(recorded("plain")) as server, playing(failed("busy")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        assert asked(server.url).text == TEXT
        assert models_of(server.url) == ["seer"]
    assert not proxy.headers


def test_request_to_a_non_local_server_needs_consent(monkeypatch):
    with playing(recorded("plain")) as server:
        monkeypatch.setattr(allowed_hosts, "is_private", lambda url: False)
        for ask in (asked, models_of):
            with pytest.raises(BackendUnavailable, match="not sent there"):
                ask(server.url)
        assert not server.headers
        allowed_hosts.allow(server.url)
        assert asked(server.url).text == TEXT


def test_a_model_that_a_server_here_passes_on_to_the_cloud_needs_the_users_word():
    with playing(recorded("plain")) as server:
        with pytest.raises(BackendUnavailable, match="on to servers outside"):
            asked(server.url, name="qwen3-vl:235b-cloud")
        assert not server.headers
        allowed_hosts.allow(server.url)
        assert asked(server.url, name="qwen3-vl:235b-cloud").text == TEXT


def test_a_redirection_is_reported_and_not_followed():
    with playing(recorded("plain")) as other:
        away = Played(status=307, headers={"Location": f"{other.url}/chat/completions"})
        with playing(away) as server, pytest.raises(BackendUnavailable, match="sends on to"):
            asked(server.url)
    assert not other.headers


def test_addresses_and_names_are_one_text():
    for base, name in (("http://127.0.0.1:8000/v1", "qwen#2:7b"), ("https://a.b/v1", "")):
        assert address_of(joined(base, name)) == (base, name)
    assert joined("http://a/v1/#old", "new") == "http://a/v1#new"
    for wrong in (None, "", "seer", "localhost:1234"):
        with pytest.raises(BackendUnavailable):
            address_of(wrong)


def test_the_only_model_needs_no_name_and_of_several_one_must_be_named():
    with playing(recorded("plain")) as server:
        assert asked(server.url, name="").text == TEXT
    assert server.asked[0]["model"] == "seer"
    several = {"data": [{"id": name} for name in ("seer", "reader")]}
    with playing(models=several) as server, pytest.raises(BackendUnavailable) as reported:
        asked(server.url, name="")
    assert "offers 2 models" in reported.value.message
    assert "seer, reader" in reported.value.hint


def test_calls_of_tools_are_joined_from_their_parts():
    with playing(recorded("tool_calls")) as server:
        answer = asked(server.url, question(tools=(MEASURE,)))
    assert [(c.id, c.name, c.arguments["object"], c.problem) for c in answer.calls] == [
        ("call_a", "measure", "left kidney", ""),
        ("call_b", "measure", "right kidney", ""),
    ]
    (tool,) = server.asked[0]["tools"]
    assert tool["function"] == {
        "name": "measure", "description": MEASURE.description,
        "parameters": dict(MEASURE.parameters),
    }  # fmt: skip
    with playing(recorded("tool_calls_same_index")) as server:
        answer = asked(server.url, question(tools=(MEASURE,)))
    assert [c.arguments["object"] for c in answer.calls] == ["left kidney", "right kidney"]


def test_a_call_that_is_no_json_is_a_call_with_a_problem():
    with playing(recorded("tool_call_not_json")) as server:
        (call,) = asked(server.url, question(tools=(MEASURE,))).calls
    assert (call.name, call.id) == ("measure", "call_a")
    assert "not JSON" in call.problem


def test_results_of_tools_go_back_as_the_protocol_has_them():
    call = ToolCall("measure", {"object": "left kidney"}, "call_a")
    result = ToolResult(call, "152.3 ml", pictures=pictures(1))
    what = question(tools=(MEASURE,), steps=(ToolRound("I measure it.", (result,)),))
    with playing(recorded("plain")) as server:
        answer = asked(server.url, what)
    *_, said, reported, shown = server.asked[0]["messages"]
    assert said["content"] == "I measure it."
    (sent,) = said["tool_calls"]
    assert (sent["id"], sent["type"]) == ("call_a", "function")
    assert json.loads(sent["function"]["arguments"]) == {"object": "left kidney"}
    assert reported == {"role": "tool", "tool_call_id": "call_a", "content": "152.3 ml"}
    assert [part["type"] for part in shown["content"]] == ["text", "image_url"]
    assert len(answer.images) == 2


@pytest.mark.parametrize("name", ["no tools (vLLM)", "no tools (Ollama)"])
def test_tools_are_offered_in_text_where_the_server_knows_no_functions(name):
    with playing(failed(name), recorded("plain")) as server:
        answer = asked(server.url, question(tools=(MEASURE,)))
    assert answer.text == TEXT
    assert "tools" not in server.asked[1]
    assert "<tool>" in server.asked[1]["messages"][0]["content"]


def test_how_likely_each_option_is():
    what = question(kind=AnswerKind.CHOICE, options=("the left one", "the right one"))
    with playing(recorded("logprobs")) as server:
        answer = asked(server.url, what)
    assert server.asked[0]["logprobs"] is True
    assert server.asked[0]["top_logprobs"] == 20
    assert answer.choice == "the right one"
    assert answer.probabilities == pytest.approx((0.158, 0.842), abs=1e-3)
    with playing(failed("no logprobs"), recorded("plain")) as server:
        assert asked(server.url, what).probabilities == ()
    assert "logprobs" not in server.asked[1]


@pytest.mark.parametrize("size", [(24, 24), (181, 217), (2000, 900)])
def test_where_places_are_in_pixels_the_picture_needs_no_resizing_by_the_server(size):
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    picture = pictures(1)[0]
    picture = type(picture)(
        np.zeros((*size, 3), np.uint8), picture.grid, picture.slice, 1, 2, (False, False)
    )
    shown = framed_for(picture, served_row("Qwen2.5-VL-7B-Instruct"))
    height, width = shown.pixels.shape[:2]
    for fewest in (4, 1024):  # 1024: llama.cpp's server with --image-min-tokens 1024
        resized = smart_resize(height, width, 28, fewest * 28**2, 28 * 28 * 1280)
        assert resized == (height, width)
    assert shown.box_back((0, 0, width, height)) == pytest.approx((0, 0, size[1], size[0]))
    assert 1024 <= height * width // 28**2 <= 1280
