"""The base of prompts, and their positions in patient millimetres and in voxels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid, Index, apply_affine, round_index
from napari_medvlm.data.interface.prompt_arguments import (
    how_to_make,
)
from napari_medvlm.data.volume import Volume

Vector = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
IndexArray = NDArray[np.int64]
FAR = 4
"""How many times the size of an image an outline may reach beyond it: its voxels are listed."""


class BasePrompt(BaseModel):
    """What all prompts share; immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: ClassVar[str]
    """The name of this kind of prompt in messages."""

    if not TYPE_CHECKING:

        def __init__(self, *args: object, **values: object) -> None:
            if args:
                raise InvalidPrompt(
                    f"{type(self).__name__} takes no position without a volume.",
                    how_to_make(type(self)),
                )
            super().__init__(**values)

    positive: bool = True
    """Whether it says *this belongs to the object*, or *this does not*."""


def require_near(points: NDArray[np.float64], grid: Grid, label: str) -> None:
    """Raise `InvalidPrompt` if points ``(N, 3)`` in mm lie `FAR` image sizes from the image."""
    zyx = grid.to_index(points)
    size = np.array(grid.shape)
    if len(points) and not ((zyx >= -FAR * size - 1) & (zyx <= (1 + FAR) * size + 1)).all():
        raise InvalidPrompt(
            f"The {label} reaches far outside the image.", "Draw it over the image."
        )


def voxels_in(grid: Grid, zyx: NDArray[np.float64]) -> IndexArray:
    """The voxels ``(N, 3)`` of a grid that indices ``(N, 3)`` lie in, without repeats."""
    index = round_index(np.round(zyx, 3))
    return np.unique(index[grid.contains(index)], axis=0)


def vector_of(values: ArrayLike) -> Vector:
    """A position ``(S, P, L)`` in mm; `InvalidPrompt` if it is not finite."""
    s, p, left = (float(v) for v in np.round(np.asarray(values, np.float64), 6))
    if not np.isfinite((s, p, left)).all():
        raise InvalidPrompt(
            f"The place {text_of((s, p, left))} of a prompt is not finite.",
            "Place it in the image.",
        )
    return s, p, left


def vectors_of(volume: Volume | Grid, zyx: ArrayLike) -> tuple[Vector, ...]:
    """Positions in patient mm of voxel indices ``(N, 3)``; `InvalidPrompt` as of `vector_of`."""
    grid = volume.grid if isinstance(volume, Volume) else volume
    points = apply_affine(grid.affine, np.reshape(np.asarray(zyx, np.float64), (-1, 3)))
    return tuple(map(vector_of, points))


def text_of(zyx: ArrayLike | Iterable[float] | Sequence[float] | Index) -> str:
    """Coordinates for people: ``(1, 2.5, 3)``."""
    return "(" + ", ".join(f"{v:.6g}" for v in np.asarray(zyx, float)) + ")"
