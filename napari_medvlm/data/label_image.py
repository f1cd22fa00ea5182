"""Words and where they are: what is asked of a grounding backend, and what it gives back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid


@dataclass(frozen=True, eq=False)
class NamedLabels:
    """A label image and what its values are called.

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
        The colour (``#rrggbb``) of those values that a file tells one of.
    notes
        What was left out or changed in reading, a sentence each.
    tracking_uids
        The UID that a DICOM file gives what a value stands for.
    """

    values: NDArray[np.integer]
    grid: Grid
    names: Mapping[int, str]
    title: str = "labels"
    colors: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    tracking_uids: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if np.shape(self.values) != self.grid.shape:
            raise InvalidPrompt(
                f"The labels {self.title} have the shape {np.shape(self.values)}, their grid "
                f"{self.grid.shape}.",
                "Give the values (z, y, x) with the grid that they lie on.",
            )

    @cached_property
    def digest(self) -> str:
        """Hexadecimal BLAKE2 hash of the values, their type and their shape."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.values.dtype.str} {self.values.shape}".encode())
        digest.update(np.ascontiguousarray(self.values).data)
        return digest.hexdigest()
