"""Errors of a server are reported with a remedy, and the text received so far stays."""

from __future__ import annotations

import threading

import pytest

from napari_medvlm.backends.openai_server.reply import UNKNOWN_END
from napari_medvlm.data.errors import (
    BackendFailed,
    BackendUnavailable,
    Cancelled,
    MedVLMError,
    OutOfMemory,
)
from tests.backends.openai_server.player import Played, failed, playing, recorded
from tests.backends.openai_server.requests import Patient, asked, question

TEXT = "The left kidney is larger."
MORE = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"and the kidney "}}]}\n\n'


@pytest.mark.parametrize(
    ("name", "kind", "message", "remedy"),
    [
        (
            "key refused",
            BackendUnavailable,
            r"rejected the API key \(401\)",
            "NAPARI_MEDVLM_API_KEY",
        ),
        (
            "key forbidden",
            BackendUnavailable,
            r"rejected the API key \(403\)",
            "NAPARI_MEDVLM_API_KEY",
        ),
        ("no path", BackendUnavailable, r"has no chat endpoint \(404\)", "/v1"),
        ("too large", BackendFailed, r"exceed the limit of the server .* \(413\)", "fewer slices"),
        ("too wide", BackendFailed, r"exceed the limit of the server .* \(400\)", "smaller region"),
        ("busy", BackendFailed, r"is overloaded \(429\)", "Wait"),
        ("server failed", BackendFailed, r"failed \(500\): Internal failure", "log"),
        ("out of memory", OutOfMemory, "server ran out of memory", "smaller"),
        ("blind (vLLM)", BackendUnavailable, "does not accept images", "a model that sees"),
        ("blind (llama.cpp)", BackendUnavailable, "does not accept images", "--mmproj"),
        ("blind (LM Studio)", BackendUnavailable, "does not accept images", "a model that sees"),
        ("not taken", BackendFailed, r"rejected the question \(400\)", "another model"),
    ],
)
def test_errors_of_servers(name, kind, message, remedy):
    with playing(failed(name)) as server, pytest.raises(kind, match=message) as reported:
        asked(server.url)
    assert remedy in reported.value.hint
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "name", ["no model (vLLM)", "no model (Ollama)", "no model (ms-swift)", "server failed"]
)
def test_a_wrong_name_is_reported_with_the_names_there_are(name):
    with playing(failed(name)) as server, pytest.raises(BackendUnavailable) as reported:
        asked(server.url, name="seeer")
    assert "does not list a model 'seeer'" in reported.value.message
    assert "seer" in reported.value.hint


def test_a_failure_that_does_not_name_the_model_comes_before_the_name() -> None:
    with playing(failed("server failed")) as server, pytest.raises(BackendUnavailable) as error:
        asked(server.url, name="seeer")
    assert "failed (500): Internal failure" in error.value.message
    assert error.value.hint.startswith("If the name is the cause, choose one of: seer")


def test_no_server_is_reported():
    with playing() as server:
        pass
    for name in ("seer", ""):
        with pytest.raises(BackendUnavailable, match="No server answers at") as reported:
            asked(server.url, name=name)
        assert "Start the server" in reported.value.hint


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_what_is_no_stream_is_reported(kind):
    page = Played(b"<html>Welcome</html>", kind=kind)
    with playing(page, models=page) as server:
        with pytest.raises(BackendFailed, match="no stream") as reported:
            asked(server.url)
        assert "/v1" in reported.value.hint
        with pytest.raises(MedVLMError) as reported:
            asked(server.url, name="")
        assert "/v1" in reported.value.hint


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("half", BackendFailed, "was lost during the answer"),
        ("not_json", BackendFailed, "unreadable response"),
        ("error_event", BackendFailed, "worker died unexpectedly"),
        ("error_text", OutOfMemory, "server ran out of memory"),
    ],
)
def test_a_partial_answer_is_stored(name, kind, message):
    come = []
    played = recorded(name, broken=name == "half")
    with playing(played) as server, pytest.raises(kind, match=message) as reported:
        asked(server.url, come=come)
    assert "".join(come).startswith("The left")
    assert reported.value.hint
    assert len(server.asked) == 1


def test_an_end_silently_that_it_is_one_is_noted():
    with playing(recorded("no_finish")) as server:
        answer = asked(server.url)
    assert (answer.text, answer.notes) == (TEXT, (UNKNOWN_END,))
    with playing(recorded("no_done")) as server:
        answer = asked(server.url)
    assert (answer.text, answer.notes) == (TEXT, ())
    with playing(recorded("length")) as server:
        answer = asked(server.url)
    assert any("before it finished" in note for note in answer.notes)


