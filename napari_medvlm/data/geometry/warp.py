"""A prior on the grid of the current volume, through a pairing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.volume import Volume


def prior_on_current(
    pairing: Pairing, grid: Grid, prior: Volume, order: int = 1
) -> NDArray[np.float32]:
    """Intensities of a prior at the voxels of a grid of the current volume.

    Parameters
    ----------
    grid
        On the current volume.
    order
        Interpolation: 0 nearest, 1 linear.

    Returns
    -------
    ndarray, shape of the grid
        Outside the prior its minimum.
    """
    from scipy.ndimage import map_coordinates

    data: NDArray[Any] = prior.intensity().astype(np.float32)
    result = np.empty(grid.shape, np.float32)
    plane = np.moveaxis(np.indices(grid.shape[1:]), 0, -1).astype(np.float64)
    for k in range(grid.shape[0]):
        index = np.concatenate([np.full((*plane.shape[:2], 1), float(k)), plane], axis=-1)
        points = prior.grid.to_index(pairing.to_prior(grid.to_world(index)))
        result[k] = map_coordinates(
            data, np.moveaxis(points, -1, 0), order=order, cval=float(data.min())
        )
    return result
