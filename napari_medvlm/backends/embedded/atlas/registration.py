"""From the MNI152 template to a patient's head: an affine registration by mutual information.

Mattes et al. (2003), https://doi.org/10.1109/TMI.2003.809072, as SimpleITK has it; started from
several turns and shifts, since heads are scanned tilted and with more or less of the neck.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.registration.transforms import matrix_of, set_matrix
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.geometry.grid import FloatArray, Grid, world_bounds
from napari_medvlm.data.volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

SCOUT_MM, FINE_MM = 8.0, 4.0
"""Voxel sizes at which starts are tried, and at which the best is refined."""
TURNS = (-0.35, 0.0, 0.35)
"""Nods and turns of the head that are tried, in radians."""
SMALLEST_MM = 64.0
"""An image that is smaller than this along an axis is not laid over the template."""
LARGEST_MM = 2500.0
"""One that is larger shows no patient."""
SHIFTS_MM = (0.0, 25.0, 50.0)
"""How far above the image's centre of mass the brain's is looked for: necks and shoulders."""
MAX_STARTS = 3
"""How many starts are followed."""
BINS = 32


@dataclass(frozen=True, eq=False)
class Registration:
    """Position of the template in the patient.

    Parameters
    ----------
    matrix
        4 x 4 from the template's ``(S, P, L)`` millimetres to the patient's.
    similarity
        Normalized mutual information of the two images inside the brain (Studholme et al. 1999):
        1 for images that have nothing in common, 2 for the same image.
    """

    matrix: FloatArray
    similarity: float


@dataclass(frozen=True, eq=False)
class _Gray:
    """An image on an upright grid of cubes."""

    data: NDArray[np.float32]
    grid: Grid

    def image(self) -> sitk.Image:
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(self.data)
        image.SetSpacing(self.grid.spacing[::-1])
        image.SetOrigin([float(v) for v in self.grid.affine[:3, 3][::-1]])
        return image


def register(volume: Volume, progress: Progress) -> Registration:
    """Lay the template into a patient's image; a few seconds.

    Nothing is known yet of whether the image shows a head: see ``similarity``, which is 1 for
    images that are too small or too large to show one.
    """
    ends = world_bounds(volume.grid, (0, 0, 0), volume.shape)
    size_mm = ends[1] - ends[0]
    if size_mm.min() < SMALLEST_MM or size_mm.max() > LARGEST_MM:
        return Registration(np.eye(4), 1.0)
    progress(0.0, "locating the head")
    starts = _best_starts(_template(SCOUT_MM), _at(volume, SCOUT_MM))
    fixed, moving = _template(FINE_MM), _at(volume, FINE_MM)
    candidates = []
    for k, start in enumerate(starts):
        progress(0.2 + 0.5 * k / len(starts), "aligning the template")
        rough = _optimized(_template(SCOUT_MM), _at(volume, SCOUT_MM), start, 60)
        candidates.append((_similarity(fixed, moving, rough), rough))
    best = max(candidates, key=lambda pair: pair[0])[1]
    progress(0.7, "scaling the template")
    matrix = _optimized(fixed, moving, best, 120)
    return Registration(matrix, _similarity(fixed, moving, matrix))


def _best_starts(fixed: _Fixed, moving: _Gray) -> list[FloatArray]:
    """The starts at which the images have most in common."""
    tried = []
    center = _center_of_mass(moving)
    for nod, turn, shift in itertools.product(TURNS, TURNS, SHIFTS_MM):
        matrix = _turned(nod, turn, fixed.center_mm, center + np.array([shift, 0.0, 0.0]))
        tried.append((_similarity(fixed, moving, matrix), matrix))
    tried.sort(key=lambda pair: -pair[0])
    return [matrix for _, matrix in tried[:MAX_STARTS]]


def _turned(nod: float, turn: float, around: FloatArray, to: FloatArray) -> FloatArray:
    """A turn about the left-right axis and one about the vertical, then a shift."""
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zx", [nod, turn]).as_matrix()
    matrix[:3, 3] = to - matrix[:3, :3] @ around
    return matrix


def _optimized(fixed: _Fixed, moving: _Gray, start: FloatArray, rounds: int) -> FloatArray:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricFixedMask(fixed.mask)
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=2.0, minStep=0.01, numberOfIterations=rounds, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetNumberOfThreads(1)  # sums in one order: the same image gives the same matrix
    transform = sitk.AffineTransform(3)
    set_matrix(transform, start, fixed.center_mm)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed.gray.image(), moving.image())
    except RuntimeError:  # the images have left each other: this start leads nowhere
        return start
    return matrix_of(transform)


def _similarity(fixed: _Fixed, moving: _Gray, matrix: FloatArray) -> float:
    """Normalized mutual information inside the template's mask."""
    from scipy import ndimage

    zyx = moving.grid.to_index(fixed.inside_mm @ matrix[:3, :3].T + matrix[:3, 3])
    seen = ndimage.map_coordinates(moving.data, zyx.T, order=1, mode="constant", cval=0.0)
    joint, _, _ = np.histogram2d(fixed.inside, seen, bins=BINS)
    shares = joint / joint.sum()
    joint_entropy = _entropy(shares.ravel())
    return (
        float((_entropy(shares.sum(0)) + _entropy(shares.sum(1))) / joint_entropy)
        if joint_entropy > 0
        else 1.0
    )


