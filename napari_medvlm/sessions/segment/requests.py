"""The segmentation requests in flight: at most one per object, the newest wins."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from napari_medvlm.data.errors import Cancelled, MedVLMError, WorkerCrashed, WorkerHung
from napari_medvlm.sessions.segment.mask_store import Key
from napari_medvlm.settings.privacy import for_log
from napari_medvlm.worker.messages import SegmentReply, SegmentRequest
from napari_medvlm.worker.runner import Job, Runner

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class _Pending:
    key: Key
    request: SegmentRequest
    job: Job | None = None
    crashed: bool = False


class Requests:
    """The requests in flight. Safe to call from any thread.

    A newer request for an object cancels the older, whose late answer is dropped. A request whose
    worker died is sent once more; if it dies again, that is an error.

    Parameters
    ----------
    runner
        Carries out the requests.
    on_answer
        Called on the runner's thread with a reply that is still wanted.
    on_failure
        Called with the error of a request; `Cancelled` if it was cancelled.
    on_progress
        Called with the progress of a request, 0 to 1, and a message.
    on_restart
        Called with a message if the worker died and the request is sent again.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        on_answer: Callable[[Key, SegmentRequest, SegmentReply], None],
        on_failure: Callable[[Key, MedVLMError], None],
        on_progress: Callable[[float, str], None],
        on_restart: Callable[[str], None],
    ) -> None:
        self._runner = runner
        self._on_answer = on_answer
        self._on_failure = on_failure
        self._on_progress = on_progress
        self._on_restart = on_restart
        self._asked: dict[int, _Pending] = {}
        self._delivering = 0
        self._idle = threading.Condition()

    def ask(self, key: Key, request: SegmentRequest) -> None:
        """Request the mask of an object; replaces an older request for it."""
        with self._idle:
            older = self._asked.get(key[0])
            if older is not None and older.key == key:
                return
            pending_request = self._asked[key[0]] = _Pending(key, request)
        if older is not None and older.job is not None:
            older.job.cancel()
        self._send(pending_request)

    def drop(self, *but: Key) -> tuple[Key, ...]:
        """Cancel all requests except those with the given keys; returns the cancelled keys."""
        retained = frozenset(but)
        with self._idle:
            dropped = [
                pending_request
                for pending_request in self._asked.values()
                if pending_request.key not in retained
            ]
            for pending_request in dropped:
                del self._asked[pending_request.key[0]]
            self._idle.notify_all()
        for pending_request in dropped:
            if pending_request.job is not None:
                pending_request.job.cancel()
        return tuple(pending_request.key for pending_request in dropped)

    @property
    def pending(self) -> frozenset[int]:
        """Objects whose mask is being computed."""
        with self._idle:
            return frozenset(self._asked)

    @property
    def keys(self) -> frozenset[Key]:
        """The keys of the masks that are being computed."""
        with self._idle:
            return frozenset(pending_request.key for pending_request in self._asked.values())

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until no request runs and all callbacks returned; `False` after the timeout."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._asked and not self._delivering, timeout_s)

    def _send(self, pending_request: _Pending) -> None:
        pending_request.job = self._runner.submit(
            pending_request.request, self._progress_of(pending_request)
        )
        pending_request.job.add_done_callback(lambda job: self._on_done(pending_request, job))

    def _progress_of(self, pending_request: _Pending) -> Callable[[float, str], None]:
        def progress(fraction: float, message: str) -> None:
            if self._is_wanted(pending_request):
                self._on_progress(fraction, message)

        return progress

    def _is_wanted(self, pending_request: _Pending) -> bool:
        return self._asked.get(pending_request.key[0]) is pending_request

    def _on_done(self, pending_request: _Pending, job: Job) -> None:
        if not self._is_wanted(pending_request):
            return
        try:
            reply = job.result()
            assert isinstance(reply, SegmentReply)
        except WorkerCrashed as error:
            if isinstance(error, WorkerHung) or pending_request.crashed:
                self._fail(pending_request, error)
            else:
                self._send_again(pending_request, error)
        except MedVLMError as error:
            self._fail(pending_request, error)
        else:
            self._deliver(
                pending_request,
                lambda: self._on_answer(pending_request.key, pending_request.request, reply),
            )

    def _send_again(self, pending_request: _Pending, error: WorkerCrashed) -> None:
        logger.warning("The worker ended in a request, which is sent again. %s", for_log(error))
        pending_request.crashed = True
        self._on_restart(error.message)
        self._send(pending_request)

    def _fail(self, pending_request: _Pending, error: MedVLMError) -> None:
        if not isinstance(error, Cancelled):
            logger.info("No mask for object %d. %s", pending_request.key[0], for_log(error))
        self._deliver(pending_request, lambda: self._on_failure(pending_request.key, error))

    def _deliver(self, pending_request: _Pending, callback: Callable[[], None]) -> None:
        """Call back unless the request was replaced; `wait` waits for the callback."""
        with self._idle:
            if not self._is_wanted(pending_request):
                return
            del self._asked[pending_request.key[0]]
            self._delivering += 1
        try:
            callback()
        finally:
            with self._idle:
                self._delivering -= 1
                self._idle.notify_all()
