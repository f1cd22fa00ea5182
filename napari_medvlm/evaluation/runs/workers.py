"""Who works on the cases of a run: processes on this computer, or a cluster, see `cluster`.

Both make an object from a dotted name, give it one case after the other, and hand back what comes
of each as soon as it is there. Cases and outcomes are JSON, so nothing else travels.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from operator import attrgetter
from typing import Any, Protocol

from napari_medvlm.data.errors import WorkerCrashed
from napari_medvlm.worker.process import SAFE_PATH

Json = dict[str, Any]
Answers = Generator[Json | None, None, None]
POLL_S = 0.2
GRACE_S = 10.0
"""How long a worker may take to free what it holds."""
WORKER_MODULE = "napari_medvlm.evaluation.runs.worker_main"
IGNORE_TRACKER_WARNING = "ignore::UserWarning:multiprocessing.resource_tracker"
"""Python frees the memory that a worker shared when it was ended, without a warning."""
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"),
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
)
"""Environment variables that limit the threads of numerical libraries."""


class Worker(Protocol):
    """Works on cases, one after the other."""

    def __call__(self, case: Mapping[str, Any]) -> Json:
        """What comes of a case."""

    def stop(self) -> None:
        """Free what it holds."""


@dataclass(frozen=True)
class WorkerSpec:
    """How a worker is made: a callable as ``module:name``, dotted in the module, and its plan."""

    name: str
    plan: Json

    def make(self) -> Worker:
        """A new worker, in this process."""
        module, _, attribute = self.name.partition(":")
        worker: Worker = attrgetter(attribute)(import_module(module))(self.plan)
        return worker


class Workers(Protocol):
    """Hands out cases to workers."""

    def __call__(self, spec: WorkerSpec, cases: Sequence[Json]) -> Answers:
        """What comes of the cases, as it comes; `None` now and then while nothing has.

        Closing the iterator ends the work.
        """


class Processes:
    """Processes on this computer.

    A worker that dies costs the case that it was at, whose outcome then is `crashed`; another takes
    its place. If this program dies, so do they.

    Parameters
    ----------
    number
        How many. Each takes its share of the processors.
    crashed
        Makes the outcome of a case whose worker died, from the case and the error.
    """

    def __init__(self, number: int, crashed: Callable[[Json, WorkerCrashed], Json]) -> None:
        self._number = number
        self._crashed = crashed

    def __call__(self, spec: WorkerSpec, cases: Sequence[Json]) -> Answers:
        """See `Workers`."""
        pool = _ProcessPool(spec, cases, self._number, self._crashed)
        try:
            yield from pool.outcomes()
        finally:
            pool.end()


class _ProcessPool:
    """The processes that work on one list of cases, each looked after by a thread."""

    def __init__(
        self,
        spec: WorkerSpec,
        cases: Sequence[Json],
        number: int,
        crashed: Callable[[Json, WorkerCrashed], Json],
    ) -> None:
        self._making = spec
        self._crashed = crashed
        self._number = min(number, len(cases))
        self._total = len(cases)
        self._waiting = deque(cases)
        self._done: queue.SimpleQueue[Json] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._over = False
        self._children: list[_Child] = []
        self._threads = [
            threading.Thread(target=self._work, daemon=True) for _ in range(self._number)
        ]
        for thread in self._threads:
            thread.start()

    def outcomes(self) -> Iterator[Json | None]:
        """What comes of the cases, and `None` while nothing does."""
        number = self._total
        while number:
            try:
                outcome = self._done.get(timeout=POLL_S)
            except queue.Empty:
                yield None
                continue
            number -= 1
            yield outcome

    def end(self) -> None:
        """End all processes, whatever they are at."""
        with self._guard:
            self._over = True
            self._waiting.clear()
            for child in self._children:
                child.end()
        for thread in self._threads:
            thread.join()
        for child in self._children:
            child.close_output()

    def _work(self) -> None:
        """Look after one process: cases to it, outcomes from it, another in its place."""
        child: _Child | None = None
        while (case := self._next()) is not None:
            try:
                child = child or self._new_child()
                self._done.put(child.ask(case))
            except WorkerCrashed as error:
                child = None
                self._done.put(self._crashed(case, error))
        if child is not None:
            child.end()

    def _next(self) -> Json | None:
        with self._guard:
            return self._waiting.popleft() if self._waiting else None

    def _new_child(self) -> _Child:
        with self._guard:
            if self._over:
                raise WorkerCrashed("The run was stopped.", "Give the command again to go on.")
            child = _Child(self._making, self._number)
            self._children.append(child)
            return child


class _Child:
    """A worker in a process of its own: a line of JSON in, a line of JSON out."""

    def __init__(self, spec: WorkerSpec, worker_count: int) -> None:
        self._process = _start(_thread_environment(worker_count))
        self._send({"name": spec.name, "plan": spec.plan})

    def ask(self, case: Json) -> Json:
        """What comes of a case."""
        self._send(case)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            code = self._process.wait()
            raise WorkerCrashed(
                f"The worker ended in the middle of the case, with status {code}.",
                "See what it printed; run the command again to go on.",
                code,
            )
        outcome: Json = json.loads(line)
        return outcome

    def end(self) -> None:
        """End it at once, whatever it is at; it frees what it holds."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close_output(self) -> None:
        """Close what its answers came through, when nobody waits for one any more."""
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _send(self, message: Json) -> None:
        assert self._process.stdin is not None
        # If it has ended, reading its answer fails.
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", IGNORE_TRACKER_WARNING, "-m", WORKER_MODULE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env=environment,
        start_new_session=True,  # Ctrl-C is the caller's: this one would die loudly of it
    )  # fmt: skip


def _thread_environment(worker_count: int) -> dict[str, str]:
    """Environment variables of a worker: threads for its share of the processors, `SAFE_PATH`."""
    threads = str(max(_processors() // worker_count, 1))
    return {**dict.fromkeys(THREADS, threads), **os.environ, **SAFE_PATH}


def _processors() -> int:
    """How many this process may use: on a cluster fewer than there are."""
    own = getattr(os, "sched_getaffinity", None)  # where the system has it
    return (os.cpu_count() or 1) if own is None else len(own(0))
