"""Edits of masks by hand: from painted voxels to events of the ledger, and their result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.ledger.records import Event, MaskEdited, Overlap
from napari_medvlm.ledger.state import LedgerState, LiveEdit
from napari_medvlm.sessions.segment.edits import new_object, require_unlocked

ERASE = 0
"""The label value that removes voxels from all objects."""


def paint(
    state: LedgerState, grid: Grid, painted: Mapping[int, Mask], own_mask: Callable[[int], Mask]
) -> tuple[Event, ...]:
    """The events of a stroke that painted label values over voxels.

    Painted voxels are added to the object of that id, which is a new one if there is none, and
    removed from all others unless a voxel may belong to several objects. Erased voxels are removed
    from all objects. Locked objects keep their voxels.

    Parameters
    ----------
    painted
        The voxels of each label value; 0 erases. No voxel is in two of them.
    own_mask
        The whole mask of an object, whatever others cover of it.

    Raises
    ------
    ObjectLocked
        If a painted object is locked, or all painted voxels belong to locked objects.
    """
    locked = [i for i, live in state.objects.items() if live.info.locked]
    free = {value: _without(voxels, map(own_mask, locked)) for value, voxels in painted.items()}
    for value in painted:
        if value in locked:
            require_unlocked(state, value)
    if not any(voxels.voxels for voxels in free.values()):
        for object_id in locked:
            if any(own_mask(object_id).intersection(v).voxels for v in painted.values()):
                require_unlocked(state, object_id)
    ids = [value for value in free if value != ERASE]
    new = tuple(new_object(i, None) for i in ids if i not in state.objects)
    changes = (
        _change(i, grid, free, state, own_mask) for i in sorted({*ids, *state.objects} - {*locked})
    )
    return (*new, *(change for change in changes if change is not None))


def _change(
    object_id: int,
    grid: Grid,
    painted: Mapping[int, Mask],
    state: LedgerState,
    own_mask: Callable[[int], Mask],
) -> MaskEdited | None:
    """The edit of an object by a stroke; None if it does not change the object."""
    added = painted.get(object_id)
    removed = Mask.empty(grid.shape)
    for value, voxels in painted.items():
        is_shared = value != ERASE and state.overlap is Overlap.BOTH
        if value != object_id and object_id in state.objects and not is_shared:
            removed = removed.union(voxels.intersection(own_mask(object_id)))
    edit = MaskEdited(
        object_id=object_id,
        added=None if added is None or not added.voxels else InitialMask.of(grid, added),
        removed=InitialMask.of(grid, removed) if removed.voxels else None,
    )
    return None if edit.added is None and edit.removed is None else edit


def _without(voxels: Mask, masks: Iterable[Mask]) -> Mask:
    for mask in masks:
        voxels = voxels.without(mask)
    return voxels


def edited(mask: Mask, edits: Iterable[LiveEdit], grid: Grid) -> Mask:
    """A mask after edits by hand, in their order.

    Raises
    ------
    InvalidPrompt
        If the stored voxels of an edit are damaged.
    """
    for edit in edits:
        if edit.event.removed is not None:
            mask = mask.without(edit.event.removed.mask(grid))
        if edit.event.added is not None:
            mask = mask.union(edit.event.added.mask(grid))
    return mask