def _entropy(shares: FloatArray) -> float:
    used = shares[shares > 0]
    return float(-(used * np.log(used)).sum())


def _center_of_mass(moving: _Gray) -> FloatArray:
    """Extent of the foreground, ``(S, P, L)`` mm."""
    bright = moving.data > 0.25
    zyx = np.argwhere(bright if bright.any() else np.ones_like(bright))
    center: FloatArray = moving.grid.to_world(zyx.mean(axis=0))
    return center


def _at(volume: Volume, size_mm: float) -> _Gray:
    """A volume on an upright grid of cubes, its intensities from 0 to 1."""
    from scipy import ndimage

    data = volume.intensity().astype(np.float32)
    low, high = np.percentile(data[::2, ::2, ::2], [1, 99.5])
    data = np.clip((data - low) / max(float(high - low), 1e-9), 0, 1)
    sigma = [0.4 * max(size_mm / s - 1, 0) for s in volume.spacing]
    smooth = ndimage.gaussian_filter(data, sigma, mode="nearest", truncate=3)
    ends = world_bounds(volume.grid, (0, 0, 0), volume.shape)
    z, y, x = np.maximum(np.ceil((ends[1] - ends[0]) / size_mm), 1).astype(int)
    affine = np.diag([size_mm, size_mm, size_mm, 1.0])
    affine[:3, 3] = ends[0] + size_mm / 2
    grid = Grid((int(z), int(y), int(x)), affine)
    return _Gray(Reslice(smooth, volume.grid, grid, order=1)[:, :, :], grid)


@dataclass(frozen=True, eq=False)
class _Fixed:
    """The template at one size of voxels, and what of it is compared."""

    gray: _Gray
    mask: sitk.Image
    inside: NDArray[np.float32]
    inside_mm: FloatArray
    center_mm: FloatArray


@cache
def _template(size_mm: float) -> _Fixed:
    """The template that nilearn ships; compared inside the brain and a little around it."""
    import SimpleITK as sitk
    from nilearn import datasets
    from scipy import ndimage

    image = datasets.load_mni152_template(resolution=2)
    brain = datasets.load_mni152_brain_mask(resolution=2)
    affine = affine_from_ras(image.affine)
    gray = _at(Volume(image.get_fdata(dtype=np.float32).T, affine), size_mm)
    around = ndimage.binary_dilation(brain.get_fdata().T > 0, iterations=2)
    share = _at(Volume(around.astype(np.float32), affine), size_mm)
    inside = share.data > 0.5
    mask = _Gray(inside.astype(np.float32), gray.grid).image()
    spl_mm = gray.grid.to_world(np.argwhere(inside))
    return _Fixed(
        gray, sitk.Cast(mask, sitk.sitkUInt8), gray.data[inside], spl_mm, spl_mm.mean(axis=0)
    )
