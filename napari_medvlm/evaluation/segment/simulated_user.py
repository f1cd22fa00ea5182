"""A simulated user: sees the mask and the truth, and says what a careful person would say next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.grid import FloatArray, Index
from napari_medvlm.data.mask import BoolArray, bounding_box

CHALLENGE_SEED = 42
"""With which the CVPR 2025 challenge draws among voxels that are equally deep."""


class PromptKind(StrEnum):
    """What the user's hand does."""

    POINT = "point"
    BOX = "box"
    SCRIBBLE = "scribble"
    LASSO = "lasso"
    LINE = "line"


@dataclass(frozen=True)
class ClickRule:
    """Which error is the largest, and where its centre is. The defaults are the challenge's.

    The rule of the CVPR 2025 challenge for interactive 3D segmentation (`CVPR25_iter_eval.py`):
    voxels that differ from the truth are one map, whose components touch by faces, edges or
    corners; the centre of the largest is the voxel farthest from what is right, counted in voxels.
    One thing is not taken over: the challenge halves the resolution of an error whose box has more
    than 60 million voxels.

    Parameters
    ----------
    apart
        Whether missed and wrongly taken voxels are components of their own.
    corners
        Whether voxels that touch by an edge or corner only belong together.
    spacing
        Size of a voxel ``(z, y, x)`` in mm, to measure depth in millimetres.
    seed
        To draw among voxels that are equally deep; `None`: the first in order of index.
    """

    apart: bool = False
    corners: bool = True
    spacing: tuple[float, float, float] | None = None
    seed: int | None = CHALLENGE_SEED


CHALLENGE = ClickRule()


@dataclass(frozen=True)
class Click:
    """A voxel ``(z, y, x)`` that belongs to the structure, or not."""

    zyx: Index
    positive: bool


@dataclass(frozen=True, eq=False)
class LargestError:
    """The largest connected error and its centre.

    Parameters
    ----------
    click
        At its centre.
    inside
        ``(z, y, x)`` bool; the voxels of the error, cut to their box, that are wrong in the same
        way as the centre.
    start
        Index ``(z, y, x)`` of the box's first voxel.
    """

    click: Click
    inside: BoolArray
    start: Index


def largest_error(
    truth: BoolArray, mask: BoolArray, rule: ClickRule = CHALLENGE
) -> LargestError | None:
    """The largest connected error of a mask ``(z, y, x)``; `None` if there is none."""
    maps = (truth & ~mask, mask & ~truth) if rule.apart else (truth ^ mask,)
    components = [
        cut for wrong in maps if (cut := _largest_component(wrong, rule.corners)) is not None
    ]
    if not components:
        return None
    inside, start = max(components, key=lambda cut: np.count_nonzero(cut[0]))
    deepest = _deepest(inside, rule.spacing, rule.seed)
    z, y, x = (int(a + b) for a, b in zip(start, deepest, strict=True))
    positive = bool(truth[z, y, x])
    box = tuple(slice(a, a + n) for a, n in zip(start, inside.shape, strict=True))
    return LargestError(Click((z, y, x), positive), inside & (truth[box] == positive), start)


def next_click(truth: BoolArray, mask: BoolArray, rule: ClickRule = CHALLENGE) -> Click | None:
    """A click at the centre of the largest error; `None` if the mask is perfect."""
    error = largest_error(truth, mask, rule)
    return None if error is None else error.click


def jittered(
    error: LargestError,
    spacing: Sequence[float],
    jitter_mm: float,
    rng: np.random.Generator,
) -> Click:
    """The click of an unsteady hand: moved at random, and still within the error.

    Parameters
    ----------
    jitter_mm
        Standard deviation along each axis.
    """
    for _ in range(20):
        step = rng.normal(0, jitter_mm, 3) / spacing
        z, y, x = (round(float(v)) for v in np.array(error.click.zyx) + step)
        at = (z - error.start[0], y - error.start[1], x - error.start[2])
        known = all(0 <= i < n for i, n in zip(at, error.inside.shape, strict=True))
        if known and error.inside[at]:
            return Click((z, y, x), error.click.positive)
    return error.click


def stroke(error: LargestError) -> NDArray[np.int64]:
    """A scribble along the middle of the error, ``(N, 3)`` voxels of one slice."""
    from skimage.morphology import skeletonize

    plane, axis, at = _cross_section(error)
    middle = np.argwhere(skeletonize(np.pad(plane, 1))[1:-1, 1:-1])
    if not len(middle):
        return np.array([error.click.zyx])
    return _in_space(middle.astype(np.float64), error, axis, at).astype(np.int64)


