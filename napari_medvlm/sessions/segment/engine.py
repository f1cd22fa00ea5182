"""Compute the masks that follow from the records of a ledger."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from psygnal import Signal

from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.measure import Measurement, measure
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal, notices_of
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Record
from napari_medvlm.sessions.job_queue import emit_safely
from napari_medvlm.sessions.segment.drawing_order import Box
from napari_medvlm.sessions.segment.edits import add_others
from napari_medvlm.sessions.segment.label_map import LabelMap
from napari_medvlm.sessions.segment.mask_store import Key
from napari_medvlm.sessions.segment.predictions import Choice, Predictions
from napari_medvlm.sessions.segment.requests import Requests
from napari_medvlm.settings.chosen_models import require_chosen
from napari_medvlm.worker.messages import SegmentReply, SegmentRequest
from napari_medvlm.worker.runner import Runner

MEASURED_AFTER_S = 0.03
"""Delay from a mask to its measurement, so that it is drawn first."""
EDITS_STAY = "Voxels that were painted or erased by hand stay as they are; undo to change that."


class Engine:
    """Synchronizes journal and masks with a ledger. Safe to call from any thread.

    Parameters
    ----------
    volume, ledger
        The image, and the records of its session.
    choice
        The model for new masks.
    runner
        Carries out the requests.
    journal
        File to which each record is appended.
    """

    changed = Signal(object)
    measured = Signal(frozenset)
    progressed = Signal(float, str)
    failed = Signal(MedVLMError)
    restarted = Signal(str)
    noted = Signal(str)

    def __init__(
        self, volume: Volume, ledger: Ledger, choice: Choice, runner: Runner, journal: Path | None
    ) -> None:
        self.ledger = ledger
        self.choice = choice
        self.label_map = LabelMap(volume.grid)
        self.measurements: dict[int, Measurement] = {}
        self._volume = volume
        self._digests: dict[int, str] = {}
        self._touched: set[int] = set()
        self._closing = threading.Event()
        self._measuring = ThreadPoolExecutor(1, thread_name_prefix="medvlm-measure")
        self._lock = threading.RLock()
        self._settling = threading.local()
        self._predictions = Predictions(volume, ledger)
        self._requests = Requests(
            runner,
            on_answer=self._on_answer,
            on_failure=self._on_failure,
            on_progress=partial(emit_safely, self.progressed),
            on_restart=partial(emit_safely, self.restarted),
        )
        self._failure: MedVLMError | None = None
        self._noted: tuple[str, ...] = ()
        self._edits_noted = False
        self._journal = None if journal is None else Journal(journal, ledger, self.failed.emit)
        self.notices = notices_of(ledger, self._journal)

    @property
    def pending(self) -> frozenset[int]:
        """Objects whose mask is being computed."""
        return self._requests.pending

    def unanswered(self) -> frozenset[int]:
        """Prompts that are not in the masks yet."""
        with self._lock:
            return self.label_map.unanswered(self.ledger.now)

    def belonging(self, object_id: int) -> Mask:
        """The mask of an object after the overlap rule."""
        with self._lock:
            return self.label_map.belonging(object_id, self.ledger.now.overlap)

    def write(self, change: Callable[[Ledger], Record | None]) -> None:
        """Change the ledger, append to the journal, and update the masks."""
        with self._lock:
            record = change(self.ledger)
            if record is not None:
                self._note(record)
        if record is not None:
            self.settle()

    def settle(self, recompute: Key | None = None) -> None:
        """Request missing masks, and update the label map with the others.

        An inline runner answers within the request: that answer is settled by the call that asked.
        """
        if getattr(self._settling, "again", None) is not None:
            self._settling.again = True
            return
        self._settling.again = True
        try:
            while self._settling.again:
                self._settling.again = False
                self._request_missing(recompute)
                recompute = None
        finally:
            self._settling.again = None
        self._refresh()

    def _request_missing(self, recompute: Key | None) -> None:
        with self._lock:
            wanted = self._predictions.wanted(self.choice, recompute)
        self._requests.drop(*wanted)
        sent = self._requests.keys
        for key in [key for key in wanted if key not in sent]:
            self._ask(key, wanted[key])

    def redraw(self, box: Box) -> None:
        """Draw a box of the label map again, over what the user painted there."""
        with self._lock:
            self.label_map.redraw(box)
        emit_safely(self.changed, box)

    def before_edits(self, object_id: int) -> Mask | None:
        """The mask of an object before edits by hand; None if it is not computed."""
        with self._lock:
            live = self.ledger.now.objects.get(object_id)
            return None if live is None else self._predictions.before_edits(live)

    def ask_again(self, key: Key) -> None:
        """Recompute a mask with the chosen backend."""
        with self._lock:
            self._predictions.forget(key)
            self.label_map.forget(key[0])
        self.settle(recompute=key)

    def cancel(self) -> None:
        """Cancel all requests."""
        for key in self._requests.drop():
            self._predictions.give_up(key)
        self._refresh()

    def wait(self, timeout_s: float | None) -> None:
        """Wait until no request is running; raise the last error since the previous call."""
        if not self._requests.wait(timeout_s):
            raise TimeoutError(f"No answer within {timeout_s} s.")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Cancel all requests and finish the journal."""
        self._requests.drop()
        self._closing.set()
        self._measuring.shutdown(cancel_futures=True)
        if self._journal is not None:
            self._journal.close()

    def _on_answer(self, key: Key, request: SegmentRequest, reply: SegmentReply) -> None:
        """Record a mask and update the label map."""
        with self._lock:
            is_new = self.ledger.predicted(*key) is None
            prediction = self._predictions.accept(key, request, reply)
            self.ledger.note(prediction)
            self._note(prediction)
        if is_new and reply.mask.others:
            self._add_others(key[0], reply.mask.others)
        if self._predictions.waits_for_locked or getattr(self._settling, "again", None) is not None:
            self.settle()
        else:  # no other request depends on this mask
            self._refresh()
        notes, self._noted = self._noted, reply.mask.notes
        for note in reply.mask.notes:
            if note not in notes:  # once, not at each click
                emit_safely(self.noted, note)
        live = self.ledger.now.objects.get(key[0])
        if live is not None and live.current_edits() and not self._edits_noted:
            self._edits_noted = True
            emit_safely(self.noted, EDITS_STAY)

    def _add_others(self, object_id: int, masks: Mapping[str, Mask]) -> None:
        """Add the objects whose masks came with that of an object, in an entry of their own."""

        def change(ledger: Ledger) -> Record | None:
            if object_id not in ledger.now.objects:
                return None
            prompt_id, grid = ledger.next_prompt_id(), self._volume.grid
            return ledger.append(*add_others(ledger.now, grid, prompt_id, object_id, masks))

        self.write(change)

    def _on_failure(self, key: Key, error: MedVLMError) -> None:
        """Emit the error; the prompts stay."""
        with self._lock:
            self._predictions.give_up(key)
            self._failure = error
        self._refresh()
        emit_safely(self.failed, error)

    def _ask(self, key: Key, request: SegmentRequest) -> None:
        """Request a mask, unless it is of a model that only a session file names."""
        try:
            require_chosen(request.backend, request.model)
        except MedVLMError as error:
            self._on_failure(key, error)
        else:
            self._requests.ask(key, request)

    def _note(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.write(record)

    def _refresh(self) -> None:
        with self._lock:
            box = self.label_map.update(
                self.ledger.now, self._predictions.known, self._predictions.take_answered()
            )
            self._touched |= self.label_map.take_touched()
            problems, self._predictions.problems = self._predictions.problems, []
        for problem in problems:
            self._failure = problem
            self.notices += (str(problem),)
            emit_safely(self.failed, problem)
        emit_safely(self.changed, box)
        if self._touched:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._measuring.submit(self._measure)

    def _measure(self) -> None:
        """Measure the objects whose masks changed, then emit `measured`."""
        if self._closing.wait(MEASURED_AFTER_S):
            return
        with self._lock:
            touched, self._touched = self._touched, set()
        objects, measured = self.ledger.now.objects, set()
        for object_id in (touched | (objects.keys() - self._digests.keys())) & objects.keys():
            mask = self.belonging(object_id)
            if self._digests.get(object_id) != mask.digest:
                self.measurements[object_id] = measure(self._volume, mask)
                self._digests[object_id] = mask.digest
                measured.add(object_id)
        if measured:
            emit_safely(self.measured, frozenset(measured))