def test_a_server_that_does_not_close_the_stream_is_left():
    for name in ("plain", "no_done"):
        with playing(recorded(name, stays=True)) as server:
            answer = asked(server.url)
            assert server.gone.wait(120)
        assert (answer.text, answer.notes) == (TEXT, ())


def test_an_empty_answer_is_none():
    with playing(recorded("empty")) as server:
        answer = asked(server.url)
    assert not answer.answered
    assert "wrote nothing" in answer.reason
    assert any("context" in note for note in answer.notes)


def test_an_empty_answer_about_images_may_be_of_a_model_that_accepts_none() -> None:
    with playing(recorded("empty")) as server:
        answer = asked(server.url, question(shown=1))
    assert any("the model accepts no images" in note for note in answer.notes)


def test_another_language_is_an_answer():
    with playing(recorded("other_language")) as server:
        answer = asked(server.url)
    assert answer.text == "Die linke Niere ist größer.左肾较大。"
    assert answer.answered


def test_endless_repetition_is_stopped_and_the_connection_closed():
    come = []
    with playing(recorded("half", forever=MORE)) as server:
        answer = asked(server.url, come=come)
        assert server.gone.wait(120)
    assert answer.text.startswith("The left")
    assert answer.text.count("and the kidney") <= 2
    assert any("repeated itself" in note for note in answer.notes)
    assert len("".join(come)) < 3000


def test_a_cancel_in_the_middle_of_a_stream_is_passed_on_and_closes_it():
    come = []

    def cancel(*_):
        if come:
            raise Cancelled

    with playing(recorded("half", forever=MORE)) as server:
        with pytest.raises(Cancelled):
            asked(server.url, come=come, progress=cancel)
        assert server.gone.wait(120)


def test_a_cancel_before_the_first_word_is_passed_on_and_closes_the_connection():
    reported = []

    def cancel(fraction, message):
        reported.append(message)
        if len(reported) == 3:
            raise Cancelled

    with playing(recorded("plain", held=threading.Event())) as server:
        with pytest.raises(Cancelled):
            asked(server.url, progress=cancel)
        assert server.gone.wait(120)
    assert "medvlm-server" not in {thread.name for thread in threading.enumerate()}
    assert reported[0].startswith("Waiting for the server")


def test_silent_server_times_out_with_a_hint():
    with playing(recorded("plain", held=threading.Event())) as server:
        with pytest.raises(BackendFailed, match="No response from") as reported:
            asked(server.url, backend=Patient())
        assert "loading the model" in reported.value.hint


@pytest.mark.parametrize(
    "name",
    ["too long (vLLM)", "too long (llama.cpp)", "too long (LM Studio)"],
)
def test_pictures_are_left_out_oldest_first_until_it_fits_and_that_is_noted(name):
    with playing(failed(name), failed(name), recorded("plain")) as server:
        answer = asked(server.url, question(shown=6))
    sent = [str(body).count("image_url': {'url'") for body in server.asked]
    assert sent[0] == 6
    assert sent == sorted(set(sent), reverse=True)
    assert [ref.index for ref in answer.images] == list(range(6 - sent[-1], 6))
    (note,) = [note for note in answer.notes if "left out" in note]
    names = ", ".join(f"slice {k}" for k in range(6 - sent[-1]))
    assert note.endswith(f"{6 - sent[-1]} of 6 images were left out: {names}.")
    assert answer.text == TEXT


def test_a_shortened_question_leaves_a_quarter_of_the_context_for_the_answer() -> None:
    # 4096 of 6144 tokens, three quarters of these for the question: half of the images.
    with playing(failed("too long (vLLM)"), recorded("plain")) as server:
        assert len(asked(server.url, question(shown=6)).images) == 3


def test_a_question_that_is_too_long_without_pictures_is_reported():
    with playing(failed("too long (vLLM)")) as server:
        with pytest.raises(BackendFailed, match="exceeds the context length") as reported:
            asked(server.url, question(shown=4))
        assert 1 < len(server.asked) <= 8
    assert "new conversation" in reported.value.hint


def test_a_server_that_takes_one_picture_is_sent_one():
    with playing(failed("too many pictures (vLLM)"), recorded("plain")) as server:
        answer = asked(server.url, question(shown=3))
    assert [ref.index for ref in answer.images] == [2]
    assert "1 at most. 2 of 3 images were left out: slice 0, slice 1." in answer.notes[0]


def test_a_model_made_for_one_picture_is_sent_one():
    models = {"data": [{"id": "llava-med"}]}
    with playing(recorded("plain"), models=models) as server:
        answer = asked(server.url, question(shown=3), name="")
    assert [ref.index for ref in answer.images] == [2]
    assert "made for 1 at most" in answer.notes[0]
