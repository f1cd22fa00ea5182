"""Which masks follow from a ledger, and what must be asked of a backend to have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import InitialMask, Prompt
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Predicted
from napari_medvlm.ledger.state import LiveObject, changed_ids
from napari_medvlm.ledger.step_counts import StepCounts
from napari_medvlm.sessions.segment.mask_edits import edited
from napari_medvlm.sessions.segment.mask_store import Key, MaskStore
from napari_medvlm.settings.allowed_hosts import without_login
from napari_medvlm.worker.messages import SegmentReply, SegmentRequest


@dataclass(frozen=True)
class Choice:
    """The backend that is asked, its model (`None`: its default) and the device it runs on.

    A user and password in the address of a server are left out: the choice is recorded.
    """

    backend: str
    model: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.model is not None:
            object.__setattr__(self, "model", without_login(self.model))


def key_of(live: LiveObject) -> Key:
    """What names the mask of an object before edits by hand, as its prompts are."""
    return live.info.id, live.prompted


class Predictions:
    """The masks of one ledger, as far as they are known.

    A mask depends on the object's prompts, on the masks of the objects that were locked when its
    prompts last changed, and on edits by hand, which are applied to what the backend returned: all
    are fixed by the ledger, so a key always means the same mask.

    Attributes
    ----------
    waits_for_locked
        Whether a mask could not be requested yet, as those of locked objects are not computed.
    problems
        Errors of stored masks that are damaged; those masks are empty, those edits left out.
    """

    def __init__(self, volume: Volume, ledger: Ledger) -> None:
        self._volume = volume
        self._ledger = ledger
        self._masks = MaskStore()
        self._edited = MaskStore()
        self._abandoned: set[Key] = set()
        self._complete: dict[int, LiveObject] = {}
        self._discards = 0
        self._built: dict[Key, tuple[Choice, SegmentRequest]] = {}
        self._answered: set[int] = set()
        self.waits_for_locked = False
        self.problems: list[InvalidPrompt] = []

    def known(self, live: LiveObject) -> Mask | None:
        """The mask of an object with its edits by hand, if it was computed and is still kept."""
        mask = self._masks.get(key_of(live))
        return None if mask is None else self._after_edits(live, mask)

    def before_edits(self, live: LiveObject) -> Mask | None:
        """The mask of an object before edits by hand, if it was computed and is still kept."""
        return self._masks.get(key_of(live))

    def give_up(self, key: Key) -> None:
        """Ask no more for a mask that failed or was cancelled, until `forget`."""
        self._abandoned.add(key)
        self._built.pop(key, None)

    def forget(self, key: Key) -> None:
        """Have a mask computed again."""
        self._masks.discard(key)
        self._edited.discard_object(key[0])
        self._abandoned.discard(key)
        self._built.pop(key, None)

    def take_answered(self) -> frozenset[int]:
        """Ids of the objects of which masks were computed since the last call."""
        answered, self._answered = frozenset(self._answered), set()
        return answered

    def wanted(self, choice: Choice, recompute: Key | None = None) -> dict[Key, SegmentRequest]:
        """What must be asked now for the masks of all live objects.

        Parameters
        ----------
        choice
            The backend for masks that were never computed. One that was, and is no longer kept,
            is asked of the backend that the ledger names.
        recompute
            A mask to ask of ``choice`` although the ledger names another backend for it.
        """
        requests: dict[Key, SegmentRequest] = {}
        self.waits_for_locked = False
        if self._discards != self._masks.discards:
            self._complete.clear()
        objects = self._ledger.now.objects
        for object_id in changed_ids(self._complete, objects):
            live = objects[object_id]
            if key_of(live) not in self._masks:
                self._resolve(live, choice, recompute, requests)
            if key_of(live) in self._masks:
                self._complete[object_id] = live
        self._discards = self._masks.discards
        self._built = {key: self._built[key] for key in requests}
        return requests

    def accept(self, key: Key, request: SegmentRequest, reply: SegmentReply) -> Predicted:
        """Keep a mask that came back; the record of it for the ledger."""
        self._store(key, reply.mask)
        self._edited.discard_object(key[0])
        self._built.pop(key, None)
        steps = request.prompts.steps
        return Predicted(
            object_id=key[0],
            serial=key[1],
            backend=request.backend,
            model=request.model,
            steps=steps if isinstance(steps, StepCounts) else StepCounts(steps),
            digest=reply.mask.digest,
            voxels=reply.mask.voxels,
            seconds=round(reply.seconds, 4),
        )

    def _store(self, key: Key, mask: Mask) -> None:
        self._masks[key] = mask
        self._answered.add(key[0])

    def _after_edits(self, live: LiveObject, mask: Mask) -> Mask:
        """A mask of the backend after the edits by hand of an object."""
        edits = live.current_edits()
        if not edits:
            return mask
        keys = [(*key_of(live), edit.serial) for edit in edits]
        done = next((n for n in range(len(keys), 0, -1) if keys[n - 1] in self._edited), 0)
        result = (self._edited.get(keys[done - 1]) if done else None) or mask
        for edit in edits[done:]:
            try:
                result = edited(result, (edit,), self._volume.grid)
            except InvalidPrompt as error:
                self.problems.append(error)
        self._edited[keys[-1]] = result
        return result

    def _resolve(
        self,
        live: LiveObject,
        choice: Choice,
        recompute: Key | None,
        requests: dict[Key, SegmentRequest],
    ) -> Mask | None:
        """The mask of an object before edits by hand; what must be asked for it is added."""
        key = key_of(live)
        cached = self._masks.get(key)
        if cached is not None:
            return cached
        built = self._built.get(key)
        if built is not None and built[0] == choice and key != recompute:
            requests[key] = built[1]
            return None
        moment = self._ledger.moment(live.prompted)
        live = moment.objects[live.info.id]
        locked = [moment.objects[i] for i in sorted(moment.locked)]
        locked = [other for other in locked if other.changed < live.prompted]
        masks = [(o, self._resolve(o, choice, recompute, requests)) for o in locked]
        known = [self._after_edits(o, m) for o, m in masks if m is not None]
        if len(known) < len(masks):
            self.waits_for_locked = True
            return None
        excluded = _union(known, self._volume.shape)
        prompts = live.current()
        try:
            mask = _without_backend(prompts, excluded, self._volume)
        except InvalidPrompt as error:
            self.problems.append(error)
            mask = Mask.empty(self._volume.shape)
        if mask is not None:
            self._store(key, mask)
        elif key not in self._abandoned:
            given = ObjectPrompts(prompts, (), excluded, live.info.phrases)
            requests[key] = self._request(live, given, choice, forced=key == recompute)
            self._built[key] = choice, requests[key]
        return mask

    def _request(
        self, live: LiveObject, prompts: ObjectPrompts, choice: Choice, forced: bool
    ) -> SegmentRequest:
        prediction = None if forced else self._ledger.prediction_of(live)
        if prediction is None:
            steps = self._ledger.steps(live)
        else:  # a file that was edited may have larger numbers
            steps = prediction.steps.up_to(len(prompts))
        return SegmentRequest(
            backend=choice.backend if prediction is None else prediction.backend,
            model=choice.model if prediction is None else prediction.model,
            device=choice.device,
            volume=self._volume,
            prompts=replace(prompts, steps=steps),
        )


def _union(masks: Sequence[Mask], shape: Index) -> Mask | None:
    """The union of masks on a grid of that shape, within their bounding box; `None` of none."""
    filled = [mask for mask in masks if mask.voxels]
    if not masks:
        return None
    if not filled:
        return Mask.empty(shape)
    start = np.min([mask.start for mask in filled], axis=0)
    stop = np.max([mask.stop for mask in filled], axis=0)
    crop = np.zeros(stop - start, bool)
    for mask in filled:
        crop[
            tuple(slice(a, b) for a, b in zip(mask.start - start, mask.stop - start, strict=True))
        ] |= mask.crop
    z, y, x = (int(a) for a in start)
    return Mask(crop, (z, y, x), shape)


def _without_backend(
    prompts: Sequence[Prompt], excluded: Mask | None, volume: Volume
) -> Mask | None:
    """The mask, where it follows from the prompts alone."""
    if not any(prompt.positive for prompt in prompts):
        return Mask.empty(volume.shape)
    match prompts:
        case (InitialMask() as initial,):
            mask = initial.mask(volume.grid)
            return mask if excluded is None else mask.without(excluded)
    return None
