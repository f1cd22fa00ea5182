"""The cases of a run on a Ray cluster."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.evaluation.runs.workers import POLL_S, Answers, Json, WorkerSpec

ANSWER_S = 10.0
"""How long a cluster may take to answer at all."""
LOOPBACK = "127.0.0.1"
"""Where a cluster on this computer alone listens."""


class Ray:
    """Workers of a Ray cluster, where this package and the same data must be.

    Parameters
    ----------
    address
        Of the cluster, as ``ray.init`` takes it; ``local`` starts one on this computer.
    number
        How many workers, each with a processor of its own.
    """

    def __init__(self, address: str, number: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unasked
        if address == "local" and "ray" not in sys.modules:  # Ray reads them when it is imported
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        try:
            import ray
        except ImportError:
            raise BackendUnavailable(
                "A cluster needs Ray, which is not installed.", "Install it with: pip install ray"
            ) from None
        self._ray: Any = ray
        self._address = address
        self._number = number

    def __call__(self, spec: WorkerSpec, cases: Sequence[Json]) -> Answers:
        """See `Workers`."""
        ray = self._ray
        started = not ray.is_initialized()
        if started:
            self._connect()
        try:
            number = min(self._number, len(cases))
            actor = ray.remote(num_cpus=1)(_RayActor)
            idle = [actor.remote(spec.name, spec.plan) for _ in range(number)]
            yield from self._dispatch(idle, deque(cases))
            ray.get([actor.stop.remote() for actor in idle])
        finally:
            if started:
                ray.shutdown()

    def _connect(self) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "include_dashboard": False}
        if self._address == "local":
            options |= {"num_cpus": self._number, "_node_ip_address": LOOPBACK}
        else:
            options = {"log_to_driver": False}
        try:
            _require_answer(self._address)
            with _only_this_computer() if self._address == "local" else nullcontext():
                self._ray.init(self._address, **options)
        except (OSError, RuntimeError, ValueError) as error:
            raise BackendUnavailable(
                f"There is no Ray cluster at {self._address}: {str(error).rstrip('.')}.",
                "Start one with 'ray start --head', or say --ray local.",
            ) from error

    def _dispatch(self, idle: list[Any], waiting: deque[Json]) -> Iterator[Json | None]:
        busy: dict[Any, Any] = {}
        while waiting or busy:
            while waiting and idle:
                worker = idle.pop()
                busy[worker.work.remote(waiting.popleft())] = worker
            ready, _ = self._ray.wait(list(busy), timeout=POLL_S)
            for answer in ready:
                idle.append(busy.pop(answer))
                outcome: Json = self._ray.get(answer)
                yield outcome
            if not ready:
                yield None


@contextmanager
def _only_this_computer() -> Iterator[None]:
    """Within, a cluster that Ray starts listens on `LOOPBACK` only.

    Ray puts the computer's own address in the place of it, by a function of its own that has no
    setting; with versions that lack the function only the token protects the cluster.
    """
    from ray._private import services

    before = getattr(services, "resolve_ip_for_localhost", None)
    if before is None:
        yield
        return
    services.resolve_ip_for_localhost = lambda host: host
    try:
        yield
    finally:
        services.resolve_ip_for_localhost = before


def _require_answer(address: str) -> None:
    """Raise `OSError` where nobody listens: Ray itself would try for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), ANSWER_S).close()


class _RayActor:
    """A worker on a cluster."""

    def __init__(self, name: str, plan: Json) -> None:
        self._worker = WorkerSpec(name, plan).make()

    def work(self, case: Json) -> Json:
        return self._worker(case)

    def stop(self) -> None:
        self._worker.stop()
