"""A cache of masks, eight voxels a byte."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.mask import Mask, unpacked

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
        self._packed: OrderedDict[tuple[int, ...], tuple[NDArray[np.uint8], Mask]] = OrderedDict()
        self._bytes = 0
        self.discards = 0

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._packed

    def __setitem__(self, key: tuple[int, ...], mask: Mask) -> None:
        self.discard(key)
        outline = replace(mask, crop=np.broadcast_to(np.False_, mask.crop.shape))
        self._packed[key] = mask.packed, outline
        self._bytes += mask.packed.nbytes
        while self._bytes > CACHED_BYTES and len(self._packed) > 1:
            self.discard(next(iter(self._packed)))

    def get(self, key: tuple[int, ...]) -> Mask | None:
        """The mask, if it is kept."""
        if key not in self._packed:
            return None
        bits, outline = self._packed[key]
        self._packed.move_to_end(key)
        z, y, x = outline.crop.shape
        return replace(outline, crop=unpacked(bits, (z, y, x)))

    def discard(self, key: tuple[int, ...]) -> None:
        """Forget a mask, if it is there."""
        if key in self._packed:
            self._bytes -= self._packed.pop(key)[0].nbytes
            self.discards += 1

    def discard_object(self, object_id: int) -> None:
        """Forget all masks of an object."""
        for key in [key for key in self._packed if key[0] == object_id]:
            self.discard(key)
