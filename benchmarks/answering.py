"""Answers through the Ask dock beside the server called alone: ``python -m benchmarks.answering``.

A real server, ``transformers serve``, runs a small model of random weights that writes a thousand
tokens as fast as this machine can: far faster than a model that is of use, so that what the way
through the dock costs shows at its worst. All ways are taken in turn, with the same messages.

The server called alone is the openai library's own client, kept open, with the request made before.
Through the worker is what a session does without a window. Through the dock is a question asked in
a real window: the first text and the end are when they stand in the card. The window's process
never loads a model's library; where there is no display, run it under ``xvfb-run``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import OpenAI

from napari_medvlm.backends.models.catalog import served_row
from napari_medvlm.backends.openai_server.connection import joined
from napari_medvlm.backends.openai_server.request import request_of
from napari_medvlm.data.answer import Question
from napari_medvlm.sessions.ask.tool_loop import answered_question, render_images
from napari_medvlm.worker.messages import AnswerReply, AskRequest
from napari_medvlm.worker.process_runner import WorkerRunner
from tests.conftest import make_phantom

RESULTS = Path(__file__).parent / "results"
ASKED = "What is bright in this picture?"
SHAPE = (6, 128, 128)
WAKE_MS = 5
Taken = tuple[float, float, int]
"""Seconds to the first text and to the end, and tokens."""


def alone(client: OpenAI, request: dict[str, object]) -> Taken:
    """The openai library's client, and nothing else."""
    start, first, tokens = time.perf_counter(), 0.0, 0
    for chunk in client.chat.completions.create(stream=True, **request):  # type: ignore[call-overload]
        if chunk.choices and chunk.choices[0].delta.content and not first:
            first = time.perf_counter() - start
        tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return first, time.perf_counter() - start, tokens


def through(runner: WorkerRunner, request: AskRequest) -> Taken:
    """The way of a session without a window."""
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


class Window:
    """A napari window with the Ask dock, whose backend is a model of a server."""

    def __init__(self, url: str, name: str) -> None:
        import napari
        from napari.layers import Layer
        from qtpy.QtCore import QTimer

        from napari_medvlm.layers import layer_data

        self.viewer = napari.Viewer(title="answering")
        self.viewer.add_layer(Layer.create(*layer_data(make_phantom(SHAPE)[0])))
        self.dock: Any = self.viewer.window.add_plugin_dock_widget("napari-medvlm", "Ask")[1]
        self._waker = QTimer()
        self._waker.start(WAKE_MS)
        self._until(lambda: self.dock.session is not None)
        backend = self.dock.backend
        backend.setCurrentIndex(backend.findData("server"))
        backend.activated.emit(backend.currentIndex())
        self.dock.server.address.setText(url)
        self.dock.server.name.setEditText(name)

    def ask(self) -> Taken:
        """Ask in a new conversation, and look at the card until the answer stands in it."""
        self.dock.session.new()
        self._until(lambda: not self.dock.reading.transcript.cards)
        start = time.perf_counter()
        self.dock.box.write(ASKED)
        self.dock.ask()
        self._until(lambda: any(c.text.toPlainText() for c in self._cards))
        first = time.perf_counter() - start
        self._until(lambda: any(c.exchange.answer is not None for c in self._cards))
        end = time.perf_counter() - start
        self._until(lambda: not self.dock.session.pending)
        return first, end, self.dock.session.active.turns[-1].answer.tokens

    def question(self) -> Question:
        """What was sent for the last question."""
        session = self.dock.session
        exchange = session.active.turns[-1]
        given = session._given_of(exchange.id)
        return answered_question(exchange, given, (), render_images(session.volume, given))

    def close(self) -> None:
        """Leave it."""
        self.dock.close_dock()
        self.viewer.close()

    @property
    def _cards(self) -> list[Any]:
        return list(self.dock.reading.transcript.cards.values())

    def _until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Let the window live, asleep between events, until something is so."""
        from qtpy.QtCore import QEventLoop
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + timeout_s
        while not condition():
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.monotonic() > end:
                raise TimeoutError(f"It took longer than {timeout_s} s.")


@contextmanager
def a_window(url: str, name: str) -> Iterator[Window]:
    """A window that is closed in the end."""
    window = Window(url, name)
    try:
        yield window
    finally:
        window.close()


def compare(url: str, name: str, rounds: int) -> dict[str, dict[str, float]]:
    """All ways to ask a model of a server, in turn."""
    volume = make_phantom(SHAPE)[0]
    with (
        a_window(url, name) as window,
        OpenAI(base_url=url, api_key="none") as client,
        WorkerRunner() as runner,
    ):
        window.ask()
        what = window.question()
        request = request_of(what, served_row(name), name)
        asked = AskRequest("server", volume, joined(url, name), question=what)
        found = measured(
            {
                "alone": lambda: alone(client, request),
                "through the worker": lambda: through(runner, asked),
                "through the dock": window.ask,
            },
            rounds,
        )
    assert "torch" not in sys.modules
    return found


def reported(found: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The figures, and those of each way as a ratio to the server called alone."""
    own = found["alone"]
    ratios = {
        way: {key: values[key] / own[key] for key in own}
        for way, values in found.items()
        if way != "alone"
    }
    for way, values in {**found, **{f"{way}, ratio": r for way, r in ratios.items()}}.items():
        print(f"{way:26}", *(f"{key} {value:.4g}" for key, value in values.items()), sep="  ")
    return {**found, "ratio": ratios}


def main() -> None:
    """Measure, print, and write ``results/answering.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--server", nargs=2, help="ADDRESS and MODEL of one that runs already")
    chosen = parser.parse_args()
    if chosen.server:
        found = reported(compare(*chosen.server, chosen.rounds))
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "answering.json").write_text(json.dumps(found, indent=1) + "\n")
        return
    from tests.backends.openai_server.tiny_server import LONG, make_models, serving

    with tempfile.TemporaryDirectory() as folder, serving(make_models(Path(folder))) as url:
        again = [sys.executable, "-m", "benchmarks.answering", "--rounds", str(chosen.rounds)]
        subprocess.run([*again, "--server", url, LONG], check=True)


if __name__ == "__main__":
    main()
