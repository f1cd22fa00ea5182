"""A cache of masks, eight voxels a byte."""

from __future__ import annotations

from collections import OrderedDict

from napari_medvlm.data.mask import Mask

Key = tuple[int, int]
"""An object's id and the serial of the entry that last changed its prompts: it names a mask before
edits by hand."""
CACHED_BYTES = 256 * 2**20


class MaskStore:
    """Masks by key, eight voxels a byte; the oldest go when there are too many.

    What is gone is computed again when it is asked for: the ledger is the truth, this a cache.

    Attributes
    ----------
    discards
        How many masks are gone.
    """

    def __init__(self) -> None:
        self._packed: OrderedDict[tuple[int, ...], Mask] = OrderedDict()
        self._bytes = 0
        self.discards = 0

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._packed

    def __setitem__(self, key: tuple[int, ...], mask: Mask) -> None:
        self.discard(key)
        self._packed[key] = mask.packed_copy()
        self._bytes += mask.packed.nbytes
        while self._bytes > CACHED_BYTES and len(self._packed) > 1:
            self.discard(next(iter(self._packed)))

    def get(self, key: tuple[int, ...]) -> Mask | None:
        """The mask, if it is stored; its voxels stay packed until they are read."""
        if key not in self._packed:
            return None
        self._packed.move_to_end(key)
        return self._packed[key].packed_copy()

    def discard(self, key: tuple[int, ...]) -> None:
        """Forget a mask, if it is there."""
        if key in self._packed:
            self._bytes -= self._packed.pop(key).packed.nbytes
            self.discards += 1

    def discard_object(self, object_id: int) -> None:
        """Forget all masks of an object."""
        for key in [key for key in self._packed if key[0] == object_id]:
            self.discard(key)
