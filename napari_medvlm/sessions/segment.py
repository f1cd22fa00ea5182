"""Segmenting objects in one volume: what a person does, without a window.

The session writes every gesture into the ledger and asks the backend for the masks that follow from
it. It knows neither Qt nor napari nor any model.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_medvlm.backends import registry
from napari_medvlm.errors import MedVLMError, PromptNotSupported, SessionFileError
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger import Ledger
from napari_medvlm.prompts import Prompt, check_prompt
from napari_medvlm.records import Event, Moment, Overlap, Predicted, Record
from napari_medvlm.results import BoolArray, Mask
from napari_medvlm.sessions import gestures
from napari_medvlm.sessions.masks import Key, LabelMap
from napari_medvlm.sessions.measure import Measurement, measure
from napari_medvlm.sessions.predictions import Choice, Predictions, key_of
from napari_medvlm.sessions.requests import Requests
from napari_medvlm.volume import Volume, require_contrast
from napari_medvlm.worker.process import WorkerRunner
from napari_medvlm.worker.runner import InlineRunner, Runner
from napari_medvlm.worker.wire import SegmentReply, SegmentRequest


class SegmentationSession:
    """Objects in one volume, each the result of its prompts.

    Gestures return at once; masks follow, see `wait`. Signals may come on another thread.

    Parameters
    ----------
    volume
        The image. It is never changed.
    backend, model, device
        Who makes the masks; the model is a file or folder, `None` for the backend's default.
    runner
        ``"worker"``: in a process of its own. ``"inline"``: in this thread, gestures then return
        when the mask is there. Or a runner to share, which is then not stopped by `close`.
    ledger
        An earlier session of the same image to go on with; its masks are computed again.
    journal
        File in which every gesture is kept as it happens, see `io.journal`.

    Raises
    ------
    InvalidImage
        If all voxels are equal.
    BackendUnavailable
        If there is no such backend.
    SessionFileError
        If the ledger is about another image.
    """

    changed = Signal(object)
    """Objects, prompts or masks changed; the box of the label map drawn anew, or `None`."""
    progressed = Signal(float, str)
    """How far the running request is, 0 to 1, and what it does."""
    failed = Signal(MedVLMError)
    """Something went wrong; nothing is lost."""
    restarted = Signal(str)
    """The worker died and was started again: what happened."""

    def __init__(  # noqa: PLR0913  # what it is about, and who does the work
        self,
        volume: Volume,
        backend: str = "embedded",
        runner: Literal["worker", "inline"] | Runner = "worker",
        *,
        model: str | None = None,
        device: str = "cpu",
        ledger: Ledger | None = None,
        journal: Path | None = None,
    ) -> None:
        require_contrast(volume)
        self.volume = volume
        self.ledger = ledger or Ledger.of(volume)
        _check_image(self.ledger, volume)
        self.active: int | None = max(self.ledger.now.objects, default=None)
        self._choice = Choice(backend, model, device)
        self._info = registry.info(backend)
        self._lock = threading.RLock()
        self._predictions = Predictions(volume, self.ledger)
        self._label_map = LabelMap(volume.shape)
        self._failure: MedVLMError | None = None
        self._runner = _new_runner(runner) if isinstance(runner, str) else runner
        self._owns_runner = isinstance(runner, str)
        self._requests = Requests(self._runner, self)
        self._journal = None if journal is None else Journal(journal, self.ledger, self.failed.emit)
        self._settle()

    # What is there.

    @property
    def now(self) -> Moment:
        """All live objects with their prompts."""
        return self.ledger.now

    @property
    def mask(self) -> BoolArray:
        """``(z, y, x)`` bool: the active object, as far as it was computed."""
        if self.active is None:
            return np.zeros(self.volume.shape, bool)
        return self.mask_of(self.active)

    def mask_of(self, object_id: int) -> BoolArray:
        """``(z, y, x)`` bool: what belongs to an object by the overlap rule."""
        return self._belonging(object_id).full()

    def own_mask(self, object_id: int) -> Mask:
        """An object's mask as it was computed, whatever others cover of it."""
        with self._lock:
            return self._label_map.belonging(object_id, Overlap.BOTH)

    @property
    def labels(self) -> NDArray[np.uint16]:
        """``(z, y, x)``: the id of the object at each voxel, 0 for none. Not a copy."""
        return self._label_map.labels

    @property
    def pending(self) -> frozenset[int]:
        """Objects whose mask is on its way."""
        return self._requests.pending

    def pending_prompts(self) -> frozenset[int]:
        """Prompts that the masks do not yet follow."""
        with self._lock:
            return self._label_map.unanswered(self.now)

    def measurement(self, object_id: int) -> Measurement:
        """Size and intensity of what belongs to an object."""
        return measure(self.volume, self._belonging(object_id))

    # What a person does.

    def add(self, prompt: Prompt, object_id: int | None = None) -> int:
        """Say something about an object: the active one if none is named, a new one if none is.

        Returns
        -------
        The prompt's id.

        Raises
        ------
        InvalidPrompt
            If it lies outside the image or covers nothing.
        PromptNotSupported
            If the backend does not take this kind of prompt.
        ObjectLocked
            If the object is locked.
        """
        self._check(prompt)
        with self._lock:
            target = self.active if object_id is None else object_id
            prompt_id = self.ledger.next_prompt_id()
            target, events = gestures.add(self.now, target, prompt_id, prompt)
            self.active = target
        self._append(*events)
        return prompt_id

    def change(self, prompts: Mapping[int, Prompt]) -> None:
        """Put other prompts in the place of some, by id, in one gesture: they were moved."""
        for prompt in prompts.values():
            self._check(prompt)
        self._append(*gestures.change(self.now, prompts))

    def remove(self, *prompt_ids: int) -> None:
        """Take prompts away, in one gesture."""
        self._append(*gestures.remove(self.now, prompt_ids))

    def undo(self) -> None:
        """Take back the last gesture, if there is one."""
        with self._lock:
            moved = self.ledger.undo() if self.ledger.can_undo else None
        self._moved(moved)

    def redo(self) -> None:
        """Bring back the gesture that was taken back last, if there is one."""
        with self._lock:
            moved = self.ledger.redo() if self.ledger.can_redo else None
        self._moved(moved)

    def activate(self, object_id: int | None) -> None:
        """Choose the object that the next prompts are about; `None`: a new one."""
        self.active = object_id
        self.changed.emit(None)

    def add_object(self, name: str | None = None) -> int:
        """Begin another object and make it the active one; its id."""
        self.active, event = gestures.add_object(self.now, name)
        self._append(event)
        return self.active

    def edit_object(
        self,
        object_id: int,
        *,
        name: str | None = None,
        color: str | None = None,
        locked: bool | None = None,
    ) -> None:
        """Rename, recolour (``#rrggbb``), lock or unlock an object."""
        self._append(*gestures.edit_object(self.now, object_id, name, color, locked))

    def remove_objects(self, *object_ids: int) -> None:
        """Take away objects with their prompts, in one gesture."""
        self._append(*gestures.remove_objects(self.now, object_ids))

    def merge(self, object_id: int, *others: int) -> None:
        """Make other objects part of one; they are gone, their voxels are in it."""
        masks = {i: self._belonging(i) for i in (object_id, *others)}
        prompt_id = self.ledger.next_prompt_id()
        self._append(*gestures.merge(self.now, self.volume.grid, prompt_id, masks))

    def split(self, object_id: int) -> tuple[int, ...]:
        """Make each piece of an object but the largest an object of its own; their ids.

        Raises
        ------
        InvalidPrompt
            If it is one piece.
        """
        mask = self._belonging(object_id)
        prompt_id = self.ledger.next_prompt_id()
        made, events = gestures.split(self.now, self.volume.grid, prompt_id, object_id, mask)
        self._append(*events)
        return made

    def import_labels(
        self, labels: NDArray[np.integer], names: Mapping[int, str] | None = None
    ) -> tuple[int, ...]:
        """Take the labels of an array ``(z, y, x)`` on the volume's grid as locked objects.

        Locked objects are never overwritten, and count as negative for all others.
        """
        masks = gestures.label_masks(labels, self.volume.grid)
        prompt_id = self.ledger.next_prompt_id()
        made, events = gestures.take_masks(
            self.now, self.volume.grid, prompt_id, masks, names or {}
        )
        self._append(*events)
        return made

    def set_overlap(self, overlap: Overlap) -> None:
        """Choose which object a voxel belongs to when two claim it."""
        self._append(*gestures.set_overlap(self.now, overlap))

    def use(self, backend: str, model: str | None = None, device: str = "cpu") -> None:
        """Choose who makes the next masks; those that are there stay, see `ask_again`."""
        self._info = registry.info(backend)
        self._choice = Choice(backend, model, device)

    def ask_again(self) -> None:
        """Have the active object's mask computed anew by the chosen backend."""
        live = self.now.objects.get(self.active or 0)
        if live is not None:
            with self._lock:
                self._predictions.forget(key_of(live))
                self._label_map.forget(live.info.id)
            self._settle(anew=key_of(live))

    def cancel(self) -> None:
        """Stop what is being computed. Prompts are kept; `ask_again` goes on with them."""
        for key in self._requests.drop():
            self._predictions.give_up(key)
        self._refresh()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is on its way.

        Raises
        ------
        TimeoutError
            If that takes longer.
        MedVLMError
            What has gone wrong since the last time.
        """
        if not self._requests.wait(timeout_s):
            raise TimeoutError(f"No answer within {timeout_s} s.")
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def close(self) -> None:
        """Stop what is running and finish the journal."""
        self._requests.drop()
        if self._owns_runner:
            self._runner.stop()
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # What the requests tell, on the runner's thread.

    def on_answer(self, key: Key, request: SegmentRequest, reply: SegmentReply) -> None:
        """Record a mask and show it."""
        with self._lock:
            self._record(self._predictions.accept(key, request, reply))
        self._settle()

    def on_failure(self, key: Key, error: MedVLMError) -> None:
        """Keep the prompts, tell the error."""
        with self._lock:
            self._predictions.give_up(key)
            self._failure = error
        self._refresh()
        self.failed.emit(error)

    def on_progress(self, fraction: float, message: str) -> None:
        """Pass on how far the request is."""
        self.progressed.emit(fraction, message)

    def on_restart(self, message: str) -> None:
        """Pass on that the worker had to be started again."""
        self.restarted.emit(message)

    # The way of every gesture: check, ledger, journal, requests, picture.

    def _check(self, prompt: Prompt) -> None:
        check_prompt(prompt, self.volume.grid)
        if type(prompt) not in self._info.prompts:
            raise PromptNotSupported(
                f"{self._info.title} takes no {prompt.label}.",
                "Use another kind of prompt, or choose another backend.",
            )

    def _append(self, *events: Event) -> None:
        if not events:
            return
        with self._lock:
            self._write(self.ledger.append(*events))
            self._keep_active()
        self._settle()

    def _moved(self, moved: Record | None) -> None:
        if moved is None:
            return
        with self._lock:
            self._write(moved)
            self._keep_active()
        self._settle()

    def _record(self, prediction: Predicted) -> None:
        self.ledger.note(prediction)
        self._write(prediction)

    def _write(self, record: Record) -> None:
        if self._journal is not None:
            self._journal.write(record)

    def _keep_active(self) -> None:
        if self.active not in self.now.objects:
            self.active = max(self.now.objects, default=None)

    def _settle(self, anew: Key | None = None) -> None:
        """Ask for what is missing, show what is there."""
        with self._lock:
            wanted = self._predictions.wanted(self._choice, anew)
        self._requests.drop(*wanted)
        for key, request in wanted.items():
            self._requests.ask(key, request)
        self._refresh()

    def _refresh(self) -> None:
        with self._lock:
            box = self._label_map.update(self.now, self._predictions.known)
        self.changed.emit(box)

    def _belonging(self, object_id: int) -> Mask:
        with self._lock:
            return self._label_map.belonging(object_id, self.now.overlap)


def _new_runner(kind: str) -> Runner:
    return InlineRunner() if kind == "inline" else WorkerRunner()


def _check_image(ledger: Ledger, volume: Volume) -> None:
    if ledger.image.digest == volume.digest:
        return
    raise SessionFileError(
        f"The session is about another image, {ledger.image.name} {ledger.image.shape}, "
        f"than {volume.name} {volume.shape}.",
        "Open the image that the session was made on"
        + (f": {ledger.image.source}" if ledger.image.source else "."),
    )
