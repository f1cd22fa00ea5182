"""Against llama.cpp's own server with a small model, whose text is known, and a projector."""

from __future__ import annotations

import base64
import io
import sys

import pytest
from openai import OpenAI
from PIL import Image

from napari_medvlm.backends.openai_server.connection import models_of
from napari_medvlm.data.answer import AnswerKind
from napari_medvlm.data.errors import MedVLMError
from tests.backends.openai_server.requests import asked, pictures, question
from tests.backends.openai_server.tiny_gguf import serving, write_model, write_projector

# The library is imported by the server's process alone: its Cython differs from that of others.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="its wheels are for Linux")

BOX = '[{"bbox_2d": [250, 500, 750, 1000], "label": "kidney"}]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gguf")


def made(folder, name, script, **more):
    width = write_model(folder / f"{name}.gguf", script, **more)
    write_projector(folder / f"{name}.mmproj", width)
    return folder / f"{name}.gguf", folder / f"{name}.mmproj"


@pytest.fixture(scope="module")
def url(folder):
    with serving(*made(folder, "seer", ["The ", "left ", "kidney.", "\n", BOX])) as address:
        yield address


def test_its_model_is_listed(url):
    (name,) = models_of(url)
    assert name.endswith("seer.gguf")


@pytest.mark.parametrize("shown", [0, 1, 3])
def test_text_with_pictures_comes_in_pieces(url, shown):
    come = []
    answer = asked(url, question(shown=shown), "", come=come)
    assert answer.written == f"The left kidney.\n{BOX}"
    assert "".join(come) == answer.written
    assert len(come) > 1
    assert len(answer.images) == shown


def test_a_model_that_answers_for_another_one_is_noted(url):
    answer = asked(url, question(), "Qwen3-VL")
    assert any("seer" in note for note in answer.notes), answer.notes


def test_pictures_are_read_by_the_server(url):
    with OpenAI(base_url=url, api_key="none") as client:
        picture = {"type": "image_url", "image_url": {"url": _png()}}
        counts = []
        for parts in ([], [picture]):
            reply = client.chat.completions.create(
                model="seer",
                messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, *parts]}],
            )
            counts.append(reply.usage.prompt_tokens)
    assert counts[1] - counts[0] >= 16


def _png():
    out = io.BytesIO()
    Image.fromarray(pictures(1)[0].pixels).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def test_characters_that_are_cut_between_tokens_are_whole(folder):
    script = ["linke ", *"ö左肾".encode(), "."]
    model, projector = made(folder, "bytes", script)
    with serving(model, projector) as address:
        come = []
        answer = asked(address, question(), "", come=come)
    assert answer.written == "linke ö左肾."
    assert "".join(come) == answer.written


def test_a_model_without_a_projector_is_reported_as_text_only(folder):
    model, _ = made(folder, "blind", ["The left."])
    with serving(model) as address:
        assert asked(address, question(shown=0), "").written == "The left."
        with pytest.raises(MedVLMError, match="picture|image"):
            asked(address, question(shown=1), "")


def test_thoughts_are_no_answer(folder):
    model, projector = made(folder, "thinker", ["<think>", "Left or right?", "</think>", "Left."])
    with serving(model, projector) as address:
        answer = asked(address, question(), "")
    assert answer.text.strip() == "Left."


def test_a_text_without_end_is_stopped(folder):
    model, projector = made(folder, "endless", ["It is the left one. "] * 2)
    with serving(model, projector) as address:
        answer = asked(address, question(), "")
    assert answer.text.count("left one") < 200
    assert any("repeated itself" in note for note in answer.notes), answer.notes


def test_a_question_longer_than_the_context_is_refused_with_the_reason(folder):
    model, projector = made(folder, "short", ["The left."], context=512)
    with serving(model, projector) as address, pytest.raises(MedVLMError) as raised:
        asked(address, question("kidney " * 2000, shown=0), "")
    assert "context" in f"{raised.value}"


def test_a_choice_is_asked_with_the_probability_of_its_options(folder):
    model, projector = made(folder, "chooser", ["left"])
    with serving(model, projector) as address:
        what = question(kind=AnswerKind.CHOICE, options=("left", "right"))
        answer = asked(address, what, "")
    assert answer.text.strip().lower().startswith("left")
