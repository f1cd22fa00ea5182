"""A follow-up of a known patient: the MNI152 brain moved, deformed, brightened and with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nilearn import datasets
from scipy import ndimage
from scipy.spatial.transform import Rotation

from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.geometry.grid import FloatArray, apply_affine
from napari_medvlm.data.volume import Modality, Volume

SHIFT_MM = (6.0, -7.0, 6.0)
DEGREES = 8.0
GAMMA, NOISE = 0.8, 0.02


@dataclass(frozen=True, eq=False)
class PlantedFollowup:
    """Two volumes of one brain, and the true position of points of the current one in the prior.

    Parameters
    ----------
    current_mm, prior_mm
        The same points in both, ``(n, 3)`` in ``(S, P, L)`` mm.
    matrix
        4 x 4 from current to prior mm of the rigid part.
    """

    current: Volume
    prior: Volume
    current_mm: FloatArray
    prior_mm: FloatArray
    matrix: FloatArray


def planted_followup(
    deform_mm: float = 0.0,
    shift_mm: tuple[float, float, float] = SHIFT_MM,
    degrees: float = DEGREES,
    seed: int = 0,
) -> PlantedFollowup:
    """The MNI152 brain at 2 mm as the prior, and a follow-up with a known transform.

    Parameters
    ----------
    deform_mm
        Largest displacement of a smooth deformation, mm; 0: none.
    shift_mm, degrees
        Of the rigid part: ``(S, P, L)`` and about an oblique axis through the centre.
    """
    rng = np.random.default_rng(seed)
    image = datasets.load_mni152_template(resolution=2)
    data, affine = image.get_fdata(dtype=np.float32).T, affine_from_ras(image.affine)
    prior = Volume(data, affine, Modality.MR, "prior")
    matrix = rigid(shift_mm, degrees, prior.grid.to_world((np.array(data.shape) - 1) / 2))
    index = np.moveaxis(np.indices(data.shape), 0, -1).astype(float)
    mm = prior.grid.to_world(index)
    displacement = _smooth(data.shape, deform_mm, rng)
    source_mm = apply_affine(matrix, mm + np.moveaxis(displacement, 0, -1))
    source = np.moveaxis(prior.grid.to_index(source_mm), -1, 0)
    moved = np.clip(ndimage.map_coordinates(data, source, order=1) / data.max(), 0, 1) ** GAMMA
    noisy = moved + rng.normal(0, NOISE, moved.shape)
    current = Volume((1000 * noisy).astype(np.float32), affine, Modality.MR, "current")
    inside = np.argwhere(ndimage.binary_erosion(moved > 0.3, iterations=2))
    chosen = inside[rng.choice(len(inside), 400, replace=False)]
    at = tuple(chosen.T)
    return PlantedFollowup(current, prior, mm[at], source_mm[at], matrix)


def rigid(shift_mm: tuple[float, float, float], degrees: float, about: FloatArray) -> FloatArray:
    """A turn about an oblique axis through a point, then a shift, 4 x 4."""
    axis = np.array([0.6, 0.64, 0.48])
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
    matrix[:3, 3] = about - matrix[:3, :3] @ about + shift_mm
    return matrix


def _smooth(shape: tuple[int, ...], largest_mm: float, rng: np.random.Generator) -> FloatArray:
    """A smooth displacement ``(3, z, y, x)`` in mm with a given largest length."""
    if largest_mm == 0:
        return np.zeros((3, *shape))
    field = np.stack([ndimage.gaussian_filter(rng.normal(size=shape), 10) for _ in range(3)])
    field *= largest_mm / np.linalg.norm(field, axis=0).max()
    return field
