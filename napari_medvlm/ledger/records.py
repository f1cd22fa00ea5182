"""The records of a session file, and those of its objects, prompts and masks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from napari_medvlm.data.colors import is_hex_color
from napari_medvlm.data.prompts import InitialMask, Prompt
from napari_medvlm.ledger.conversation_records import ConversationRecord
from napari_medvlm.ledger.pairing_records import PairingChosen
from napari_medvlm.ledger.region_records import (
    Classified,
    DescriptorToggled,
    Grounded,
    ImageReference,
    RegionChecked,
)
from napari_medvlm.ledger.serialization import Number, Value, now
from napari_medvlm.ledger.step_counts import StoredStepCounts

VERSION: Final = 4
"""Version of the session file; a newer one is refused, an older one is upgraded by `migrate`."""


NO_COLOR: Final = "The colour of an object is not of the form #rrggbb: it is grey."


class Overlap(StrEnum):
    """Which object a voxel belongs to when two claim it. Locked objects always keep theirs."""

    NEWEST = "newest"
    """The object that was changed last takes it."""
    FIRST = "first"
    """The voxel belongs to the object that was created first."""
    BOTH = "both"
    """It belongs to both; the one changed last is drawn on top."""


class Corrections(list[str]):
    """Context of validation that collects sentences about what was replaced."""


def _hex_color(color: str, info: ValidationInfo) -> str:
    """The colour, or grey for what is no colour: it goes to napari, Qt and DICOM as it is."""
    if is_hex_color(color):
        return color
    if isinstance(info.context, Corrections):
        info.context.append(NO_COLOR)
    return "#808080"


class ObjectInfo(Value):
    """An object: its label value, name, colour (``#rrggbb``) and lock.

    Attributes
    ----------
    tracking_uid
        Of an object from a DICOM file, the UID that it had there.
    """

    id: Annotated[int, Field(ge=1, lt=2**31)]
    name: str
    color: Annotated[str, AfterValidator(_hex_color)]
    locked: bool = False
    tracking_uid: str = ""

    @property
    def phrases(self) -> tuple[str, ...]:
        """The names in its name, between semicolons; empty for that of an unnamed object."""
        if self.name == f"Object {self.id}":
            return ()
        return tuple(part.strip() for part in self.name.split(";") if part.strip())


class ObjectAdded(Value):
    """A new object."""

    event: Literal["object_added"] = "object_added"
    object: ObjectInfo


class ObjectChanged(Value):
    """A new name, colour or lock."""

    event: Literal["object_changed"] = "object_changed"
    object: ObjectInfo


class ObjectRemoved(Value):
    """An object and its prompts, no longer live."""

    event: Literal["object_removed"] = "object_removed"
    object_id: int


class PromptAdded(Value):
    """A new prompt of an object.

    Attributes
    ----------
    origin
        Where it came from if a person did not draw it: the phrase and backend that found it.
    """

    event: Literal["prompt_added"] = "prompt_added"
    object_id: int
    prompt_id: int
    prompt: Prompt
    origin: str = ""


class PromptChanged(Value):
    """A prompt moved or redrawn."""

    event: Literal["prompt_changed"] = "prompt_changed"
    prompt_id: int
    prompt: Prompt


class PromptRemoved(Value):
    """A prompt, no longer live."""

    event: Literal["prompt_removed"] = "prompt_removed"
    prompt_id: int


class MaskEdited(Value):
    """Voxels painted or erased by hand in the mask of an object.

    They are applied to every later mask of the object: painted voxels stay in, erased ones out.

    Attributes
    ----------
    added, removed
        The voxels on the grid of the volume; None if there are none.
    """

    event: Literal["mask_edited"] = "mask_edited"
    object_id: int
    added: InitialMask | None = None
    removed: InitialMask | None = None


class OverlapChosen(Value):
    """Another rule for voxels that two objects claim."""

    event: Literal["overlap_chosen"] = "overlap_chosen"
    overlap: Overlap


Event = Annotated[
    ObjectAdded
    | ObjectChanged
    | ObjectRemoved
    | PromptAdded
    | PromptChanged
    | PromptRemoved
    | MaskEdited
    | OverlapChosen
    | PairingChosen,
    Field(discriminator="event"),
]


class Entry(Value):
    """The events of one edit, undone together. A serial is never used twice."""

    record: Literal["entry"] = "entry"
    serial: int
    time: datetime = Field(default_factory=now)
    events: tuple[Event, ...]


class CursorMoved(Value):
    """Undo or redo: the number of live entries."""

    record: Literal["cursor"] = "cursor"
    to: int
    time: datetime = Field(default_factory=now)


class Predicted(Value):
    """A backend returned a mask for an object in its state at an entry.

    Attributes
    ----------
    steps
        How many prompts there were at each prediction that led to the mask, this one included.
    digest
        `Mask.digest` of what came back.
    """

    record: Literal["predicted"] = "predicted"
    object_id: int
    serial: int
    backend: str
    model: str | None
    steps: StoredStepCounts
    digest: str
    voxels: int
    seconds: Number
    time: datetime = Field(default_factory=now)


Record = Annotated[
    Entry
    | CursorMoved
    | Predicted
    | Grounded
    | RegionChecked
    | Classified
    | DescriptorToggled
    | ConversationRecord,
    Field(discriminator="record"),
]


class SessionHeader(Value):
    """The first line of a journal: all of a session but its records."""

    format: Literal["napari-medvlm session"] = "napari-medvlm session"
    version: Literal[4] = VERSION
    image: ImageReference


class SessionFile(SessionHeader):
    """A session as stored in a JSON file."""

    records: tuple[Record, ...] = ()
