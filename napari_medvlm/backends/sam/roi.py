"""A cube of fixed size and spacing that is placed in a volume where prompts are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_medvlm.data.geometry.frames import Reorientation
from napari_medvlm.data.geometry.grid import FloatArray, Grid, Index, round_index

SIDE = 128
SPACING_MM = 1.5
MARGIN = 16
"""A point must lie as many voxels inside the cube; else the cube moves."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The voxels of 1.5 mm along a volume's axes that cubes are cut from.

    Its axes are the volume's in the order superior, anterior, right; its first voxel begins where
    the volume's first one does, and it goes on beyond the volume on all sides.

    Parameters
    ----------
    grid
        The volume's.
    """

    grid: Grid

    @property
    def affine(self) -> FloatArray:
        """From an index of the lattice to patient millimetres."""
        turn = Reorientation.to_ras(self.grid.affine)
        move = np.zeros((4, 4))
        move[3, 3] = 1
        for k, (axis, flip) in enumerate(zip(turn.axes, turn.flips, strict=True)):
            step = SPACING_MM / self.grid.spacing[axis]
            first = 0.5 * step - 0.5
            move[axis, k] = -step if flip else step
            move[axis, 3] = self.grid.shape[axis] - 1 - first if flip else first
        affine: FloatArray = self.grid.affine @ move
        return affine

    def index(self, spl_mm: ArrayLike) -> FloatArray:
        """Patient millimetres ``(n, 3)`` as indices of the lattice."""
        return Grid((1, 1, 1), self.affine).to_index(spl_mm)

    def cube(self, start: Index) -> Grid:
        """The cube whose first voxel has an index."""
        affine = np.array(self.affine)
        affine[:3, 3] += affine[:3, :3] @ np.array(start)
        return Grid((SIDE, SIDE, SIDE), affine)

    def placed(self, seen: FloatArray, newest: FloatArray, before: Index | None) -> Index:
        """First voxel of the cube.

        It stays where it was while the newest points lie well inside. Else its centre is that of
        all that was shown, or, if that is too large for it, of the newest points.

        Parameters
        ----------
        seen, newest
            ``(n, 3)`` indices of the lattice: of all that the object holds, and of the prompts
            last, which is not empty.
        before
            Where it began before.
        """
        if before is not None:
            inside = newest - np.array(before)
            if (inside >= MARGIN).all() and (inside < SIDE - MARGIN).all():
                return before
        low, high = seen.min(axis=0), seen.max(axis=0)
        fits = high - low <= SIDE - 2 * MARGIN
        last = (newest.min(axis=0) + newest.max(axis=0)) / 2
        center = np.where(fits, (low + high) / 2, last)
        z, y, x = (int(k) for k in round_index(center) - SIDE // 2)
        return z, y, x


def covered(cube: Grid, grid: Grid) -> tuple[slice, slice, slice]:
    """The voxels of a grid with axes parallel to the cube's whose centres lie in the cube."""
    ends = grid.to_index(cube.to_world([[-0.5] * 3, [side - 0.5 for side in cube.shape]]))
    low = np.maximum(np.ceil(np.round(ends.min(axis=0), 6)).astype(int), 0)
    high = np.minimum(np.ceil(np.round(ends.max(axis=0), 6)).astype(int), grid.shape)
    z, y, x = (slice(int(a), int(max(a, b))) for a, b in zip(low, high, strict=True))
    return z, y, x


def normalised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean 0 and standard deviation 1 over what is above 0; over all of it if nothing varies there.

    As torchio's ``ZNormalization(masking_method=lambda x: x > 0)``, by which it was trained.
    """
    above = image[image > 0]
    values = above if above.size > 1 and above.std() > 0 else image
    spread = float(values.std(ddof=1, dtype=np.float64))
    mean = float(values.mean(dtype=np.float64))
    result: NDArray[np.float32] = ((image - mean) / (spread or 1.0)).astype(np.float32)
    return result
