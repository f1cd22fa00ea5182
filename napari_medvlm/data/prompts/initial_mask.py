"""The initial mask, a prompt: a mask to start from."""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import FiniteFloat

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import Grid, same_grid
from napari_medvlm.data.interface.prompt_arguments import (
    with_volume,
)
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts.base import BasePrompt
from napari_medvlm.data.volume import Volume

LARGEST_GRID = 2**34
"""Most voxels of the grid of a stored mask."""


class InitialMask(BasePrompt):
    """A mask to start from: it replaces all earlier prompts of the object.

    Attributes
    ----------
    grid_shape, affine
        The grid that the mask was made on.
    start, shape
        Where its crop begins in that grid, and the crop's shape; ``(z, y, x)``.
    bits
        The crop's voxels in C order, packed, zlib-compressed, as base64.
    """

    label: ClassVar[str] = "initial mask"
    kind: Literal["initial_mask"] = "initial_mask"
    positive: Literal[True] = True
    grid_shape: tuple[int, int, int]
    affine: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat], ...]
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    bits: str

    @classmethod
    @with_volume
    def of(cls, volume: Volume | Grid, mask: NDArray[Any] | Mask) -> InitialMask:
        """The prompt of a mask ``(z, y, x)`` on a volume's grid."""
        grid = volume.grid if isinstance(volume, Volume) else volume
        cut = mask if isinstance(mask, Mask) else Mask.of(mask)
        if cut.shape != grid.shape:
            raise InvalidPrompt(
                f"The mask has the shape {cut.shape}, the image {grid.shape}.",
                "Resample the mask to the image first.",
            )
        packed = zlib.compress(cut.packed.tobytes())
        return cls(
            grid_shape=grid.shape,
            affine=tuple(map(tuple, grid.affine.tolist())),
            start=cut.start,
            shape=cut.crop_shape,
            bits=base64.b85encode(packed).decode("ascii"),
        )

    def mask(self, grid: Grid) -> Mask:
        """The mask on a grid: itself on its own, the nearest voxels on another.

        Raises
        ------
        InvalidPrompt
            If the stored mask is damaged, or does not lie in its grid.
        """
        crop = self._crop()
        own = Grid(self.grid_shape, np.array(self.affine))
        mask = Mask(crop, self.start, self.grid_shape)
        if same_grid(own, grid):
            return mask
        return Mask.of(np.asarray(Reslice(mask.full().view(np.uint8), own, grid, order=0)))

    def _crop(self) -> NDArray[np.bool_]:
        """The crop; at most the bytes that its shape needs are unpacked."""
        fits = all(
            start >= 0 and size > 0 and start + size <= length
            for start, size, length in zip(self.start, self.shape, self.grid_shape, strict=True)
        )
        empty = 0 in self.shape and min(*self.start, *self.shape) >= 0
        size = math.prod(self.shape)
        if not (fits or empty) or math.prod(self.grid_shape) > LARGEST_GRID:
            raise _damaged_mask(f"its shape {self.shape} does not fit {self.grid_shape}")
        expected = (size + 7) // 8
        try:
            unpacking = zlib.decompressobj()
            packed = unpacking.decompress(base64.b85decode(self.bits), expected + 1)
        except (ValueError, zlib.error) as error:
            raise _damaged_mask("it cannot be unpacked") from error
        if len(packed) != expected:
            raise _damaged_mask(f"it has not the {expected} bytes of its shape")
        crop = np.unpackbits(np.frombuffer(packed, np.uint8), count=size)
        return crop.astype(bool).reshape(self.shape)


def _damaged_mask(reason: str) -> InvalidPrompt:
    return InvalidPrompt(
        f"A stored mask is damaged: {reason}.", "Delete the object, or open an earlier copy."
    )
