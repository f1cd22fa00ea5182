"""The worker process: ``python -m napari_medvlm.worker.host ADDRESS``, the key on standard input.

All work is done on the main thread, since models remember the thread that they were loaded on. A
second thread listens: for requests, for cancels, and for the end of the caller, which ends this
process at once, even in the middle of a computation.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Client, Connection

from napari_medvlm.data.errors import Cancelled, MedVLMError
from napari_medvlm.worker.executor import Executor
from napari_medvlm.worker.job_messages import (
    CancelJob,
    JobDone,
    JobFailed,
    ProgressUpdate,
    RunJob,
    TextDelta,
)
from napari_medvlm.worker.shared_memory import SharedVolumeReader

TICK_S = 1 / 30
NICE = 10
"""How far the computation steps back behind the window on POSIX, where both want the processor.

torch's threads wait for each other at each step of a network. Where they do so by counting, as they
do by default, the one that all wait for may get no turn: a click of 0.2 s took 10 s.
"""


class Host:
    """Takes requests from a connection, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: queue.SimpleQueue[RunJob] = queue.SimpleQueue()
        self._unwanted: set[int] = set()
        self._executor = Executor()
        self._shared_volumes = SharedVolumeReader()

    def serve(self) -> None:
        """Work until the caller is gone."""
        threading.Thread(target=self._listen, name="medvlm-listener", daemon=True).start()
        while True:
            self._connection.send(self._answer(self._waiting.get()))

    def _listen(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, CancelJob):
                self._unwanted.add(message.job)
            else:
                self._waiting.put(message)

    def _answer(self, run: RunJob) -> JobDone | JobFailed:
        try:
            request = self._shared_volumes.request(run)
            reply = self._executor.do(
                request, self._progress_of(run.job), self._deliver_of(run.job)
            )
        except MedVLMError as error:
            return JobFailed(run.job, type(error).__name__, error.message, error.hint)
        return JobDone(run.job, reply)

    def _deliver_of(self, job: int) -> Callable[[str], None]:
        return lambda text: self._connection.send(TextDelta(job, text))

    def _progress_of(self, job: int) -> _ProgressSender:
        return _ProgressSender(job, self._connection, self._unwanted)


class _ProgressSender:
    def __init__(self, job: int, connection: Connection, unwanted: set[int]) -> None:
        self._job = job
        self._connection = connection
        self._unwanted = unwanted
        self._last = 0.0

    def __call__(self, fraction: float, message: str = "") -> None:
        if self._job in self._unwanted:
            raise Cancelled
        now_s = time.monotonic()
        if now_s - self._last >= TICK_S:
            self._last = now_s
            self._connection.send(ProgressUpdate(self._job, float(fraction), message))


def main() -> None:
    """Connect to the caller and serve it."""
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if hasattr(os, "nice"):
        os.nice(NICE)
    key = bytes.fromhex(sys.stdin.readline().strip())
    Host(Client(sys.argv[1], authkey=key)).serve()


if __name__ == "__main__":
    main()
