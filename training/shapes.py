"""Implicit shapes: functions of space that are negative inside, close to a signed distance.

All take the coordinates ``(n, 3, N, N, N)`` of voxels in the frame of the shape (origin at its
centre, units of half the crop) and its semi-axes ``(n, 3)``, and return ``(n, N, N, N)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from training.fields import Draw, grid, rotations, smooth_field

Shape = Callable[[Draw, Tensor, Tensor], Tensor]


def ellipsoid(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """An ellipsoid, or a superellipsoid up to a box with round edges."""
    exponent = draw.uniform(1.7, 2.4, len(q), 1, 1, 1)
    boxy = draw.chance(0.2, len(q), 1, 1, 1)
    exponent = torch.where(boxy, draw.uniform(3, 8, len(q), 1, 1, 1), exponent)
    scaled = (q / _spread(radii)).abs().clamp_min(1e-4)
    norm = (scaled ** exponent[:, None]).sum(1) ** (1 / exponent)
    return (norm - 1) * radii.amin(1)[:, None, None, None]


def lobulated(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """An ellipsoid whose surface is displaced by a smooth field."""
    field = smooth_field(draw, len(q), q.shape[-1], (0.6, 1.0, 0.8, 0.15))
    depth = draw.uniform(0.05, 0.35, len(q), 1, 1, 1) * _mean(radii)
    return _quadric(q, radii) + depth * field


def spiculated(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """An ellipsoid with spikes."""
    count = draw.integer(5, 14)
    directions = functional.normalize(draw.normal(len(q), count, 3), dim=2)
    unit = q / _length(q).clamp_min(1e-6)[:, None]
    sharpness = draw.uniform(12, 50, len(q), count, 1)
    cosine = torch.einsum("nkc,ncv->nkv", directions, unit.flatten(2))
    height = draw.uniform(0.1, 0.9, len(q), count, 1)
    spikes = (height * torch.exp(sharpness * (cosine - 1))).amax(1).reshape(q[:, 0].shape)
    return _quadric(q, radii) - spikes * _mean(radii)


def blobs(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """A recursion of spheres, each at the surface of an earlier one, joined smoothly."""
    count = draw.integer(3, 8)
    mean = radii.mean(1)
    centres, sizes = [torch.zeros(len(q), 3, device=q.device)], [mean * 0.7]
    for k in range(1, count):
        parent = draw.integer(0, k)
        direction = functional.normalize(draw.normal(len(q), 3), dim=1)
        centres.append(centres[parent] + direction * sizes[parent][:, None])
        sizes.append(sizes[parent] * draw.uniform(0.5, 0.95, len(q)))
    softness = draw.uniform(0.04, 0.2, len(q), 1, 1, 1) * _mean(radii)
    total = torch.zeros_like(q[:, 0])
    for centre, size in zip(centres, sizes, strict=True):
        distance = _length(q - _spread(centre)) - size[:, None, None, None]
        total += torch.exp((-distance / softness).clamp(-60, 60))
    return -softness * torch.log(total.clamp_min(1e-25))


def tube(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """A curved tube that becomes thinner along its course."""
    points = _curve(draw, len(q), 8, radii.amax(1) * draw.uniform(1, 2.5, len(q)))
    thickness = radii.amin(1) * draw.uniform(0.15, 0.5, len(q))
    return _tube_around(q, points - points.mean(1, keepdim=True), thickness, 0.7)


def tree(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """A tube with side branches."""
    trunk = _curve(draw, len(q), 7, radii.amax(1) * draw.uniform(1.2, 2.5, len(q)))
    trunk = trunk - trunk.mean(1, keepdim=True)
    thickness = radii.amin(1) * draw.uniform(0.15, 0.4, len(q))
    value = _tube_around(q, trunk, thickness, 0.7)
    for _ in range(draw.integer(1, 4)):
        start = trunk[:, draw.integer(1, 6)]
        branch = _curve(draw, len(q), 5, radii.amax(1) * draw.uniform(0.5, 1.3, len(q)))
        branch = branch - branch[:, :1] + start[:, None]
        value = torch.minimum(value, _tube_around(q, branch, thickness * 0.75, 0.6))
    return value


def shell(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """A wall around a cavity, closed or open on one side."""
    outer = lobulated(draw, q, radii)
    wall = draw.uniform(0.12, 0.3, len(q), 1, 1, 1) * _mean(radii)
    value = torch.maximum(outer, -(outer + wall))
    opening = q[:, 0] - draw.uniform(0, 0.8, len(q), 1, 1, 1) * _mean(radii)
    return torch.where(draw.chance(0.5, len(q), 1, 1, 1), torch.maximum(value, opening), value)


def sheet(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """A curved plate."""
    bend = smooth_field(draw, len(q), q.shape[-1], (1.0, 0.5, 0.1, 0))
    height = q[:, 0] + bend * draw.uniform(0.05, 0.3, len(q), 1, 1, 1) * _mean(radii)
    half = draw.uniform(0.1, 0.3, len(q), 1, 1, 1) * _mean(radii)
    return torch.maximum(height.abs() - half, _quadric(q, radii * 1.3))


def level_set(draw: Draw, q: Tensor, radii: Tensor) -> Tensor:
    """An irregular region: a rough field cut off by an ellipsoid."""
    field = smooth_field(draw, len(q), q.shape[-1], (0.8, 1.0, 1.0, 0.5))
    amplitude = draw.uniform(0.3, 0.7, len(q), 1, 1, 1) * _mean(radii)
    return _quadric(q, radii * 1.1) + amplitude * field


FAMILIES: dict[str, tuple[Shape, float]] = {
    "ellipsoid": (ellipsoid, 0.22),
    "lobulated": (lobulated, 0.32),
    "spiculated": (spiculated, 0.12),
    "blobs": (blobs, 0.12),
    "tube": (tube, 0.05),
    "tree": (tree, 0.03),
    "shell": (shell, 0.03),
    "sheet": (sheet, 0.02),
    "level_set": (level_set, 0.09),
}
"""Each shape and how often it is drawn."""


def random_shapes(draw: Draw, size: int, centres: Tensor, radii: Tensor) -> Tensor:
    """One shape of a random family per batch element, turned at random.

    Parameters
    ----------
    size
        Voxels along each axis of the crop.
    centres, radii
        ``(B, 3)``, in units of half the crop.

    Returns
    -------
    Tensor
        ``(B, N, N, N)``, negative inside.
    """
    count = len(centres)
    offsets = grid(size, draw.device)[None] - _spread(centres)
    turned = torch.einsum("nij,njzyx->nizyx", rotations(draw, count), offsets)
    families = draw.choice([weight for _, weight in FAMILIES.values()], count)
    values = torch.empty_like(turned[:, 0])
    for index, (shape, _) in enumerate(FAMILIES.values()):
        chosen = [i for i, family in enumerate(families) if family == index]
        if chosen:
            values[chosen] = shape(draw, turned[chosen], radii[chosen])
    return values


def _spread(vectors: Tensor) -> Tensor:
    return vectors[:, :, None, None, None]


def _mean(radii: Tensor) -> Tensor:
    return radii.mean(1)[:, None, None, None]


def _length(vectors: Tensor) -> Tensor:
    # Several times faster on the CPU than Tensor.norm over a dimension that is not the last.
    z, y, x = vectors.unbind(1)
    return (z * z + y * y + x * x).sqrt()


def _quadric(q: Tensor, radii: Tensor) -> Tensor:
    return (_length(q / _spread(radii)) - 1) * _mean(radii)


def _curve(draw: Draw, count: int, points: int, length: Tensor) -> Tensor:
    turns = torch.cumsum(draw.normal(count, points, 3) * 0.45, 1)
    steps = functional.normalize(draw.normal(count, 1, 3) + turns, dim=2)
    return torch.cumsum(steps, 1) * (length / points)[:, None, None]


def _tube_around(q: Tensor, points: Tensor, thickness: Tensor, taper: float) -> Tensor:
    nearest = torch.full_like(q[:, 0], 9.0)
    segments = points.shape[1] - 1
    for k in range(segments):
        a, b = points[:, k], points[:, k + 1]
        ab = b - a
        along = ((q - _spread(a)) * _spread(ab)).sum(1) / (ab**2).sum(1)[:, None, None, None]
        closest = _spread(a) + along.clamp(0, 1)[:, None] * _spread(ab)
        radius = thickness * (1 - (1 - taper) * k / segments)
        distance = _length(q - closest) - radius[:, None, None, None]
        nearest = torch.minimum(nearest, distance)
    return nearest
