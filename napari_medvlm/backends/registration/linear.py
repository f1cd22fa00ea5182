"""Rigid and affine registration by mutual information, from coarse to fine voxels.

Mattes et al. (2003), https://doi.org/10.1109/TMI.2003.809072, as SimpleITK has it. Starts: the
identity, the centres of the bodies and of the images, slides along the body, each also turned.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.registration.scaled_image import ScaledImage, coarse_mm, scaled
from napari_medvlm.backends.registration.similarity import BINS, Samples, linear
from napari_medvlm.backends.registration.transforms import matrix_of, set_matrix, turn_about
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.volume import Volume

FINER = (2, 4)
"""The best start is refined with voxels that are this much smaller than the coarsest."""
SLIDE_MM = 40.0
"""Step along S at which another field of view is looked for."""
TURN = 0.2
"""Angle of the starts that are turned, in radians."""
MAX_STARTS = 3
"""Number of starts that are followed at the coarse level."""
ITERATIONS = {1: 60, 2: 60, 4: 40}
"""By how much smaller the voxels are than the coarsest."""
SAMPLED_VOXELS = 250_000
"""Number of voxels that are compared in each iteration, at most."""
SEED = 1


def align(current: Volume, prior: Volume, affine: bool, progress: Progress) -> FloatArray:
    """The transform from the current to the prior volume, 4 x 4 in ``(S, P, L)`` mm.

    Parameters
    ----------
    affine
        Scale and shear as well as rotate and shift.
    """
    coarsest_mm = coarse_mm(current, prior)
    matrix = _best_coarse(scaled(current, coarsest_mm), scaled(prior, coarsest_mm), progress)
    for k, finer in enumerate(FINER):
        size_mm = coarsest_mm / finer
        progress(0.2 + 0.1 * k, f"Aligning at {size_mm:.1f} mm")
        fixed, moving = scaled(current, size_mm), scaled(prior, size_mm)
        matrix = optimized(fixed, moving, matrix, False, ITERATIONS[finer])
    if affine:
        progress(0.5, "Scaling")
        matrix = optimized(fixed, moving, matrix, True, ITERATIONS[1])
    return matrix


def _best_coarse(fixed: ScaledImage, moving: ScaledImage, progress: Progress) -> FloatArray:
    """The best of the starts, refined at the coarse level."""
    samples = Samples(fixed, moving)
    candidates = []
    starts = _starts(samples, progress)
    for k, start in enumerate(starts):
        progress(0.1 + 0.1 * k / len(starts), "Aligning coarsely")
        matrix = optimized(fixed, moving, start, False, ITERATIONS[1])
        candidates.append((samples.mutual_information(linear(matrix), normalized=True), k, matrix))
    return max(candidates)[2]


def _starts(samples: Samples, progress: Progress) -> list[FloatArray]:
    """The starts at which the images agree best."""
    progress(0.0, "Trying start positions")
    shifts = _shifts(samples.fixed, samples.moving)
    scored = _ranked(samples, [_shift(mm) for mm in shifts])[:MAX_STARTS]
    progress(0.05, "Trying start positions")
    center = samples.fixed.body_center_mm
    turns = [turn_about(center, axis, r) for axis, r in product(range(3), (-TURN, TURN))]
    turned = [start @ turn for start in scored[:1] for turn in turns]
    return _ranked(samples, [*scored, *turned])[:MAX_STARTS]


def _ranked(samples: Samples, matrices: list[FloatArray]) -> list[FloatArray]:
    scores = [samples.mutual_information(linear(matrix), normalized=True) for matrix in matrices]
    return [matrices[k] for k in np.argsort(-np.array(scores), kind="stable")]


def _shifts(fixed: ScaledImage, moving: ScaledImage) -> list[FloatArray]:
    """Shifts to try, ``(S, P, L)`` mm."""
    bodies = moving.body_center_mm - fixed.body_center_mm
    shifts = [np.zeros(3), bodies, moving.center_mm - fixed.center_mm]
    height = [g.shape[0] * g.spacing[0] for g in (fixed.grid, moving.grid)]
    reach = int((max(height) / 2 + min(height) / 4) / SLIDE_MM)
    slides = [k * SLIDE_MM for k in range(-reach, reach + 1) if k]
    return [*shifts, *(bodies + np.array([mm, 0.0, 0.0]) for mm in slides)]


def _shift(mm: FloatArray) -> FloatArray:
    matrix = np.eye(4)
    matrix[:3, 3] = mm
    return matrix


def optimized(
    fixed: ScaledImage,
    moving: ScaledImage,
    start: FloatArray,
    affine: bool,
    iterations: int,
) -> FloatArray:
    """A transform refined at one voxel size; the start itself if the images leave each other."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    share = min(1.0, SAMPLED_VOXELS / fixed.data.size)
    method.SetMetricSamplingStrategy(method.NONE if share == 1.0 else method.RANDOM)
    if share < 1.0:
        method.SetMetricSamplingPercentage(share, SEED)
    method.SetInterpolator(sitk.sitkLinear)
    step_mm = min(fixed.grid.spacing)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=step_mm, minStep=0.01, numberOfIterations=iterations, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetNumberOfThreads(1)  # sums in one order: the same images give the same matrix
    transform = sitk.AffineTransform(3) if affine else sitk.VersorRigid3DTransform()
    set_matrix(transform, start, fixed.body_center_mm)
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed.image(), moving.image())
    except RuntimeError:  # all samples lie outside the moving image
        return start
    return matrix_of(transform)
