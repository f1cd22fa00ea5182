"""Mutated answers, errors and lists of a server end in an answer or in a sentence."""

import json
import random

import pytest

from napari_medvlm.backends.openai_server.connection import models_of
from napari_medvlm.data.answer import AnswerKind
from tests.backends.openai_server.player import MODELS, REPLIES, Played, playing
from tests.backends.openai_server.requests import MEASURE, Patient, asked, question
from tests.mutations import ends_with_a_sentence, mutated, mutated_json

STREAMS = [path.stem for path in sorted(REPLIES.glob("*.sse"))]
ERRORS = json.loads((REPLIES / "errors.json").read_text("utf-8"))
QUESTIONS = [
    question(),
    question(kind=AnswerKind.YES_NO),
    question(kind=AnswerKind.CHOICE, options=("a", "b")),
    question(tools=(MEASURE,)),
]


def mutated_stream(data, seed):
    """A stream with bytes changed, or members of one to three of its chunks."""
    if seed.random() < 0.35:
        return mutated(data, seed)
    lines = data.split(b"\n")
    chunks = [at for at, line in enumerate(lines) if line.startswith(b"data: {")]
    for at in seed.sample(chunks, min(len(chunks), seed.randint(1, 3))):
        lines[at] = b"data: " + mutated_json(lines[at].removeprefix(b"data: "), seed)
    return b"\n".join(lines)


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "not_json"])
def test_mutated_streams_end_in_an_answer_or_a_sentence(name):
    source, seed = (REPLIES / f"{name}.sse").read_bytes(), random.Random(name)
    with playing(Played()) as player:
        for number in range(25):
            player.replies = [Played(mutated_stream(source, seed), broken=number % 10 == 9)]
            what = seed.choice(QUESTIONS)
            ends_with_a_sentence(lambda what=what: asked(player.url, what, backend=Patient()))


@pytest.mark.parametrize("name", ERRORS)
def test_mutated_errors_end_in_a_sentence(name):
    status, body = ERRORS[name]
    seed = random.Random(name)
    location = {"Location": "http://127.0.0.1/\x1b[31m" + "x" * 3000}
    with playing(Played()) as player:
        for number in range(6):
            change = mutated if number % 3 == 2 else mutated_json
            sent = change(json.dumps(body).encode(), seed)
            code = seed.choice([status, 302, 400, 404, 418, 500])
            player.replies = [Played(sent, code, "application/json", headers=location)]
            ends_with_a_sentence(lambda: asked(player.url, backend=Patient()))


def test_mutated_lists_of_models_are_read_or_refused_with_a_sentence():
    seed = random.Random(0)
    with playing(Played()) as player:
        for number in range(60):
            change = mutated if number % 3 == 2 else mutated_json
            sent = change(json.dumps(MODELS).encode(), seed)
            player.models = Played(sent, 200, "application/json")
            ends_with_a_sentence(lambda: [name.strip() for name in models_of(player.url)])
