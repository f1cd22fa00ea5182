"""The state of a ledger: the objects and prompts that are live after an entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.prompts import InitialMask, Prompt
from napari_medvlm.ledger.records import (
    Entry,
    Event,
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
class LiveObject:
    """An object in a state of the ledger.

    Attributes
    ----------
    made
        Serial and time of the entry that added it: an id may be used again, these are not.
    prompts
        Its live prompts by id, oldest first.
    changed
        Serial of the entry that last changed its prompts. With the object's id this names its
        mask: what came before an entry never changes.
    appended
        ``(serial, number of prompts)`` after each entry since which prompts were only appended.
    """

    info: ObjectInfo
    made: tuple[int, datetime]
    prompts: Mapping[int, Prompt] = field(default_factory=dict)
    changed: int = 0
    appended: tuple[tuple[int, int], ...] = ()

    def current(self) -> tuple[Prompt, ...]:
        """The prompts that count: from the last initial mask on."""
        prompts = tuple(self.prompts.values())
        starts = [i for i, p in enumerate(prompts) if isinstance(p, InitialMask)]
        return prompts[starts[-1] :] if starts else prompts


@dataclass(frozen=True)
class LedgerState:
    """All that is live at some point of the ledger."""

    objects: Mapping[int, LiveObject] = field(default_factory=dict)
    overlap: Overlap = Overlap.NEWEST

    def owner(self, prompt_id: int) -> LiveObject:
        """The object that a prompt belongs to; `InvalidPrompt` if it is not live."""
        for candidate in self.objects.values():
            if prompt_id in candidate.prompts:
                return candidate
        raise InvalidPrompt(f"There is no prompt {prompt_id}.", "It may have been undone: redo it.")

    def after(self, entry: Entry) -> LedgerState:
        """The state after an entry."""
        moment = self
        for event in entry.events:
            moment = _apply(moment, event, entry)
        return moment


def _apply(moment: LedgerState, event: Event, entry: Entry) -> LedgerState:
    objects, serial = dict(moment.objects), entry.serial
    match event:
        case OverlapChosen():
            return replace(moment, overlap=event.overlap)
        case ObjectAdded():
            made = (serial, entry.time)
            objects[event.object.id] = LiveObject(event.object, made, changed=serial)
        case ObjectChanged():
            objects[event.object.id] = replace(objects[event.object.id], info=event.object)
        case ObjectRemoved():
            del objects[event.object_id]
        case PromptAdded():
            owner = objects[event.object_id]
            prompts = {**owner.prompts, event.prompt_id: event.prompt}
            grown = replace(owner, prompts=prompts, changed=serial)
            before = () if isinstance(event.prompt, InitialMask) else owner.appended
            steps = (*before, (serial, len(grown.current())))
            objects[event.object_id] = replace(grown, appended=steps)
        case PromptChanged() | PromptRemoved():
            owner = moment.owner(event.prompt_id)
            prompts = dict(owner.prompts)
            if isinstance(event, PromptChanged):
                prompts[event.prompt_id] = event.prompt
            else:
                del prompts[event.prompt_id]
            changed = replace(owner, prompts=prompts, changed=serial)
            steps = ((serial, len(changed.current())),)
            objects[owner.info.id] = replace(changed, appended=steps)
    return replace(moment, objects=objects)
