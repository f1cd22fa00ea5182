"""Synthetic volumes with a known truth, noise and a bias field; everything follows from a seed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_medvlm.data.volume import Volume

Axes = tuple[np.ndarray, np.ndarray, np.ndarray]


def ellipsoids(seed: int = 0) -> tuple[Volume, np.ndarray]:
    """A cluster of touching organs of low contrast: the middle one is the truth."""
    rng = np.random.default_rng(seed)
    spacing, shape = (1.5, 1.0, 1.0), (64, 112, 112)
    axes = _axes(shape, spacing)
    image = np.where(_ellipsoid(axes, (0, 0, 0), (44, 50, 50)), 100.0, 20.0)
    truth = np.zeros(shape, bool)
    for k, level in enumerate((135, 118, 135, 82, 118, 70)):
        angle = 2 * np.pi * k / 5
        at = (0, 0, 0) if k == 0 else (rng.uniform(-12, 12), 27 * np.sin(angle), 27 * np.cos(angle))
        organ = _ellipsoid(axes, at, rng.uniform(12, 18, 3))
        image[organ & ~truth] = level
        truth |= organ if k == 0 else False
    return scanned(image, spacing, rng, blur=0.8, noise=12, bias=0.25), truth


def vessels(seed: int = 0) -> tuple[Volume, np.ndarray]:
    """A branching tree of thinning tubes in noisy tissue."""
    rng = np.random.default_rng(seed)
    spacing, shape = (1.0, 1.0, 1.0), (96, 96, 96)
    radius_at = np.zeros(shape)
    _branch(radius_at, np.array([4.0, 48, 48]), np.array([1.0, 0, 0]), 5.0, 5, rng)
    centres = np.argwhere(radius_at > 0)
    truth = np.zeros(shape, bool)
    grid = np.stack(np.indices(shape), -1)
    for centre in centres:
        r = radius_at[tuple(centre)]
        box = tuple(slice(max(int(c - r), 0), int(c + r) + 2) for c in centre)
        truth[box] |= ((grid[box] - centre) ** 2).sum(-1) <= r * r
    image = np.where(truth, 170.0, 100.0)
    return scanned(image, spacing, rng, blur=0.7, noise=18, bias=0.3), truth


def lesion(seed: int = 0) -> tuple[Volume, np.ndarray]:
    """A lobed lesion in a textured organ, in thick slices."""
    rng = np.random.default_rng(seed)
    spacing, shape = (3.0, 0.8, 0.8), (32, 120, 120)
    axes = _axes(shape, spacing)
    wobble = _texture(rng, shape, spacing, 7.0)
    distance = np.sqrt((axes[0] / 15) ** 2 + ((axes[1] - 8) / 18) ** 2 + ((axes[2] + 6) / 14) ** 2)
    truth = distance + 0.12 * wobble < 1
    organ = _ellipsoid(axes, (0, 0, 0), (44, 44, 42))
    image = np.where(organ, 100 + 9 * _texture(rng, shape, spacing, 3.0), 30.0)
    image[truth] = 62 + 6 * _texture(rng, shape, spacing, 2.0)[truth]
    return scanned(image, spacing, rng, blur=0.5, noise=8, bias=0.25), truth


def _axes(shape: tuple[int, ...], spacing: tuple[float, ...]) -> Axes:
    z, y, x = ((np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True))
    return np.ix_(z, y, x)


def _ellipsoid(axes: Axes, at: tuple[float, ...], radii: tuple[float, ...]) -> np.ndarray:
    parts = zip(axes, at, radii, strict=True)
    return sum(((a - c) / r) ** 2 for a, c, r in parts) <= 1


def _branch(
    radius_at: np.ndarray,
    at: np.ndarray,
    towards: np.ndarray,
    radius: float,
    generations: int,
    rng: np.random.Generator,
) -> None:
    for _ in range(int(24 - 2 * (5 - radius))):
        at = at + towards
        if (at < 4).any() or (at >= np.array(radius_at.shape) - 4).any():
            return
        voxel = tuple(np.round(at).astype(int))
        radius_at[voxel] = max(radius_at[voxel], radius)
        towards = towards + rng.normal(0, 0.06, 3)
        towards /= np.linalg.norm(towards)
    if generations == 1:
        return
    side = np.cross(towards, rng.normal(0, 1, 3))
    side *= rng.uniform(0.6, 0.9) / np.linalg.norm(side)
    for turn in (side, -side):
        child = (towards + turn) / np.linalg.norm(towards + turn)
        _branch(radius_at, at, child, radius * 0.78, generations - 1, rng)


def _texture(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, ...], scale_mm: float
) -> np.ndarray:
    sigma = [scale_mm / s for s in spacing]
    field = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return field / field.std()


def scanned(
    image: np.ndarray,
    spacing: tuple[float, ...],
    rng: np.random.Generator,
    *,
    blur: float,
    noise: float,
    bias: float,
) -> Volume:
    """The image blurred (mm), with a smooth multiplicative field and Gaussian noise."""
    blurred = ndimage.gaussian_filter(image, [blur / s for s in spacing])
    field = np.exp(bias * _texture(rng, image.shape, spacing, 30.0) / 2)
    scanned = blurred * field + rng.normal(0, noise, image.shape)
    return Volume(scanned.astype(np.float32), np.diag([*spacing, 1.0]))
