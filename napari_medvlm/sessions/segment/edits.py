"""What each gesture writes into the ledger: from what is live to the events, changing nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.colors import color_of, is_hex_color
from napari_medvlm.data.errors import GeometryMismatch, InvalidPrompt, ObjectLocked
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import MAX_SIZE_STEP, InitialMask, Point, Prompt
from napari_medvlm.ledger.records import (
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
from napari_medvlm.ledger.state import LedgerState

SPECK = 0.01
"""Pieces smaller than this share of an object stay with it when it is split."""


@dataclass(frozen=True)
class NewObject:
    """An object to begin with a prompt.

    Parameters
    ----------
    name
        `None`: "Object" and its id.
    origin
        Where the prompt came from, for the ledger; empty if a person drew it.
    tracking_uid
        DICOM tracking UID of the object; empty for one of its own.
    """

    prompt: Prompt
    name: str | None = None
    origin: str = ""
    tracking_uid: str = ""


def add(
    state: LedgerState, object_id: int | None, prompt_id: int, prompt: Prompt, origin: str = ""
) -> tuple[Event, ...]:
    """A prompt for an object, or for a new one."""
    if object_id is None:
        object_id, new = add_object(state, None)
        return new, _added(object_id, prompt_id, prompt, origin)
    require_unlocked(state, object_id)
    return (_added(object_id, prompt_id, prompt, origin),)


def add_objects(
    state: LedgerState, prompt_id: int, objects: Sequence[NewObject]
) -> tuple[tuple[int, ...], tuple[Event, ...]]:
    """New objects, whose prompts are numbered from ``prompt_id`` on; their ids, the events."""
    first = 1 + max(state.objects, default=0)
    ids = tuple(range(first, first + len(objects)))
    events: list[Event] = []
    for number, (object_id, new) in enumerate(zip(ids, objects, strict=True)):
        events.append(new_object(object_id, new.name, tracking_uid=new.tracking_uid))
        events.append(_added(object_id, prompt_id + number, new.prompt, new.origin))
    return ids, tuple(events)


def add_others(
    state: LedgerState, grid: Grid, prompt_id: int, object_id: int, masks: Mapping[str, Mask]
) -> tuple[Event, ...]:
    """Objects of the masks that came with that of an object, which takes its own name alone."""
    info = _existing(state, object_id)
    origin = f"together with {info.phrases[0] if info.phrases else info.name}"
    new = [NewObject(InitialMask.of(grid, m), name, origin) for name, m in masks.items()]
    own = info.model_copy(update={"name": info.phrases[0]} if info.phrases else {})
    return (ObjectChanged(object=own), *add_objects(state, prompt_id, new)[1])


def change(state: LedgerState, prompts: Mapping[int, Prompt]) -> tuple[Event, ...]:
    """Other prompts in the place of some; those that are the same are left out."""
    events = []
    for prompt_id, prompt in prompts.items():
        owner = state.owner(prompt_id)
        require_unlocked(state, owner.info.id)
        if owner.prompts[prompt_id] != prompt:
            events.append(PromptChanged(prompt_id=prompt_id, prompt=prompt))
    return tuple(events)


def sized(state: LedgerState, object_id: int | None, by: int) -> tuple[int, Point]:
    """The last prompt of an object with another `Point.size_step`, and its id."""
    live = None if object_id is None else state.objects.get(object_id)
    prompts = {} if live is None else dict(live.prompts)
    prompt_id = next(reversed(prompts), 0)
    last = prompts.get(prompt_id)
    if not isinstance(last, Point):
        raise InvalidPrompt(
            "The size of the last point cannot be changed: the last prompt is not a point.",
            "Click inside or outside the object first.",
        )
    step = last.size_step + by
    if abs(step) > MAX_SIZE_STEP:
        raise InvalidPrompt(
            f"There are no more than {MAX_SIZE_STEP} steps of size.", "Add a point instead."
        )
    return prompt_id, last.model_copy(update={"size_step": step})


def remove(state: LedgerState, prompt_ids: Sequence[int]) -> tuple[Event, ...]:
    """Prompts taken away."""
    for prompt_id in prompt_ids:
        require_unlocked(state, state.owner(prompt_id).info.id)
    return tuple(PromptRemoved(prompt_id=prompt_id) for prompt_id in prompt_ids)


def add_object(
    state: LedgerState, name: str | None, locked: bool = False
) -> tuple[int, ObjectAdded]:
    """A new object with the next id and colour; the id and the event."""
    object_id = 1 + max(state.objects, default=0)
    return object_id, new_object(object_id, name, locked)


def new_object(
    object_id: int, name: str | None, locked: bool = False, tracking_uid: str = ""
) -> ObjectAdded:
    """A new object of an id and its colour."""
    info = ObjectInfo(
        id=object_id,
        name=name or f"Object {object_id}",
        color=color_of(object_id),
        locked=locked,
        tracking_uid=tracking_uid,
    )
    return ObjectAdded(object=info)


def edit_object(
    state: LedgerState, object_id: int, name: str | None, color: str | None, locked: bool | None
) -> tuple[Event, ...]:
    """Another name, colour or lock; nothing if they are the same."""
    info = _existing(state, object_id)
    if color is not None and not is_hex_color(color):
        raise InvalidPrompt(f"{color[:40]!r} is no colour.", "Write it as #rrggbb: #ff8000.")
    wanted = {"name": name, "color": color, "locked": locked}
    edited = info.model_copy(update={k: v for k, v in wanted.items() if v is not None})
    return () if edited == info else (ObjectChanged(object=edited),)


def remove_objects(state: LedgerState, object_ids: Sequence[int]) -> tuple[Event, ...]:
    """Objects taken away."""
    for object_id in object_ids:
        require_unlocked(state, object_id)
    return tuple(ObjectRemoved(object_id=object_id) for object_id in object_ids)


def set_overlap(state: LedgerState, overlap: Overlap) -> tuple[Event, ...]:
    """Another overlap rule; nothing if it is the same."""
    return () if overlap is state.overlap else (OverlapChosen(overlap=overlap),)


def merge(
    state: LedgerState, grid: Grid, prompt_id: int, masks: Mapping[int, Mask]
) -> tuple[Event, ...]:
    """All objects in one, the first; it goes on from the union of the masks."""
    target, *others = masks
    for object_id in masks:
        require_unlocked(state, object_id)
    if not others:
        return ()
    union = masks[target]
    for object_id in others:
        union = union.union(masks[object_id])
    start = _added(target, prompt_id, InitialMask.of(grid, union))
    return (*(ObjectRemoved(object_id=o) for o in others), start)


def split(
    state: LedgerState, grid: Grid, prompt_id: int, object_id: int, mask: Mask
) -> tuple[tuple[int, ...], tuple[Event, ...]]:
    """Each large piece of an object but the largest as an object; the new ids and the events."""
    require_unlocked(state, object_id)
    rest, *pieces = _pieces(mask)
    if not pieces:
        raise InvalidPrompt(
            f"{_existing(state, object_id).name} is one piece and cannot be split.",
            "Cut it first with a negative scribble or lasso.",
        )
    stay = _added(object_id, prompt_id, InitialMask.of(grid, rest))
    name = _existing(state, object_id).name
    named = [(f"{name}, piece {i + 2}", "", piece) for i, piece in enumerate(pieces)]
    object_ids, events = _objects(state, grid, prompt_id + 1, named, locked=False)
    return object_ids, (stay, *events)


def label_masks(
    labels: NDArray[np.integer], grid: Grid, covered: Mapping[int, Mask]
) -> dict[int, Mask]:
    """The mask of each label of an array on the grid; 0 is background.

    Where masks overlap, the largest comes first, so that a smaller one is drawn over it.

    Parameters
    ----------
    covered
        The voxels of overlapping regions that others cover, see `NamedLabels`.
    """
    if labels.shape != grid.shape:
        raise GeometryMismatch(
            f"The labels have the shape {labels.shape}, the image {grid.shape}.",
            "Choose labels that were made on this image, or resample them to it.",
        )
    regions = NamedLabels(labels, grid, {}, covered=covered)
    masks = {value: regions.mask_of(value) for value in sorted(regions.present)}
    masks = {value: mask for value, mask in masks.items() if mask.voxels}
    if not covered:
        return masks
    return dict(sorted(masks.items(), key=lambda item: -item[1].voxels))


def take_masks(
    state: LedgerState,
    grid: Grid,
    prompt_id: int,
    masks: Mapping[int, Mask],
    names: Mapping[int, str] | None,
    tracking_uids: Mapping[int, str] | None,
) -> tuple[tuple[int, ...], tuple[Event, ...]]:
    """Existing masks as locked objects; the new ids and the events."""
    names, tracking_uids = names or {}, tracking_uids or {}
    named = [
        (names.get(label, f"Label {label}"), tracking_uids.get(label, ""), mask)
        for label, mask in masks.items()
    ]
    return _objects(state, grid, prompt_id, named, locked=True)


def require_unlocked(state: LedgerState, object_id: int) -> None:
    """Raise `ObjectLocked` if the object is locked."""
    info = _existing(state, object_id)
    if info.locked:
        raise ObjectLocked(f"{info.name} is locked.", "Unlock it in the object list to change it.")


def _existing(state: LedgerState, object_id: int) -> ObjectInfo:
    if object_id not in state.objects:
        raise InvalidPrompt(f"There is no object {object_id}.", "It may have been undone: redo it.")
    return state.objects[object_id].info


def _added(object_id: int, prompt_id: int, prompt: Prompt, origin: str = "") -> PromptAdded:
    return PromptAdded(object_id=object_id, prompt_id=prompt_id, prompt=prompt, origin=origin)


def _objects(
    state: LedgerState,
    grid: Grid,
    prompt_id: int,
    masks: Iterable[tuple[str, str, Mask]],
    locked: bool,
) -> tuple[tuple[int, ...], tuple[Event, ...]]:
    """New objects from names, tracking UIDs and masks; their ids and the events."""
    object_ids: list[int] = []
    events: list[Event] = []
    for number, (name, uid, mask) in enumerate(masks):
        first, added = add_object(state, name, locked)
        object_id = first + number
        own = {"id": object_id, "color": color_of(object_id), "tracking_uid": uid}
        info = added.object.model_copy(update=own)
        object_ids.append(object_id)
        events.append(ObjectAdded(object=info))
        events.append(_added(object_id, prompt_id + number, InitialMask.of(grid, mask)))
    return tuple(object_ids), tuple(events)


def _pieces(mask: Mask) -> list[Mask]:
    """The connected pieces, largest first; specks stay with the largest."""
    from scipy import ndimage

    pieces, count = ndimage.label(mask.crop)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)[1:]
    large = [i + 1 for i in np.argsort(-sizes, kind="stable") if sizes[i] >= SPECK * sizes.sum()]
    rest = mask.crop & ~np.isin(pieces, large[1:])
    crops = [rest, *(pieces == i for i in large[1:])]
    return [Mask(crop, mask.start, mask.shape) for crop in crops]
