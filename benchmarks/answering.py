"""Answers through the worker beside the server called alone: ``python -m benchmarks.answering``.

A real server, ``transformers serve``, runs a small model of random weights that writes a thousand
tokens as fast as this machine can: far faster than a model that is of use, so that what the way
through the worker costs shows at its worst. Both ways are taken in turn, with the same messages.
The server called alone is the openai library's own client, kept open, with the request made before.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from openai import OpenAI

import napari_medvlm as nmv
from napari_medvlm.answers import Question
from napari_medvlm.backends.catalog import served_row
from napari_medvlm.backends.server_chat import request_of
from napari_medvlm.backends.server_link import joined
from napari_medvlm.slicing import picture_of
from napari_medvlm.worker.process import WorkerRunner
from napari_medvlm.worker.wire import AnswerReply, AskRequest
from tests.backends.tiny_server import LONG, make_models, serving
from tests.conftest import make_phantom

RESULTS = Path(__file__).parent / "results"
Taken = tuple[float, float, int]
"""Seconds to the first text and to the end, and tokens."""


def question(volume: nmv.Volume, pictures: int) -> Question:
    """A question with the first slices of a volume."""
    shown = [picture_of(volume, ref) for ref in nmv.Scope(0, 0, pictures).slices(volume.grid)]
    return Question("What is bright in this picture?", pictures=tuple(shown))


def alone(client: OpenAI, request: dict[str, object]) -> Taken:
    """The openai library's client, and nothing else."""
    start, first, tokens = time.perf_counter(), 0.0, 0
    for chunk in client.chat.completions.create(stream=True, **request):  # type: ignore[call-overload]
        if chunk.choices and chunk.choices[0].delta.content and not first:
            first = time.perf_counter() - start
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return first, time.perf_counter() - start, tokens


def through(runner: WorkerRunner, request: AskRequest) -> Taken:
    """The way that the dock takes."""
    start = time.perf_counter()
    came: list[float] = []
    reply = runner.submit(request, on_text=lambda _: came.append(time.perf_counter())).result()
    end = time.perf_counter()
    assert isinstance(reply, AnswerReply)
    return came[0] - start, end - start, reply.answer.tokens


def measured(ways: dict[str, Callable[[], Taken]], rounds: int) -> dict[str, dict[str, float]]:
    """Medians of each way, taken in turn; the first round warms up."""
    taken: dict[str, list[Taken]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            result = ways[name]()
            if number:
                taken[name].append(result)
    return {
        name: {
            "first_text_s": statistics.median(first for first, _, _ in own),
            "tokens_a_second": statistics.median(n / whole for _, whole, n in own),
            "tokens_a_second_once_begun": statistics.median(n / (w - f) for f, w, n in own),
            "tokens": own[0][2],
        }
        for name, own in taken.items()
    }


def main() -> None:
    """Measure, print, and write ``results/answering.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--pictures", type=int, default=1)
    chosen = parser.parse_args()
    volume = make_phantom((6, 128, 128))[0]
    what = question(volume, chosen.pictures)
    with tempfile.TemporaryDirectory() as folder, serving(make_models(Path(folder))) as url:
        request = request_of(what, served_row(LONG), LONG)
        asked = AskRequest("server", volume, joined(url, LONG), question=what)
        with OpenAI(base_url=url, api_key="none") as client, WorkerRunner() as runner:
            ways = {
                "alone": lambda: alone(client, request),
                "through the worker": lambda: through(runner, asked),
            }
            found = measured(ways, chosen.rounds)
    own, other = found["through the worker"], found["alone"]
    ratios = {name: own[name] / other[name] for name in own}
    for name, values in {**found, "ratio": ratios}.items():
        print(f"{name:20}", *(f"{key} {value:.4g}" for key, value in values.items()), sep="  ")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "answering.json").write_text(json.dumps({**found, "ratio": ratios}, indent=1))


if __name__ == "__main__":
    main()
