"""The state of a ledger: the objects and prompts that are live after an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress
from operator import is_not
from typing import cast

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.prompts import InitialMask, Prompt
from napari_medvlm.ledger.append_map import AppendMap
from napari_medvlm.ledger.pairing_records import PairingChosen
from napari_medvlm.ledger.records import (
    Entry,
    Event,
    MaskEdited,
    ObjectAdded,
    ObjectChanged,
    ObjectInfo,
    ObjectRemoved,
    Overlap,
    OverlapChosen,
    PromptAdded,
    PromptChanged,
    PromptRemoved,
)


@dataclass(frozen=True)
class LiveEdit:
    """An edit of a mask by hand.

    Attributes
    ----------
    serial
        Serial of its entry.
    start
        Id of the initial mask that the edited mask began with; None if it had none.
    """

    serial: int
    start: int | None
    event: MaskEdited


@dataclass(frozen=True)
class LiveObject:
    """An object in a state of the ledger.

    Attributes
    ----------
    added
        Serial and time of the entry that added it: an id may be used again, these are not.
    prompts
        Its live prompts by id, oldest first.
    changed
        Serial of the entry that last changed its prompts or edited its mask by hand. With the
        object's id this names its mask: what came before an entry never changes.
    prompted
        Serial of the entry that last changed its prompts. With the object's id this names the
        mask as the backend returns it, without edits by hand.
    edits
        All edits of its mask by hand, oldest first.
    appended
        The number of prompts after each entry since which prompts were only appended, by serial.
    count
        How many of the prompts count: those from the last initial mask on.
    """

    info: ObjectInfo
    added: tuple[int, datetime]
    prompts: AppendMap[Prompt] = field(default_factory=AppendMap)
    changed: int = 0
    prompted: int = 0
    edits: tuple[LiveEdit, ...] = ()
    appended: AppendMap[int] = field(default_factory=AppendMap)
    count: int = 0

    def current(self) -> Sequence[Prompt]:
        """The prompts that count: from the last initial mask on."""
        return self.prompts.values_from(len(self.prompts) - self.count)

    def current_edits(self) -> tuple[LiveEdit, ...]:
        """The edits by hand that count: those of the last initial mask, oldest first."""
        start = self.start if self.edits else None
        return tuple(edit for edit in self.edits if edit.start == start)

    @property
    def start(self) -> int | None:
        """Id of the last initial mask among the prompts; None if there is none."""
        first = len(self.prompts) - self.count
        if not self.count or not isinstance(self.current()[0], InitialMask):
            return None
        return self.prompts.key_at(first)


@dataclass(frozen=True)
class LedgerState:
    """All that is live at some point of the ledger.

    Attributes
    ----------
    locked
        Ids of the objects that are locked.
    """

    objects: Mapping[int, LiveObject] = field(default_factory=dict)
    overlap: Overlap = Overlap.NEWEST
    pairing: PairingChosen | None = None
    locked: frozenset[int] = frozenset()

    def owner(self, prompt_id: int) -> LiveObject:
        """The object that a prompt belongs to; `InvalidPrompt` if it is not live."""
        for candidate in self.objects.values():
            if prompt_id in candidate.prompts:
                return candidate
        raise InvalidPrompt(f"There is no prompt {prompt_id}.", "It may have been undone: redo it.")

    def after(self, entry: Entry) -> LedgerState:
        """The state after an entry."""
        state = replace(self, objects=dict(self.objects))  # one copy for all events
        for event in entry.events:
            state = _apply(state, event, entry)
        locked = _locked(state, entry.events)
        return state if locked == self.locked else replace(state, locked=locked)


def changed_ids(before: Mapping[int, LiveObject], after: Mapping[int, LiveObject]) -> Sequence[int]:
    """Ids of the objects that are new or not the same as before, in order."""
    return list(compress(after, map(is_not, after.values(), map(before.get, after))))


def _locked(state: LedgerState, events: Sequence[Event]) -> frozenset[int]:
    """Ids of the locked objects after events, which ``state`` has already."""
    changed = {e.object.id for e in events if isinstance(e, ObjectAdded | ObjectChanged)}
    removed = {e.object_id for e in events if isinstance(e, ObjectRemoved)}
    if not changed and not removed:
        return state.locked
    objects = state.objects
    return state.locked - changed - removed | {
        i for i in changed if i in objects and objects[i].info.locked
    }


def _apply(state: LedgerState, event: Event, entry: Entry) -> LedgerState:
    """The state after an event; the objects of ``state`` are changed in place."""
    objects, serial = cast("dict[int, LiveObject]", state.objects), entry.serial
    match event:
        case OverlapChosen() | PairingChosen():
            return _with_choice(state, event)
        case ObjectAdded():
            created = (serial, entry.time)
            new = LiveObject(event.object, created, changed=serial, prompted=serial)
            objects[event.object.id] = new
        case ObjectChanged():
            objects[event.object.id] = replace(objects[event.object.id], info=event.object)
        case ObjectRemoved():
            del objects[event.object_id]
        case PromptAdded():
            objects[event.object_id] = _prompted(objects[event.object_id], event, serial)
        case MaskEdited():
            objects[event.object_id] = _edited(objects[event.object_id], event, serial)
        case PromptChanged() | PromptRemoved():
            owner = state.owner(event.prompt_id)
            objects[owner.info.id] = _with_other_prompts(owner, event, serial)
    return state


def _with_choice(state: LedgerState, event: OverlapChosen | PairingChosen) -> LedgerState:
    """The state after a choice that is about no object."""
    if isinstance(event, PairingChosen):
        return replace(state, pairing=event)
    return replace(state, overlap=event.overlap)


def _prompted(owner: LiveObject, event: PromptAdded, serial: int) -> LiveObject:
    """The object after a prompt was added."""
    if event.prompt_id in owner.prompts:  # of a file that was edited: the later prompt counts
        changed = PromptChanged(prompt_id=event.prompt_id, prompt=event.prompt)
        return _with_other_prompts(owner, changed, serial)
    is_start = isinstance(event.prompt, InitialMask)
    count = 1 if is_start else owner.count + 1
    return replace(
        owner,
        prompts=owner.prompts.appended(event.prompt_id, event.prompt),
        changed=serial,
        prompted=serial,
        appended=AppendMap({serial: 1}) if is_start else owner.appended.appended(serial, count),
        count=count,
    )


def _with_other_prompts(
    owner: LiveObject, event: PromptChanged | PromptRemoved, serial: int
) -> LiveObject:
    """The object after a prompt was changed or removed."""
    prompts = dict(owner.prompts.items())
    if isinstance(event, PromptChanged):
        prompts[event.prompt_id] = event.prompt
    else:
        del prompts[event.prompt_id]
    count = len(_since_initial(tuple(prompts.values())))
    return replace(
        owner,
        prompts=AppendMap(prompts),
        changed=serial,
        prompted=serial,
        appended=AppendMap({serial: count}),
        count=count,
    )


def _since_initial(prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """The prompts from the last initial mask on."""
    starts = [i for i, p in enumerate(prompts) if isinstance(p, InitialMask)]
    return prompts[starts[-1] :] if starts else prompts


def _edited(owner: LiveObject, event: MaskEdited, serial: int) -> LiveObject:
    """The object after its mask was edited by hand."""
    edit = LiveEdit(serial, owner.start, event)
    return replace(owner, edits=(*owner.edits, edit), changed=serial)
