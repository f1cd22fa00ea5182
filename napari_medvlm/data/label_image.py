"""Label images whose values have names, and regions that overlap there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid, Index
from napari_medvlm.data.mask import Mask

AT_MOST = 5
"""Names in a note; of more regions, only the number is written."""


@dataclass(frozen=True, eq=False)
class NamedLabels:
    """A label image and what its values are called.

    Regions may overlap: `values` has the value of the region that is drawn at a voxel, and
    `covered` the other regions of that voxel. `mask_of` is the region itself.

    Parameters
    ----------
    values
        ``(z, y, x)`` integers; 0 is background.
    grid
        Where they lie.
    names
        The name of each value.
    title
        For people: the layer's or file's name.
    colors
        The colour (``#rrggbb``) of the values for which a file has one.
    notes
        What was left out or changed in reading, a sentence each.
    tracking_uids
        The UID that a DICOM file gives the object of a value.
    covered
        The voxels of a region at which another region is drawn, by the region's value; those of
        them that are 0 in `values` were erased and belong to no region.
    """

    values: NDArray[np.integer]
    grid: Grid
    names: Mapping[int, str]
    title: str = "labels"
    colors: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tracking_uids: Mapping[int, str] = field(default_factory=dict)
    covered: Mapping[int, Mask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.shape(self.values) != self.grid.shape:
            raise InvalidPrompt(
                f"The labels {self.title} have the shape {np.shape(self.values)}, their grid "
                f"{self.grid.shape}.",
                "Give the values (z, y, x) with the grid that they lie on.",
            )

    @cached_property
    def digest(self) -> str:
        """Hexadecimal BLAKE2 hash of the values, their type, their shape and what is covered."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.values.dtype.str} {self.values.shape}".encode())
        digest.update(np.ascontiguousarray(self.values).data)
        for value, mask in sorted(self.covered.items()):
            digest.update(f"{value} {mask.digest}".encode())
        return digest.hexdigest()

    @cached_property
    def present(self) -> frozenset[int]:
        """The values but 0 whose region has voxels, or had before they were erased."""
        return frozenset({*np.unique(self.values).tolist(), *self.covered} - {0})

    def mask_of(self, value: int) -> Mask:
        """All voxels of a region, also those at which another one is drawn."""
        full = np.asarray(self.values == value)
        covered = self.covered.get(value)
        if covered is not None:
            full[covered.slices] |= covered.crop & (self.values[covered.slices] != 0)
        return Mask.of(full)

    def moved(
        self, grid: Grid, move: Callable[[NDArray[np.integer]], NDArray[np.integer]]
    ) -> NamedLabels:
        """The same regions on another grid.

        Parameters
        ----------
        move
            Takes an array ``(z, y, x)`` on the own grid to the other one; 0 outside.
        """
        covered = {
            value: Mask.of(move(mask.full().view(np.uint8))) for value, mask in self.covered.items()
        }
        return replace(self, values=move(self.values), grid=grid, covered=covered)


def flattened(
    sizes: Mapping[int, int], mask_of: Callable[[int], Mask], shape: Index
) -> tuple[NDArray[np.uint16], dict[int, Mask]]:
    """Regions that may overlap as one array, in which the smallest region of a voxel is drawn.

    Of regions of one size, the one of the higher value is drawn.

    Parameters
    ----------
    sizes
        The number of voxels of each region, by its value from 1 to 65535.
    mask_of
        The region of a value, on an array of the shape; called twice for each.
    shape
        ``(z, y, x)``.

    Returns
    -------
    The values ``(z, y, x)`` and the covered voxels, see `NamedLabels`.
    """
    values = np.zeros(shape, np.uint16)
    for value in sorted(sizes, key=lambda value: (-sizes[value], value)):
        mask = mask_of(value)
        values[mask.slices][mask.crop] = value
    covered: dict[int, Mask] = {}
    for value in sorted(sizes):
        mask = mask_of(value)
        hidden = mask.crop & (values[mask.slices] != value)
        if hidden.any():
            covered[value] = Mask.in_box(hidden, mask.start, shape)
    return values, covered


def overlap_notes(named: NamedLabels) -> tuple[str, ...]:
    """The sentence on regions that overlap; none if no regions do."""
    drawn = {
        int(value)
        for mask in named.covered.values()
        for value in np.unique(named.values[mask.slices][mask.crop])
    }
    values = sorted({*named.covered, *drawn} - {0})
    if not values:
        return ()
    names = [named.names.get(value, f"label {value}") for value in values]
    which = ", ".join(names) if len(names) <= AT_MOST else f"{len(names)} of {len(named.names)}"
    return (
        f"Regions of {named.title} overlap ({which}). Where they do, the smallest is drawn; "
        "each is measured and saved with all its voxels.",
    )