def outline(error: LargestError) -> FloatArray | None:
    """A lasso around the error, ``(N, 3)`` indices on one slice; `None` where it is too small."""
    from skimage.measure import approximate_polygon, find_contours

    plane, axis, at = _cross_section(error)
    contours = find_contours(np.pad(plane, 1).astype(np.float64), 0.5)
    around = approximate_polygon(max(contours, key=len), 0.3)[:-1] - 1
    if len(around) < 3 or np.count_nonzero(plane) < 4:
        return None
    return _in_space(around, error, axis, at)


def diameter(error: LargestError, spacing: Sequence[float]) -> NDArray[np.int64] | None:
    """The longest diameter of the error on one slice, ``(2, 3)`` indices of its ends.

    `None` where it is a single voxel.
    """
    from scipy.ndimage import binary_erosion
    from scipy.spatial.distance import cdist

    plane, axis, at = _cross_section(error)
    edge = np.argwhere(plane & ~binary_erosion(plane))
    if len(edge) < 2:
        return None
    apart = cdist(*[edge * np.delete(spacing, axis)] * 2)
    ends = edge[list(np.unravel_index(int(apart.argmax()), apart.shape))]
    return _in_space(ends.astype(np.float64), error, axis, at).astype(np.int64)


def box_around(
    truth: BoolArray, spacing: Sequence[float], jitter_mm: float, rng: np.random.Generator
) -> tuple[Index, Index]:
    """Half-open index box around a structure, its faces moved at random by ``jitter_mm``."""
    box = bounding_box(truth)
    low, high = np.array([s.start for s in box]), np.array([s.stop for s in box])
    if jitter_mm > 0:
        moves = np.rint(rng.normal(0, jitter_mm, (2, 3)) / spacing).astype(int)
        low, high = low + moves[0], high + moves[1]
    low = np.clip(low, 0, np.array(truth.shape) - 1)
    high = np.clip(high, low + 1, truth.shape)
    z0, y0, x0, z1, y1, x1 = (int(v) for v in (*low, *high))
    return (z0, y0, x0), (z1, y1, x1)


def _largest_component(wrong: BoolArray, corners: bool) -> tuple[BoolArray, Index] | None:
    """The largest component, cut to its box, and where the box begins; the first of equals."""
    from scipy import ndimage

    box = bounding_box(wrong)
    labels, count = ndimage.label(wrong[box], np.ones((3, 3, 3)) if corners else None)
    if not count:
        return None
    largest = int(np.bincount(labels.ravel())[1:].argmax()) + 1
    inner = ndimage.find_objects(labels, largest)[largest - 1]
    z, y, x = (
        int(outer.start + inner_slice.start) for outer, inner_slice in zip(box, inner, strict=True)
    )
    return labels[inner] == largest, (z, y, x)


def _deepest(inside: BoolArray, spacing: Sequence[float] | None, seed: int | None) -> Index:
    """The voxel that is farthest from the outside."""
    from scipy import ndimage

    depth = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=spacing)
    deepest = np.argwhere(depth[1:-1, 1:-1, 1:-1] == depth.max())
    # The challenge seeds numpy's old generator again for each click.
    generator = None if seed is None else np.random.RandomState(seed)
    z, y, x = deepest[0 if generator is None else generator.choice(len(deepest))].tolist()
    return z, y, x


def _cross_section(error: LargestError) -> tuple[BoolArray, int, int]:
    """The piece of the error around its centre on the slice where it is largest, axis, index."""
    from scipy import ndimage

    at = np.array(error.click.zyx) - error.start
    pieces = []
    for axis in range(3):
        plane = np.take(error.inside, at[axis], axis)
        labels, _ = ndimage.label(plane)
        pieces.append(labels == labels[tuple(np.delete(at, axis))])
    axis = max(range(3), key=lambda a: np.count_nonzero(pieces[a]))
    return pieces[axis], axis, int(at[axis])


def _in_space(plane_yx: FloatArray, error: LargestError, axis: int, at: int) -> FloatArray:
    """Places ``(N, 2)`` on a slice of the error's box as indices ``(N, 3)`` of the volume."""
    result: FloatArray = np.insert(plane_yx, axis, at, axis=1) + np.array(error.start)
    return result
