"""The engine under a session: from the records of the ledger to the masks that follow."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from psygnal import Signal

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import Measurement, measure
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Record
from napari_medvlm.sessions.job_queue import emit_safely
from napari_medvlm.sessions.segment.label_map import Key, LabelMap
from napari_medvlm.sessions.segment.predictions import Choice, Predictions
from napari_medvlm.sessions.segment.requests import Requests
from napari_medvlm.worker.messages import SegmentReply, SegmentRequest
from napari_medvlm.worker.runner import Runner

MEASURED_AFTER_S = 0.03
"""How long after a mask it is measured: drawing it goes first."""


class Engine:
    """Keeps journal and masks in step with a ledger. Safe to call from any thread.

    Parameters
    ----------
    volume, ledger
        The image, and what was said about it.
    choice
        Who makes the masks.
    runner
        Who does the work.
    journal
        File in which every record is kept as it happens.
    """

    changed = Signal(object)
    progressed = Signal(float, str)
    failed = Signal(MedVLMError)
    restarted = Signal(str)
    noted = Signal(str)

    def __init__(
        self, volume: Volume, ledger: Ledger, choice: Choice, runner: Runner, journal: Path | None
    ) -> None:
        self.ledger = ledger
        self.choice = choice
        self.label_map = LabelMap(volume.shape)
        self.measured: dict[int, Measurement] = {}
        self._volume = volume
        self._digests: dict[int, str] = {}
        self._closing = threading.Event()
        self._measuring = ThreadPoolExecutor(1, thread_name_prefix="medvlm-measure")
        self._lock = threading.RLock()
        self._predictions = Predictions(volume, ledger)
        self._requests = Requests(runner, self)
        self._failure: MedVLMError | None = None
        self._noted: tuple[str, ...] = ()
        self._journal = None if journal is None else Journal(journal, ledger, self.failed.emit)

    @property
    def pending(self) -> frozenset[int]:
        """Objects whose mask is on its way."""
        return self._requests.pending

    def unanswered(self) -> frozenset[int]:
        """Prompts that the masks do not yet follow."""
        with self._lock:
            return self.label_map.unanswered(self.ledger.now)

    def belonging(self, object_id: int) -> Mask:
        """What belongs to an object by the overlap rule."""
        with self._lock:
            return self.label_map.belonging(object_id, self.ledger.now.overlap)

    def write(self, change: Callable[[Ledger], Record | None]) -> None:
        """Change the ledger, note it in the journal, and have the masks follow."""
        with self._lock:
            record = change(self.ledger)
            if record is not None:
                self._note(record)
        if record is not None:
            self.settle()

    def settle(self, anew: Key | None = None) -> None:
        """Ask for the masks that are missing, show those that are there."""
        with self._lock:
            wanted = self._predictions.wanted(self.choice, anew)
        self._requests.drop(*wanted)
        for key, request in wanted.items():
            self._requests.ask(key, request)
        self._refresh()

    def ask_again(self, key: Key) -> None:
        """Have a mask computed anew by the chosen backend."""
        with self._lock:
            self._predictions.forget(key)
            self.label_map.forget(key[0])
        self.settle(anew=key)

    def cancel(self) -> None:
        """Stop what is being computed."""
        for key in self._requests.drop():
            self._predictions.give_up(key)
        self._refresh()

    def wait(self, timeout_s: float | None) -> None:
        """Wait until nothing is on its way; raise what has gone wrong since the last time."""
        if not self._requests.wait(timeout_s):
            raise TimeoutError(f"No answer within {timeout_s} s.")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Stop what is running and finish the journal."""
        self._requests.drop()
        self._closing.set()
        self._measuring.shutdown(cancel_futures=True)
        if self._journal is not None:
            self._journal.close()

    # What the requests tell, on the runner's thread.

    def on_answer(self, key: Key, request: SegmentRequest, reply: SegmentReply) -> None:
        """Record a mask and show it."""
        with self._lock:
            prediction = self._predictions.accept(key, request, reply)
            self.ledger.note(prediction)
            self._note(prediction)
        self.settle()
        notes, self._noted = self._noted, reply.mask.notes
        for note in reply.mask.notes:
            if note not in notes:  # told once, not at each click
                emit_safely(self.noted, note)

    def on_failure(self, key: Key, error: MedVLMError) -> None:
        """Keep the prompts, tell the error."""
        with self._lock:
            self._predictions.give_up(key)
            self._failure = error
        self._refresh()
        emit_safely(self.failed, error)

    def on_progress(self, fraction: float, message: str) -> None:
        """Pass on how far the request is."""
        emit_safely(self.progressed, fraction, message)

    def on_restart(self, message: str) -> None:
        """Pass on that the worker had to be started again."""
        emit_safely(self.restarted, message)

    def _note(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.write(record)

    def _refresh(self) -> None:
        with self._lock:
            box = self.label_map.update(self.ledger.now, self._predictions.known)
        emit_safely(self.changed, box)
        if box is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._measuring.submit(self._measure)

    def _measure(self) -> None:
        """Measure the objects whose masks are not those measured last, then tell."""
        if self._closing.wait(MEASURED_AFTER_S):
            return
        for object_id in self.ledger.now.objects:
            mask = self.belonging(object_id)
            if self._digests.get(object_id) != mask.digest:
                self.measured[object_id] = measure(self._volume, mask)
                self._digests[object_id] = mask.digest
        emit_safely(self.changed, None)
