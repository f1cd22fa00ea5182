"""Make the other records of a damaged journal fit each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.ledger.records import (
    CursorMoved,
    Entry,
    Event,
    MaskEdited,
    ObjectAdded,
    ObjectInfo,
    PromptAdded,
    Record,
)
from napari_medvlm.ledger.state import LedgerState

COLOR = "#b3b3b3"
"""Colour of an object whose own record is damaged."""


def repaired(records: Sequence[Record | None]) -> list[Record]:
    """The records, changed where a damaged one left a gap.

    A damaged entry becomes an entry without events, so that undo counts as before. A prompt or an
    edit by hand of an object whose record is damaged adds that object. Events that refer to what is
    damaged are left out, the cursor is limited to the live entries, and an entry whose serial is
    not above the ones before gets the next one.

    Parameters
    ----------
    records
        The records in order; `None` is a damaged one.
    """
    states = [LedgerState()]
    cursor, serial = 0, 0
    result: list[Record] = []
    for record in _with_empty_entries(records):
        match record:
            case Entry():
                serial = max(serial + 1, record.serial)
                record = record.model_copy(update={"serial": serial})
                events, state = _fitting(states[cursor], record)
                del states[cursor + 1 :]
                states.append(state)
                cursor += 1
                record = record.model_copy(update={"events": events})
            case CursorMoved():
                cursor = min(max(record.to, 0), len(states) - 1)
                record = record.model_copy(update={"to": cursor})
        result.append(record)
    return result


def _with_empty_entries(records: Sequence[Record | None]) -> Iterator[Record]:
    """The records; for each serial that is missing after a gap, an entry without events."""
    following = _next_entries(records)
    last = 0
    for record, entry in zip(records, following, strict=True):
        if record is None:
            if entry is not None and entry.serial > last + 1:
                last += 1
                yield Entry(serial=last, events=(), time=entry.time)
            continue
        if isinstance(record, Entry):
            last = max(last, record.serial)
        yield record


def _next_entries(records: Sequence[Record | None]) -> list[Entry | None]:
    """For each record, the first entry from it on."""
    following: list[Entry | None] = []
    entry = None
    for record in reversed(records):
        entry = record if isinstance(record, Entry) else entry
        following.append(entry)
    return following[::-1]


def _fitting(state: LedgerState, entry: Entry) -> tuple[tuple[Event, ...], LedgerState]:
    """The events of an entry that fit a state, and the state after them."""
    fitting: list[Event] = []
    for event in entry.events:
        steps: list[Event] = [event]
        if isinstance(event, PromptAdded | MaskEdited) and event.object_id not in state.objects:
            number = event.object_id
            info = ObjectInfo(id=number, name=f"Object {number}", color=COLOR)
            steps.insert(0, ObjectAdded(object=info))
        try:
            state = state.after(entry.model_copy(update={"events": tuple(steps)}))
        except (KeyError, InvalidPrompt):
            continue
        fitting += steps
    return tuple(fitting), state
