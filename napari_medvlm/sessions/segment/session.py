"""Segmentation of objects in one volume, without a window.

The session writes every edit into the ledger and requests the masks that follow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from napari_medvlm.data.errors import PromptNotSupported
from napari_medvlm.data.interface.arguments import require_volume
from napari_medvlm.data.prompts import Prompt, check_prompt, require_prompt
from napari_medvlm.data.volume import Volume, require_contrast
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Event, Overlap, Record
from napari_medvlm.ledger.state import changed_ids
from napari_medvlm.sessions.closeable import Closeable
from napari_medvlm.sessions.earlier import check_image
from napari_medvlm.sessions.request_sender import new_runner
from napari_medvlm.sessions.segment import edits
from napari_medvlm.sessions.segment.backend_choice import segmenting_backend
from napari_medvlm.sessions.segment.engine import Engine
from napari_medvlm.sessions.segment.mask_session import MaskSession
from napari_medvlm.sessions.segment.predictions import Choice, key_of
from napari_medvlm.settings.chosen_models import remember
from napari_medvlm.worker.runner import Runner


class SegmentationSession(MaskSession, Closeable):
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
        An earlier session to go on with; its masks are computed again, see `chosen_models`.
    journal
        File in which every gesture is kept as it happens, see `io.journal`.

    Attributes
    ----------
    changed
        Signal: objects, prompts or masks changed; the box ``(slice, slice, slice)`` of the label
        map that was drawn again, or `None`.
    measured
        Signal: ids of the objects whose measurement changed, see `last_measurement`.
    progressed
        Signal: how far the running request is, 0 to 1, and what it does.
    failed
        Signal: the `MedVLMError` instead of a mask; the prompts are kept.
    restarted
        Signal: the worker died and was started again, and in a sentence why.
    noted
        Signal: in a sentence, what is to be known of how a mask was made.

    Raises
    ------
    InvalidImage
        If all voxels are equal.
    BackendUnavailable
        If there is no such backend, or it does not segment from prompts.
    SessionFileError
        If the ledger is about another image.
    """

    def __init__(  # what it is about, and who does the work
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
        require_contrast(require_volume(volume))
        self.volume = volume
        self.ledger = ledger or Ledger.of(volume)
        check_image(self.ledger, volume)
        self.active: int | None = max(self.ledger.now.objects, default=None)
        self._info = segmenting_backend(backend)
        self._runner = new_runner(runner) if isinstance(runner, str) else runner
        self._owns_runner = isinstance(runner, str)
        self._closed = False
        choice = Choice(backend, model, device)
        remember(backend, model)
        self._engine = Engine(volume, self.ledger, choice, self._runner, journal)
        self.changed = self._engine.changed
        self.measured = self._engine.measured
        self.progressed = self._engine.progressed
        self.failed = self._engine.failed
        self.restarted = self._engine.restarted
        self.noted = self._engine.noted
        self._engine.settle()

    def add(self, prompt: Prompt, object_id: int | None = None, origin: str = "") -> int:
        """Say something about an object: the active one if none is named, a new one if none is.

        Parameters
        ----------
        origin
            Where the prompt came from, for the ledger, if a person did not draw it.

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
        if object_id is not None:
            self.require_object(object_id)
        target = self.active if object_id is None else object_id
        prompt_id = self.ledger.next_prompt_id()
        self._append(*edits.add(self.now, target, prompt_id, prompt, origin))
        return prompt_id

    def add_objects(self, prompts: Sequence[Prompt | edits.NewObject]) -> tuple[int, ...]:
        """Begin an object with each of several prompts, undone together; the objects' ids.

        If one prompt is refused, as by `add`, no object is begun.
        """
        new = [p if isinstance(p, edits.NewObject) else edits.NewObject(p) for p in prompts]
        for item in new:
            self._check(item.prompt)
        ids, events = edits.add_objects(self.now, self.ledger.next_prompt_id(), new)
        self._append(*events)
        return ids

    def change(self, prompts: Mapping[int, Prompt]) -> None:
        """Put other prompts in the place of some, by id, in one gesture: they were moved."""
        for prompt in prompts.values():
            self._check(prompt)
        self._append(*edits.change(self.now, prompts))

    def step_size(self, by: int) -> int:
        """Take a larger (``by`` > 0) or smaller extent of the active object's last point.

        Returns
        -------
        The point's `Point.size_step` now.

        Raises
        ------
        InvalidPrompt
            If the object's last prompt is no point, or there are no more steps.
        PromptNotSupported
            If the backend has one extent only.
        """
        if not self._info.sizes_points:
            raise PromptNotSupported(
                f"{self._info.title} has one extent for each point.",
                "Add a point to correct the mask, or choose another backend.",
            )
        prompt_id, sized = edits.sized(self.now, self.active, by)
        self._append(*edits.change(self.now, {prompt_id: sized}))
        return sized.size_step

    def remove(self, *prompt_ids: int) -> None:
        """Take prompts away, in one gesture."""
        self._append(*edits.remove(self.now, prompt_ids))

    def undo(self) -> None:
        """Take back the last gesture, if there is one."""
        self._write(lambda ledger: ledger.undo() if ledger.can_undo else None)

    def redo(self) -> None:
        """Bring back the gesture that was taken back last, if there is one."""
        self._write(lambda ledger: ledger.redo() if ledger.can_redo else None)

    def activate(self, object_id: int | None) -> None:
        """Choose the object that the next prompts are about; `None`: a new one.

        Raises
        ------
        InvalidPrompt
            If there is no such object.
        """
        if object_id is not None:
            self.require_object(object_id)
        self.active = object_id
        self.changed.emit(None)

    def add_object(self, name: str | None = None) -> int:
        """Begin another object and make it the active one; its id."""
        self.active, event = edits.add_object(self.now, name)
        self._append(event)
        return self.active

    def take(self, name: str, prompt: Prompt, origin: str) -> int:
        """Make an object of a prompt that was found elsewhere, in one gesture; its id.

        Parameters
        ----------
        origin
            Where it came from, for the ledger: the phrase, and who found it.

        Raises
        ------
        InvalidPrompt, PromptNotSupported
            As of `add`.
        """
        return self.add_objects([edits.NewObject(prompt, name, origin)])[0]

    def edit_object(
        self,
        object_id: int,
        *,
        name: str | None = None,
        color: str | None = None,
        locked: bool | None = None,
    ) -> None:
        """Rename, recolour (``#rrggbb``), lock or unlock an object; the active one stays so.

        Raises
        ------
        InvalidPrompt
            If there is no such object, or the colour has another form.
        """
        active = self.active
        self._append(*edits.edit_object(self.now, object_id, name, color, locked))
        self.activate(active if active in self.now.objects else self.active)

    def remove_objects(self, *object_ids: int) -> None:
        """Take away objects with their prompts, in one gesture."""
        self._append(*edits.remove_objects(self.now, object_ids))

    def set_overlap(self, overlap: Overlap) -> None:
        """Choose which object a voxel belongs to when two claim it."""
        self._append(*edits.set_overlap(self.now, overlap))

    def use(self, backend: str, model: str | None = None, device: str = "cpu") -> None:
        """Choose who makes the next masks; those that are there stay, see `ask_again`."""
        self._info = segmenting_backend(backend)
        self._engine.choice = Choice(backend, model, device)
        remember(backend, model)

    def ask_again(self) -> None:
        """Have the active object's mask computed again by the chosen backend."""
        live = self.now.objects.get(self.active or 0)
        if live is not None:
            self._engine.ask_again(key_of(live))

    def cancel(self) -> None:
        """Stop what is being computed. Prompts are kept; `ask_again` goes on with them."""
        self._engine.cancel()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until nothing is on its way.

        Raises
        ------
        TimeoutError
            If that takes longer.
        MedVLMError
            What has gone wrong since the last time.
        """
        self._engine.wait(timeout_s)

    def close(self) -> None:
        """Stop what is running and finish the journal."""
        self._closed = True
        self._engine.close()
        if self._owns_runner:
            self._runner.stop()

    # The way of every gesture: check, then write; masks follow.

    def _check(self, prompt: Prompt) -> None:
        require_prompt(prompt)
        self._require_open()
        check_prompt(prompt, self.volume.grid)
        self._info.require_prompt(prompt)

    def _append(self, *events: Event) -> None:
        if events:
            self._write(lambda ledger: ledger.append(*events))

    def _write(self, change: Callable[[Ledger], Record | None]) -> None:
        """Change the ledger; go to the object that changed if the active one is not it."""
        before = self.now.objects

        def change_and_follow(ledger: Ledger) -> Record | None:
            record = change(ledger)
            after = ledger.now.objects
            touched = changed_ids(before, after)
            if self.active not in touched:
                self.active = touched[-1] if touched else self.active
            if self.active not in after:
                self.active = max(after, default=None)
            return record

        self._engine.write(change_and_follow)
