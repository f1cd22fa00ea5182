"""What a prompt costs the window's thread in an object that has few or many.

``python -m benchmarks.prompt_cost``: points are added to a session whose backend never answers; the
processor's time of the calling thread is measured, so other work on the computer does not count.
The record in the journal is not included: it is one line, whatever the number of prompts.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ObjectAdded, ObjectInfo, PromptAdded
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.messages import Request
from napari_medvlm.worker.runner import Job, OnProgress, OnText, Runner

RESULT = Path(__file__).parent / "results" / "prompt-cost.md"
COUNTS = (10, 100, 1000, 5000)
ADDED = 100
"""Prompts that are measured."""
VOLUME = Volume(np.arange(20 * 60 * 60, dtype=np.int16).reshape(20, 60, 60))
HEAD = """# Cost of a prompt by the number of prompts of its object

Microseconds of the window's thread for `SegmentationSession.add`, median and greatest of {added}
points, on the processor's clock, on a machine that did other work. The backend, the drawing and the
journal are not included. A screen shows a new image every 16,700. Before prompts were counted
instead of looked through the median at 5,000 was 1,448.

| prompts | median | greatest |
|---|---|---|
"""


class NeverAnswers(Runner):
    """Takes requests and does nothing."""

    def submit(
        self,
        request: Request,
        on_progress: OnProgress | None = None,
        on_text: OnText | None = None,
    ) -> Job:
        """A job that is never done."""
        return Job(request, on_progress, on_text)

    def stop(self) -> None:
        """Nothing is running."""


def point(number: int) -> Point:
    """A point at a voxel of its own."""
    return Point.at_index(VOLUME, np.unravel_index(number, VOLUME.shape))


def cost_us(count: int) -> list[float]:
    """Microseconds of each of the prompts that are added to an object with ``count`` prompts."""
    ledger, costs = Ledger.of(VOLUME), []
    ledger.append(ObjectAdded(object=ObjectInfo(id=1, name="object", color="#ffffff")))
    for number in range(count):
        ledger.append(PromptAdded(object_id=1, prompt_id=number + 1, prompt=point(number)))
    session = SegmentationSession(VOLUME, runner=NeverAnswers(), ledger=ledger)
    for number in range(count, count + ADDED):
        added = point(number)
        start_s = time.thread_time()
        session.add(added)
        costs.append(1e6 * (time.thread_time() - start_s))
    return costs


def main() -> None:
    """Measure, print and store the figures."""
    costs = {count: cost_us(count) for count in COUNTS}
    rows = [
        f"| {count:,} | {statistics.median(us):.0f} | {max(us):.0f} |"
        for count, us in costs.items()
    ]
    text = HEAD.format(added=ADDED) + "\n".join(rows) + "\n"
    RESULT.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
