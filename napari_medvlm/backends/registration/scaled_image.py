"""An image at a coarser voxel size, for the levels of a registration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.frames import lps_from_affine
from napari_medvlm.data.geometry.grid import FloatArray, Grid
from napari_medvlm.data.volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

PERCENTILES = (0.5, 99.8)
"""Intensities outside these percentiles are clipped."""
COARSEST_MM, COARSE_VOXELS = 8.0, 12
"""Voxel size of the coarsest level, and the voxels that it has at least along a mean edge."""


@dataclass(frozen=True, eq=False)
class ScaledImage:
    """Intensities between 0 and 1 on a grid in the patient.

    Parameters
    ----------
    data : ndarray, shape (z, y, x)
        Intensities, 0 to 1.
    grid : Grid
        Position of the voxels in the patient; may be oblique.
    """

    data: NDArray[np.float32]
    grid: Grid

    def image(self) -> sitk.Image:
        """The image in SimpleITK's frame, with direction, spacing and origin."""
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(self.data)
        direction, spacing, origin = lps_from_affine(self.grid.affine)
        image.SetDirection(direction)
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        return image

    @cached_property
    def body(self) -> NDArray[np.bool_]:
        """The largest region above Otsu's threshold, with its holes filled."""
        from scipy import ndimage
        from skimage.filters import threshold_otsu

        if self.data.min() == self.data.max():
            return np.ones(self.data.shape, bool)
        labels, count = ndimage.label(self.data > threshold_otsu(self.data.ravel()) / 2)
        if count == 0:
            return np.ones(self.data.shape, bool)
        largest = int(np.bincount(labels.ravel())[1:].argmax()) + 1
        filled: NDArray[np.bool_] = ndimage.binary_fill_holes(labels == largest)
        return filled

    @property
    def body_center_mm(self) -> FloatArray:
        """Centroid of the body, ``(S, P, L)`` mm."""
        center: FloatArray = self.grid.to_world(np.argwhere(self.body).mean(axis=0))
        return center

    @property
    def center_mm(self) -> FloatArray:
        """Centre of the grid, ``(S, P, L)`` mm."""
        return self.grid.to_world((np.array(self.grid.shape) - 1) / 2)


def scaled(volume: Volume, size_mm: float) -> ScaledImage:
    """A volume with voxels of about a size: means of blocks of voxels, clipped and scaled to 0..1.

    Parameters
    ----------
    size_mm
        Largest edge of a block, in mm. Axes whose voxels are larger keep them.
    """
    factors = [max(1, int(size_mm / s + 1e-6)) for s in volume.spacing]
    factors = [min(f, n) for f, n in zip(factors, volume.shape, strict=True)]
    data = _block_means(volume.intensity(), factors)
    low, high = np.percentile(data[:: max(1, data.shape[0] // 128)], PERCENTILES)
    data = np.clip((data - low) / max(float(high - low), 1e-9), 0, 1).astype(np.float32)
    affine = volume.affine @ np.diag([*map(float, factors), 1.0])
    affine[:3, 3] = volume.grid.to_world((np.array(factors) - 1) / 2)
    z, y, x = data.shape
    return ScaledImage(data, Grid((z, y, x), affine))


def coarse_mm(*volumes: Volume) -> float:
    """Voxel size of the coarsest level: `COARSEST_MM`, less for images of a small part."""
    edges = [float(np.prod(v.shape) * np.prod(v.spacing)) ** (1 / 3) for v in volumes]
    return float(min(COARSEST_MM, min(edges) / COARSE_VOXELS))


def _block_means(data: NDArray[Any], factors: list[int]) -> NDArray[np.float32]:
    """Means of blocks; voxels at the end that fill no block are left out."""
    if factors == [1, 1, 1]:
        return data.astype(np.float32)
    z, y, x = (n // f for n, f in zip(data.shape, factors, strict=True))
    fz, fy, fx = factors
    result = np.empty((z, y, x), np.float32)
    for k in range(z):
        slab = data[k * fz : (k + 1) * fz, : y * fy, : x * fx]
        result[k] = slab.reshape(fz, y, fy, x, fx).mean(axis=(0, 2, 4), dtype=np.float32)
    return result
