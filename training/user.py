"""The simulated user of training: batched, on any device.

Begins with a point, scribble, line, box or lasso, then puts points into the deepest error. The
evaluation has its own user, `training.exact_user`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.fields import Draw
from training.prompts import Prompts, local_mean, truncated_distance

DEPTH = 8
"""Depth in an error is counted up to so many voxels; beyond it, the local mass decides."""
BEGINNINGS = {
    "point": 0.5,
    "scribble": 0.08,
    "line": 0.14,
    "box_2d": 0.1,
    "box_3d": 0.13,
    "lasso": 0.05,
}
"""The first prompt and how often it is drawn."""


def depth(region: Tensor) -> Tensor:
    """How deep a voxel lies in a region, plus a part below 1 for the mass around it; 0 outside.

    Parameters
    ----------
    region
        ``(B, N, N, N)`` bool.
    """
    inside = truncated_distance(~region, DEPTH)
    mass = region.float()[:, None]
    for kernel in ((9, 1, 1), (1, 9, 1), (1, 1, 9)):
        mass = functional.avg_pool3d(mass, kernel, 1, tuple(k // 2 for k in kernel))
    return torch.where(region, inside + 0.9 * mass[:, 0], 0.0)


def deepest(region: Tensor) -> Tensor:
    """Flat index ``(B,)`` of the deepest voxel of each region."""
    return depth(region).flatten(1).argmax(1)


def begin(
    draw: Draw, images: Tensor, targets: Tensor, anywhere: float = 0, outside: float = 0
) -> Prompts:
    """The first prompt of each batch element, of a random kind.

    With the probability ``anywhere`` it starts at any voxel of the target, and at a deep one
    otherwise. With the probability ``outside`` a point lies one or two voxels outside the target.
    """
    prompts = Prompts.none(images)
    kinds = draw.choice(list(BEGINNINGS.values()), len(images))
    names = [list(BEGINNINGS)[k] for k in kinds]
    start = _interior(draw, targets, anywhere)
    if outside:
        points = torch.tensor([name == "point" for name in names], device=targets.device)
        missed = draw.chance(outside, len(images)) & points
        start = torch.where(missed, _near_border(draw, targets, start), start)
    means = local_mean(images)
    intensity = means.flatten(1).gather(1, start[:, None])[:, 0]
    prompts.refer(intensity, torch.ones_like(intensity, dtype=torch.bool))
    for i, name in enumerate(names):
        _GESTURES[name](draw, prompts, i, targets[i], int(start[i]))
        if name not in ("point", "scribble"):
            voxels = _inner(prompts.line[i] if name == "line" else prompts.box[i], targets[i])
            prompts.references[0, i, -1] = means[i][voxels].median()
    return prompts


def correct(draw: Draw, images: Tensor, targets: Tensor, masks: Tensor, prompts: Prompts) -> None:
    """Add one point per batch element in the deepest error; nothing where there is none."""
    missed, excess = depth(targets & ~masks), depth(masks & ~targets)
    both = torch.maximum(missed, excess)
    noise = draw.voxel_uniform(*both.shape)
    position = (both * (0.75 + 0.25 * noise)).flatten(1).argmax(1)
    wrong = both.flatten(1).amax(1) > 0
    positive = missed.flatten(1).gather(1, position[:, None])[:, 0] > 0
    for voxels, side in ((prompts.positive, positive), (prompts.negative, ~positive)):
        marked = torch.zeros_like(voxels).flatten(1)
        marked.scatter_(1, position[:, None], (side & wrong)[:, None])
        voxels |= marked.reshape(voxels.shape)
    intensity = local_mean(images).flatten(1).gather(1, position[:, None])[:, 0]
    prompts.refer(torch.where(wrong, intensity, torch.nan), positive)


def _interior(draw: Draw, targets: Tensor, anywhere: float = 0) -> Tensor:
    """An interior voxel, the deeper the likelier, or any: flat index ``(B,)``."""
    noise = draw.voxel_uniform(*targets.shape)
    power = draw.uniform(0.2, 1.2, len(targets), 1, 1, 1)
    likely = depth(targets) * noise**power
    if anywhere:
        flat = draw.chance(anywhere, len(targets), 1, 1, 1)
        likely = torch.where(flat, targets * (noise + 1e-3), likely)
    return likely.flatten(1).argmax(1)


def _near_border(draw: Draw, targets: Tensor, start: Tensor) -> Tensor:
    """Any voxel within two voxels of the targets but outside, ``start`` where there is none."""
    wide = functional.max_pool3d(targets[:, None].float(), 5, 1, 2)[:, 0] > 0
    likely = ((wide & ~targets) * (draw.voxel_uniform(*targets.shape) + 1e-3)).flatten(1)
    return torch.where(likely.amax(1) > 0, likely.argmax(1), start)


def _inner(voxels: Tensor, target: Tensor) -> Tensor:
    """The middle of a line or box: what lies nearer to its centroid than half the mean distance."""
    indices = voxels.nonzero().float()
    centre = indices.mean(0)
    distance = (indices - centre).norm(dim=1)
    near = indices[distance <= distance.mean() + 1e-3].long()
    inner = torch.zeros_like(target)
    inner[near[:, 0], near[:, 1], near[:, 2]] = True
    return inner


def _point(draw: Draw, prompts: Prompts, i: int, target: Tensor, start: int) -> None:
    prompts.positive[i].view(-1)[start] = True


def _scribble(draw: Draw, prompts: Prompts, i: int, target: Tensor, start: int) -> None:
    """A straight stroke from the start to another voxel of the target, inside it."""
    other = target.flatten().nonzero()[:, 0]
    end = int(other[draw.integer(0, len(other))]) if len(other) else start
    _stroke(prompts.positive[i], start, end, target)


def _line(draw: Draw, prompts: Prompts, i: int, target: Tensor, start: int) -> None:
    """Nearly the longest diameter in the slice of the start."""
    slab, _ = _slice_of(draw, target, start)
    indices = slab.nonzero()
    if len(indices) < 2:
        prompts.line[i].view(-1)[start] = True
        return
    first = _farthest(indices, indices.float().mean(0))
    last = _farthest(indices, first.float())
    size = target.shape[-1]
    _stroke(prompts.line[i], _flat(first, size), _flat(last, size), None)


def _box_2d(draw: Draw, prompts: Prompts, i: int, target: Tensor, start: int) -> None:
    slab, axis = _slice_of(draw, target, start)
    _fill_box(draw, prompts.box[i], slab, axis)


def _box_3d(draw: Draw, prompts: Prompts, i: int, target: Tensor, start: int) -> None:
    _fill_box(draw, prompts.box[i], target, None)


def _lasso(draw: Draw, prompts: Prompts, i: int, target: Tensor, start: int) -> None:
    """The slice of the target, widened by up to two voxels in the slice."""
    slab, axis = _slice_of(draw, target, start)
    width = draw.integer(0, 3)
    kernel = [1 if a == axis else 2 * width + 1 for a in range(3)]
    padding = [k // 2 for k in kernel]
    wide = functional.max_pool3d(slab[None, None].float(), kernel, 1, padding)[0, 0] > 0
    prompts.box[i] |= wide


_GESTURES = {
    "point": _point,
    "scribble": _scribble,
    "line": _line,
    "box_2d": _box_2d,
    "box_3d": _box_3d,
    "lasso": _lasso,
}


def _slice_of(draw: Draw, target: Tensor, start: int) -> tuple[Tensor, int]:
    """The target in the slice through a voxel, across a random axis; empty elsewhere."""
    size, axis = target.shape[-1], draw.integer(0, 3)
    index = (start // size ** (2 - axis)) % size
    slab = torch.zeros_like(target)
    slab.select(axis, index).copy_(target.select(axis, index))
    return slab, axis


def _fill_box(draw: Draw, voxels: Tensor, region: Tensor, flat_axis: int | None) -> None:
    """The bounding box of a region with up to 8 % of its size of jitter; flat along an axis."""
    indices = region.nonzero()
    if not len(indices):
        return
    low, high = indices.amin(0), indices.amax(0) + 1
    jitter = draw.normal(2, 3).cpu() * 0.08
    bounds = []
    for axis in range(3):
        a, b = int(low[axis]), int(high[axis])
        if axis != flat_axis:
            moved = (jitter[:, axis] * (b - a)).round().int().tolist()
            a, b = max(a + moved[0], 0), max(b + moved[1], a + moved[0] + 1, 1)
        bounds.append(slice(a, b))
    voxels[tuple(bounds)] = True


def _stroke(voxels: Tensor, start: int, end: int, within: Tensor | None) -> None:
    size = voxels.shape[-1]
    ends = [torch.tensor([f // size**2, f // size % size, f % size]) for f in (start, end)]
    steps = int((ends[1] - ends[0]).abs().max()) + 1
    part = torch.linspace(0, 1, steps)[:, None]
    z, y, x = (ends[0] + part * (ends[1] - ends[0])).round().long().to(voxels.device).unbind(1)
    stroke = torch.zeros_like(voxels)
    stroke[z, y, x] = True
    voxels |= stroke if within is None else stroke & within
    voxels.view(-1)[start] = True


def _farthest(indices: Tensor, point: Tensor) -> Tensor:
    return indices[int((indices.float() - point).norm(dim=1).argmax())]


def _flat(zyx: Tensor, size: int) -> int:
    z, y, x = (int(i) for i in zyx)
    return (z * size + y) * size + x
