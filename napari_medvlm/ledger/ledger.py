"""The ledger: the append-only list of all records about an image, and the only state.

What is live is the list up to a cursor. Undo and redo move the cursor; a new entry after an undo
starts from there. Records are never removed, so the file is also the audit record.
Does not depend on backends, image files or windows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path

from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import InvalidPrompt, SessionFileError
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.conversation_records import ConversationRecord
from napari_medvlm.ledger.edit_titles import edit_title
from napari_medvlm.ledger.reading import JOURNAL_SUFFIX, count_text, read_session, without_gaps
from napari_medvlm.ledger.records import (
    CursorMoved,
    Entry,
    Event,
    Predicted,
    PromptAdded,
    Record,
    SessionFile,
    SessionHeader,
)
from napari_medvlm.ledger.region_records import (
    Classified,
    DescriptorToggled,
    Grounded,
    ImageReference,
    RegionChecked,
)
from napari_medvlm.ledger.repair import repaired
from napari_medvlm.ledger.serialization import json_of
from napari_medvlm.ledger.state import LedgerState, LiveObject
from napari_medvlm.ledger.step_counts import StepCounts
from napari_medvlm.ledger.steps import Steps

STORED_EVERY = 64
"""Entries from one stored state to the next; states between are computed from the entries."""


class Ledger:
    """All records about one image.

    Parameters
    ----------
    image
        The image.
    records
        Existing records, as read from a file.

    Attributes
    ----------
    damage
        What is damaged or was replaced in its file, in sentences; empty if nothing is.

    Raises
    ------
    SessionFileError
        If the records contradict each other.
    """

    def __init__(self, image: ImageReference, records: Iterable[Record] = ()) -> None:
        self.image = image
        self.damage = ""
        self._records: list[Record] = []
        self._entries: list[Entry] = []
        self._cursor = 0
        self._now = LedgerState()
        self._states: dict[int, LedgerState] = {0: self._now}
        self._block: tuple[int, list[LedgerState]] = (0, [self._now])
        self._predicted: dict[int, dict[int, Predicted]] = {}  # by object and serial
        self._steps = Steps()
        self._last_serial = 0
        self._last_prompt_id = 0
        try:
            for record in records:
                self._take(record)
        except (KeyError, IndexError, InvalidPrompt) as error:
            raise SessionFileError(
                f"Record {len(self._records) + 1} of the session does not fit what precedes it.",
                "The file was edited or mixed up with another; open an earlier copy.",
            ) from error

    @classmethod
    def of(cls, volume: Volume) -> Ledger:
        """An empty ledger about a volume."""
        return cls(ImageReference.of(volume))

    @property
    def records(self) -> tuple[Record, ...]:
        """All records, oldest first."""
        return tuple(self._records)

    @property
    def last_prediction(self) -> Predicted | None:
        """The latest record of a predicted mask."""
        return next((r for r in reversed(self._records) if isinstance(r, Predicted)), None)

    @property
    def entries(self) -> Sequence[Entry]:
        """The live entries, oldest first."""
        return tuple(self._entries[: self._cursor])

    @property
    def now(self) -> LedgerState:
        """What is live."""
        return self._now

    @property
    def can_undo(self) -> bool:
        """Whether there is an entry to undo."""
        return self._cursor > 0

    @property
    def can_redo(self) -> bool:
        """Whether an undone entry can be redone."""
        return self._cursor < len(self._entries)

    @property
    def undo_title(self) -> str | None:
        """What undo takes back, such as ``"add negative point"``; None without an entry."""
        return edit_title(self._entries[self._cursor - 1]) if self.can_undo else None

    @property
    def redo_title(self) -> str | None:
        """What redo brings back; None without an undone entry."""
        return edit_title(self._entries[self._cursor]) if self.can_redo else None

    def moment(self, serial: int) -> LedgerState:
        """What was live just after the live entry with this serial."""
        low, high = 0, self._cursor
        while low < high:
            middle = (low + high) // 2
            if self._entries[middle].serial < serial:
                low = middle + 1
            else:
                high = middle
        if low == self._cursor or self._entries[low].serial != serial:
            raise KeyError(serial)
        return self._state(low + 1)

    def predicted(self, object_id: int, serial: int) -> Predicted | None:
        """The last prediction recorded for an object as it was at an entry."""
        return self._predicted.get(object_id, {}).get(serial)

    def prediction_of(self, live: LiveObject) -> Predicted | None:
        """The last prediction recorded for an object with its present prompts."""
        return self.predicted(live.info.id, live.prompted)

    def uid_of(self, object_id: int) -> str:
        """The DICOM UID of a live object: the same whenever and wherever it is written.

        That of the file that it came from, or else one that follows from the image and from the
        entry that added it, so that no object of another session has it.
        """
        live = self.now.objects[object_id]
        if live.info.tracking_uid:
            return live.info.tracking_uid
        serial, time = live.added
        what = f"{self.image.digest} {object_id} {serial} {time.astimezone(UTC).isoformat()}"
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, what).int}"

    def steps(self, live: LiveObject) -> StepCounts:
        """How many prompts there were at each prediction that led to this object's next mask."""
        return self._steps.of(live, self._predicted.get(live.info.id, {}))

    def append(self, *events: Event) -> Entry:
        """Add an entry after the live ones; undone entries can no longer be redone."""
        entry = Entry(serial=self._last_serial + 1, events=events)
        self._take(entry)
        return entry

    def undo(self) -> CursorMoved:
        """Undo the last live entry."""
        return self._move(self._cursor - 1)

    def redo(self) -> CursorMoved:
        """Redo the entry that was undone last."""
        return self._move(self._cursor + 1)

    def note(
        self,
        answer: Predicted
        | Grounded
        | RegionChecked
        | Classified
        | DescriptorToggled
        | ConversationRecord,
    ) -> None:
        """Add a record that changes no object: an answer of a backend, a question, a mark."""
        self._take(answer)

    def next_prompt_id(self) -> int:
        """An id that no prompt has had."""
        return self._last_prompt_id + 1

    def save(self, path: str | Path) -> None:
        """Write the ledger as JSON; an existing file stays unchanged if this fails.

        Raises
        ------
        CannotSave
            If the folder cannot be written to or the disk is full.
        """
        write_text(
            path, json_of(SessionFile(image=self.image, records=tuple(self._records)), indent=1)
        )

    @classmethod
    def load(cls, path: str | Path, image: ImageReference | None = None) -> Ledger:
        """Read a session file or a journal.

        The damaged records of a journal are left out, see `damage`.

        Parameters
        ----------
        path
            The file.
        image
            The image of a journal whose header is damaged.

        Raises
        ------
        SessionFileError
            If the file cannot be read, is damaged, or was written by a newer version.
        """
        path = Path(path).expanduser()
        content = read_session(path, image)
        if not content.damaged:
            try:
                ledger = cls(content.image, without_gaps(content.records))
            except SessionFileError:
                if path.suffix != JOURNAL_SUFFIX:
                    raise
            else:
                ledger.damage = " ".join(content.corrections)
                return ledger
        ledger = cls(content.image, repaired(content.records))
        counted = count_text(max(content.damaged, 1), path.name)
        ledger.damage = " ".join((counted, *content.corrections))
        return ledger

    def header(self) -> str:
        """The JSON of the first line of a journal; each record follows as a line."""
        return json_of(SessionHeader(image=self.image))

    def _state(self, count: int) -> LedgerState:
        """What was live after the first ``count`` entries, live or undone."""
        start = count - count % STORED_EVERY
        if self._block[0] != start:
            self._block = start, [self._states[start]]
        states = self._block[1]
        while len(states) <= count - start:
            states.append(states[-1].after(self._entries[start + len(states) - 1]))
        return states[count - start]

    def _store_state(self) -> None:
        """Store what is live now: in the block of the latest states, or as the start of one."""
        start, states = self._block
        if self._cursor % STORED_EVERY == 0:
            self._states[self._cursor] = self._now
            self._block = self._cursor, [self._now]
        elif self._cursor == start + len(states):
            states.append(self._now)

    def _drop_undone(self) -> None:
        """Remove the undone entries, and the states after them."""
        if self._cursor == len(self._entries):
            return
        del self._entries[self._cursor :]
        self._states = {n: state for n, state in self._states.items() if n <= self._cursor}
        start, states = self._block
        del states[max(self._cursor - start, 0) + 1 :]
        if start > self._cursor:
            self._block = 0, [self._states[0]]

    def _move(self, to: int) -> CursorMoved:
        moved = CursorMoved(to=to)
        self._take(moved)
        return moved

    def _take(self, record: Record) -> None:
        match record:
            case Entry():
                if record.serial <= self._last_serial:
                    raise IndexError(record.serial)
                now = self._now.after(record)
                self._drop_undone()
                self._entries.append(record)
                self._cursor += 1
                self._now = now
                self._store_state()
                self._last_serial = record.serial
                added = (e.prompt_id for e in record.events if isinstance(e, PromptAdded))
                self._last_prompt_id = max(self._last_prompt_id, *added, 0)
            case CursorMoved():
                if not 0 <= record.to <= len(self._entries):
                    raise IndexError(record.to)
                self._cursor, self._now = record.to, self._state(record.to)
            case Predicted():
                self._predicted.setdefault(record.object_id, {})[record.serial] = record
                self._steps.predicted(record.object_id, record.serial)
            case _:  # other records change no object
                pass
        self._records.append(record)
