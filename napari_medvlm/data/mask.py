"""What backends give back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.field_checks import require_array, require_no_probabilities
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.interface.thumbnail import html_of, png_of

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mask:
    """A region of a volume, cut to its bounding box so that it is cheap to send and to store.

    An unpickled or packed mask unpacks its voxels when `crop` is first read.

    Parameters
    ----------
    crop
        ``(z, y, x)`` bool; the part of the mask inside its box.
    start
        Index ``(z, y, x)`` of the crop's first voxel in the volume.
    shape
        Shape ``(z, y, x)`` of the volume.
    score
        The backend's own confidence from 0 to 1, or `None` if it has none.
    slice_scores
        The backend's confidence for single slices, by axis of the array and index across it; empty
        where it does not work slice by slice.
    notes
        What the user should know of how it was made, in sentences.
    others
        Masks of other objects that the same prompts asked for, by name, on the same grid.
    """

    crop: BoolArray
    start: Index
    shape: Index
    score: float | None = None
    slice_scores: Mapping[tuple[int, int], float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    others: Mapping[str, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise `TypeError` if the voxels are not an array of bool with three axes."""
        require_array(self, "crop", 3, "b", "an array (z, y, x) of bool; Mask.of takes others")

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score={self.score:.3g}"
        return f"Mask(shape={self.shape}, voxels={self.voxels}{score})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The whole mask, as `full`; always a new array."""
        full = self.full()
        return full if dtype is None else full.astype(dtype, copy=False)

    def _repr_png_(self) -> bytes:
        """The slice across the first axis with the most voxels, for notebooks."""
        counts = self.crop.sum(axis=(1, 2))
        plane = np.zeros(self.shape[1:], bool)
        if counts.size:
            plane[self.slices[1:]] = self.crop[int(counts.argmax())]
        return png_of(plane.astype(np.uint8) * 255)

    def _repr_html_(self) -> str:
        """The same slice with shape and number of voxels, for notebooks."""
        rows = {"shape (z, y, x)": self.shape, "voxels": self.voxels, "score": self.score}
        return html_of("Mask", rows | {"notes": " ".join(self.notes)}, self._repr_png_())

    @classmethod
    def of(cls, full: NDArray[Any], score: float | None = None) -> Mask:
        """The mask of an array ``(z, y, x)`` on the volume's grid; what is not zero is inside.

        Raises
        ------
        ValueError
            If the array has not three axes, or has fractions, as probabilities have.
        """
        full = np.asarray(full)
        if full.ndim != 3:
            raise ValueError(f"A mask has three axes (z, y, x), not the shape {full.shape}.")
        require_no_probabilities(full, "The mask")
        full = full.astype(bool, copy=False)
        box = bounding_box(full)
        z, y, x = full.shape
        start = (box[0].start, box[1].start, box[2].start)
        return cls(full[box].copy(), start, (z, y, x), score)

    @classmethod
    def in_box(cls, voxels: BoolArray, start: Index, shape: Index) -> Mask:
        """The mask of the voxels ``(z, y, x)`` of a box that begins at the index `start`."""
        cut = cls.of(voxels)
        if not cut.crop.size:
            return cls.empty(shape)
        z, y, x = (a + b for a, b in zip(cut.start, start, strict=True))
        return replace(cut, start=(z, y, x), shape=shape)

    @classmethod
    def empty(cls, shape: Index) -> Mask:
        """A mask with nothing inside."""
        return cls(np.zeros((0, 0, 0), bool), (0, 0, 0), shape)

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """The box of the crop in the volume."""
        z, y, x = (slice(a, a + n) for a, n in zip(self.start, self.crop_shape, strict=True))
        return z, y, x

    @property
    def stop(self) -> Index:
        """Index ``(z, y, x)`` just past the crop."""
        z, y, x = (a + n for a, n in zip(self.start, self.crop_shape, strict=True))
        return z, y, x

    @cached_property
    def crop_shape(self) -> Index:
        """Shape ``(z, y, x)`` of the crop."""
        z, y, x = self.crop.shape
        return z, y, x

    @cached_property
    def voxels(self) -> int:
        """How many voxels are inside."""
        return int(np.count_nonzero(self.crop))

    @property
    def lowest_slice_score(self) -> tuple[tuple[int, int], float] | None:
        """The slice, by axis of the array and index, that is least certain, and its score."""
        if not self.slice_scores:
            return None
        return min(self.slice_scores.items(), key=lambda scored: scored[1])

    def full(self) -> BoolArray:
        """``(z, y, x)`` bool on the whole volume, a new array."""
        result = np.zeros(self.shape, bool)
        result[self.slices] = self.crop
        return result

    def without(self, other: Mask) -> Mask:
        """What is inside this mask and not inside the other."""
        return self._with(self.crop & ~other.within(self.slices), self.start)

    def union(self, other: Mask) -> Mask:
        """What is inside this mask or the other."""
        filled = [mask for mask in (self, other) if 0 not in mask.crop_shape]
        if not filled:
            return self
        low = np.min([mask.start for mask in filled], axis=0)
        high = np.max([mask.stop for mask in filled], axis=0)
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        box = z, y, x
        return self._with(self.within(box) | other.within(box), (z.start, y.start, x.start))

    def intersection(self, other: Mask) -> Mask:
        """What is inside this mask and inside the other."""
        return self._with(self.crop & other.within(self.slices), self.start)

    def within(self, box: tuple[slice, slice, slice]) -> BoolArray:
        """The voxels ``(z, y, x)`` of a box of the volume, a new array."""
        voxels = np.zeros([part.stop - part.start for part in box], bool)
        low = [max(part.start, a) for part, a in zip(box, self.start, strict=True)]
        high = [min(part.stop, b) for part, b in zip(box, self.stop, strict=True)]
        if all(a < b for a, b in zip(low, high, strict=True)):
            inside, own = (
                tuple(slice(a - o, b - o) for a, b, o in zip(low, high, origin, strict=True))
                for origin in ([part.start for part in box], self.start)
            )
            voxels[inside] = self.crop[own]
        return voxels

    def _with(self, voxels: BoolArray, start: Index) -> Mask:
        """The voxels of a box with the score and the notes of this mask."""
        cut = Mask.in_box(voxels, start, self.shape)
        return replace(cut, score=self.score, slice_scores=self.slice_scores, notes=self.notes)

    @property
    def digest(self) -> str:
        """Hexadecimal BLAKE2 hash of what is inside: equal for equal masks."""
        geometry = repr((self.start, self.crop_shape, self.shape)).encode()
        digest = hashlib.blake2b(geometry, digest_size=16)
        digest.update(self.packed.tobytes())
        return digest.hexdigest()

    @cached_property
    def packed(self) -> NDArray[np.uint8]:
        """``(N,)``: the crop's voxels one after the other, eight a byte."""
        return np.packbits(self.crop)

    def packed_copy(self) -> Self:
        """The same mask without `others`, its voxels packed until they are read."""
        copy = object.__new__(type(self))
        copy.__setstate__(self.__getstate__() | {"others": {}})
        return copy

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the voxels packed, which takes less time than sending them."""
        derived = {"packed": self.packed, "crop_shape": self.crop_shape, "voxels": self.voxels}
        fields = {name: value for name, value in self.__dict__.items() if name != "crop"}
        return fields | derived

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    if not TYPE_CHECKING:  # else every name would pass for an attribute

        def __getattr__(self, name: str) -> Any:
            """Unpack `crop`, the only attribute that may be missing."""
            if name != "crop" or "packed" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            crop = self.__dict__["crop"] = unpacked(self.packed, self.crop_shape)
            return crop


def unpacked(packed: NDArray[np.uint8], shape: Index) -> BoolArray:
    """The voxels ``(z, y, x)`` that were packed eight a byte."""
    count = shape[0] * shape[1] * shape[2]
    return np.unpackbits(packed, count=count).view(np.bool_).reshape(shape)


def bounding_box(full: BoolArray) -> tuple[slice, slice, slice]:
    """The smallest half-open box ``(z, y, x)`` around what is inside; of no size if nothing is."""
    in_plane: BoolArray = np.any(full, axis=0)
    z, y, x = (
        slice(int(inside[0]), int(inside[-1]) + 1) if inside.size else slice(0, 0)
        for inside in map(
            np.flatnonzero, (full.any(axis=(1, 2)), in_plane.any(axis=1), in_plane.any(axis=0))
        )
    )
    return z, y, x
