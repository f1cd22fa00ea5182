"""What a prompt costs the window's thread in a session that has few or many.

``python -m benchmarks.prompt_cost``: points are added to sessions whose backend returns the same
mask for each; the processor's time of the calling thread is measured, so other work on the computer
does not count. The sizes take turns, so that all are measured under the same load. Resuming opens
a journal and requests all masks. Writes ``results/prompt-cost.md``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.journal_lines import line_of
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ObjectAdded, ObjectInfo
from napari_medvlm.ledger.serialization import json_of
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.messages import Request, SegmentReply
from napari_medvlm.worker.runner import Job, OnProgress, OnText, Runner

RESULT = Path(__file__).parent / "results" / "prompt-cost.md"
SIZES = ((10, 1), (100, 1), (1000, 1), (5000, 1), (5000, 200))
"""Prompts, and the objects among which they are divided; the first size is the reference."""
ADDED = 300
"""Prompts that are measured at each size."""
VOLUME = Volume(np.arange(20 * 60 * 60, dtype=np.int16).reshape(20, 60, 60))
HEAD = """# Cost of a prompt by the number of prompts

Microseconds of the window's thread, median of {added} points, on the processor's clock, on a
machine that did other work; the sizes take turns. *Add*: `SegmentationSession.add`, up to the
request. *Waiting*: `pending_prompts`, which the dock reads while the mask is computed. *Mask*: what
follows when the backend has returned it. The work of the backend, drawing, the journal and sending
the request are not included. A request has all prompts of its object: to pack 5,000 for the worker
takes 13 ms on a thread of its own. A screen shows a new image every 16,700.

| prompts | objects | add | waiting | mask | together | ratio |
|---|---|---|---|---|---|---|
"""


class Answers(Runner):
    """Returns one mask: within the request, or when `answer` is called."""

    def __init__(self) -> None:
        voxels = np.zeros(VOLUME.shape, bool)
        voxels[4:8, 4:8, 4:8] = True
        self._mask = Mask.of(voxels)
        self._job: Job | None = None
        self.at_once = True

    def submit(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> Job:
        """Take a request."""
        self._job = Job(request, on_progress, on_text)
        if self.at_once:
            self.answer()
        return self._job

    def answer(self) -> None:
        """Return the mask for the last request."""
        assert self._job is not None
        self._job.finish(SegmentReply(self._mask, 0.0))

    def stop(self) -> None:
        """Nothing is running."""


def point(number: int) -> Point:
    """A point at a voxel of its own."""
    return Point.at_index(VOLUME, np.unravel_index(number, VOLUME.shape))


class Measured:
    """A session of a size, and what prompts cost in it."""

    def __init__(self, prompts: int, objects: int) -> None:
        self.prompts, self.objects = prompts, objects
        self.costs_us: list[list[float]] = []
        ledger = Ledger.of(VOLUME)
        for number in range(objects):
            info = ObjectInfo(id=number + 1, name="object", color="#ffffff")
            ledger.append(ObjectAdded(object=info))
        self._runner = Answers()
        self.session = SegmentationSession(VOLUME, runner=self._runner, ledger=ledger)
        for number in range(prompts):
            self.session.add(point(number), 1 + number % objects)
        self._runner.at_once = False

    def add(self) -> None:
        """Add a point and measure it."""
        added = point(self.prompts + len(self.costs_us))
        steps = (
            lambda: self.session.add(added),
            self.session.pending_prompts,
            self._runner.answer,
        )
        costs = []
        for step in steps:
            start_s = time.thread_time()
            step()
            costs.append(1e6 * (time.thread_time() - start_s))
        self.costs_us.append([*costs, sum(costs)])

    def medians_us(self) -> list[float]:
        """Medians of the steps and of all together."""
        return [statistics.median(column) for column in zip(*self.costs_us, strict=True)]


def resuming_s(measured: Measured) -> tuple[float, float]:
    """Seconds of the processor and of the clock to open the journal of a session."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session.jsonl"
        ledger = measured.session.ledger
        lines = [ledger.header(), *map(json_of, ledger.records)]
        path.write_bytes(b"".join(line_of(line, number) for number, line in enumerate(lines)))
        cpu_s, start_s = time.process_time(), time.perf_counter()
        session = SegmentationSession(VOLUME, runner=Answers(), ledger=Ledger.load(path))
        session.wait()
        times = time.process_time() - cpu_s, time.perf_counter() - start_s
    session.close()
    return times


def main() -> None:
    """Measure, print and store the figures."""
    sizes = [Measured(*size) for size in SIZES]
    for _ in range(ADDED):
        for measured in sizes:
            measured.add()
    reference = sizes[0].medians_us()[-1]
    rows = []
    for measured in sizes:
        medians = measured.medians_us()
        cells = " | ".join(f"{us:.0f}" for us in medians)
        ratio = medians[-1] / reference
        rows.append(f"| {measured.prompts:,} | {measured.objects} | {cells} | {ratio:.2f} |")
    text = HEAD.format(added=ADDED) + "\n".join(rows) + "\n"
    for measured in sizes[-2:]:
        cpu_s, wall_s = resuming_s(measured)
        text += (
            f"\nResuming {measured.prompts:,} prompts of {measured.objects} objects: {cpu_s:.1f} s"
            f" of the processor, {wall_s:.1f} s in all.\n"
        )
    RESULT.write_text(text, "utf-8")
    print(text)
    for measured in sizes:
        measured.session.close()


if __name__ == "__main__":
    main()
