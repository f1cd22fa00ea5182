"""Titles of edits, for the tooltips of undo and redo."""

from __future__ import annotations

from collections.abc import Sequence

from napari_medvlm.data.prompts import Prompt
from napari_medvlm.ledger.pairing_records import PairingChosen
from napari_medvlm.ledger.records import (
    Entry,
    Event,
    MaskEdited,
    ObjectAdded,
    ObjectChanged,
    ObjectRemoved,
    PromptAdded,
    PromptChanged,
    PromptRemoved,
)


def edit_title(entry: Entry) -> str:
    """Return what an edit did: ``"add negative point"``, ``"delete 2 objects"``."""
    events = entry.events
    added = [event.prompt for event in events if isinstance(event, PromptAdded)]
    changed = [event.prompt for event in events if isinstance(event, PromptChanged)]
    removed = _count(events, PromptRemoved)
    objects = [event.object.name for event in events if isinstance(event, ObjectAdded)]
    deleted, edited = _count(events, ObjectRemoved), _count(events, ObjectChanged)
    strokes = [event for event in events if isinstance(event, MaskEdited)]
    if strokes:
        return "paint mask" if any(stroke.added for stroke in strokes) else "erase from mask"
    if deleted and added:
        return "merge objects"
    if added or changed:
        return f"add {_prompts(added)}" if added else f"change {_prompts(changed)}"
    titles = (
        (deleted, _counted("delete", deleted, "object")),
        (removed, _counted("delete", removed, "prompt")),
        (len(objects), f"add {', '.join(objects)}"),
        (edited, _counted("edit", edited, "object")),
        (_count(events, PairingChosen), "pair with prior"),
    )
    return next((title for count, title in titles if count), "change overlap")


def _prompts(prompts: Sequence[Prompt]) -> str:
    if len(prompts) > 1:
        return f"{len(prompts)} prompts"
    label = prompts[0].label
    return label if prompts[0].positive else f"negative {label}"


def _count(events: Sequence[Event], kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in events)


def _counted(verb: str, count: int, noun: str) -> str:
    return f"{verb} {noun}" if count == 1 else f"{verb} {count} {noun}s"
