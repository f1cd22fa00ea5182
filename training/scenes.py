"""Label maps: tissues, an organ, neighbours and an object with a core, and what a person means."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.fields import Draw, grid, smooth_field
from training.shapes import lobulated, random_shapes

TISSUES, ORGAN, NEIGHBOUR, OTHER, OBJECT, CORE, LABELS = 4, 4, 5, 6, 7, 8, 9
"""Labels 0 to 3 are tissues; `NEIGHBOUR` looks like the object more often than `OTHER`."""
SMALLEST, LARGEST = 20, 0.9
"""A target has at least so many voxels and at most this part of the crop."""


@dataclass(eq=False)
class Scene:
    """A batch of label maps.

    Parameters
    ----------
    labels
        ``(B, N, N, N)`` int64.
    weights
        ``(B, LABELS, N, N, N)`` float; the part of the voxel that a label occupies.
    target
        ``(B, N, N, N)`` bool; what is to be segmented.
    meant
        ``(B, LABELS)`` bool; the labels that the target is the union of.
    """

    labels: Tensor
    weights: Tensor
    target: Tensor
    meant: Tensor


def random_scenes(draw: Draw, count: int, size: int, rings: Tensor | None = None) -> Scene:
    """Label maps with partial volume at the surfaces, and their targets.

    The objects of ``rings``, ``(B,)`` bool, all have a core.
    """
    painter = _Painter(draw, count, size)
    radii, centres = _object_geometry(draw, count)
    painter.paint(ORGAN, _organ(draw, size, centres, radii), draw.chance(0.7, count))
    for label in (NEIGHBOUR, NEIGHBOUR, OTHER):
        painter.paint(label, _neighbour(draw, size, centres, radii), draw.chance(0.5, count))
    shape = random_shapes(draw, size, centres, radii)
    painter.paint(OBJECT, shape, torch.ones(count, dtype=torch.bool, device=draw.device))
    cored = draw.chance(0.35, count)
    cored = cored if rings is None else cored | rings
    painter.paint(CORE, _core(draw, shape, centres, radii), cored)
    late = _neighbour(draw, size, centres, radii)
    painter.paint(NEIGHBOUR, late, draw.chance(0.15, count))
    meant, target = _targets(draw, painter.labels)
    return Scene(painter.labels, painter.weights, target, meant)


class _Painter:
    """Puts shapes over a map of tissues, later ones over earlier ones."""

    def __init__(self, draw: Draw, count: int, size: int) -> None:
        fields = smooth_field(draw, count * TISSUES, size, (1.0, 1.0, 0.4, 0))
        fields = fields.reshape(count, TISSUES, size, size, size)
        bias = draw.normal(count, TISSUES) * 1.2
        fields = fields + bias[:, :, None, None, None]
        best, self.labels = fields[:, 0], torch.zeros_like(fields[:, 0], dtype=torch.int64)
        for k in range(1, TISSUES):  # argmax over a short leading dimension is slow on the CPU
            self.labels = torch.where(fields[:, k] > best, k, self.labels)
            best = torch.maximum(best, fields[:, k])
        soft = torch.softmax(fields * (size / 4), 1)
        empty = torch.zeros(count, LABELS - TISSUES, size, size, size, device=draw.device)
        self.weights = torch.cat((soft, empty), 1)
        self._half_voxel = 1.0 / size

    def paint(self, label: int, shape: Tensor, present: Tensor) -> None:
        """Cover what is inside a shape (negative values) for the batch elements that have it."""
        present = present[:, None, None, None]
        inside = (shape < 0) & present
        self.labels = torch.where(inside, label, self.labels)
        part = torch.sigmoid(-shape / (0.6 * self._half_voxel)) * present
        self.weights *= 1 - part[:, None]
        self.weights[:, label] += part


def _object_geometry(draw: Draw, count: int) -> tuple[Tensor, Tensor]:
    mean = draw.log_uniform(0.14, 0.75, count, 1)
    beyond = draw.chance(0.15, count, 1)  # larger than the crop
    mean = torch.where(beyond, draw.log_uniform(0.75, 1.5, count, 1), mean)
    radii = (mean * draw.log_uniform(0.6, 1.6, count, 3)).clamp(0.06, 2)
    near = draw.uniform(-0.5, 0.5, count, 3) * radii
    far = draw.uniform(-0.6, 0.6, count, 3)
    return radii, torch.where(draw.chance(0.8, count, 1) | beyond, near, far)


def _organ(draw: Draw, size: int, centres: Tensor, radii: Tensor) -> Tensor:
    """Large; the object is inside it or at its border."""
    count = len(centres)
    large = (radii.amax(1, keepdim=True) * draw.uniform(1.3, 3, count, 3)).clamp(0.3, 1.8)
    shift = draw.normal(count, 3)
    shift = shift / shift.norm(dim=1, keepdim=True) * draw.uniform(0, 1, count, 1) * large * 0.9
    offsets = grid(size, draw.device)[None] - (centres + shift)[:, :, None, None, None]
    return lobulated(draw, offsets, large)


def _neighbour(draw: Draw, size: int, centres: Tensor, radii: Tensor) -> Tensor:
    """At a distance from touching to apart, of any family."""
    count = len(centres)
    own = (radii * draw.log_uniform(0.4, 2.5, count, 1)).clamp(0.06, 0.9)
    direction = draw.normal(count, 3)
    direction = direction / direction.norm(dim=1, keepdim=True)
    apart = (radii.mean(1, keepdim=True) + own.mean(1, keepdim=True)) * draw.uniform(
        0.7, 1.8, count, 1
    )
    return random_shapes(draw, size, centres + direction * apart, own)


def _core(draw: Draw, shape: Tensor, centres: Tensor, radii: Tensor) -> Tensor:
    """What lies deeper than a rim, or a smaller shape inside the object."""
    count, size = len(shape), shape.shape[-1]
    rim = draw.uniform(0.15, 0.5, count, 1, 1, 1) * radii.amin(1)[:, None, None, None]
    eroded = shape + rim
    shift = draw.uniform(-0.4, 0.4, count, 3) * radii
    nested = random_shapes(draw, size, centres + shift, radii * draw.uniform(0.3, 0.7, count, 1))
    nested = torch.maximum(nested, shape)
    return torch.where(draw.chance(0.7, count, 1, 1, 1), eroded, nested)


_MEANINGS = (
    ((OBJECT, CORE), 0.8),
    ((CORE,), 0.05),
    ((OBJECT,), 0.03),
    ((OBJECT, CORE, NEIGHBOUR), 0.02),
    ((ORGAN, OBJECT, CORE), 0.04),
    ((NEIGHBOUR,), 0.03),
    ((ORGAN,), 0.02),
    ((0,), 0.01),
)


def _targets(draw: Draw, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A union of labels per element, of an allowed size; the object with its core otherwise."""
    count = len(labels)
    chosen = draw.choice([weight for _, weight in _MEANINGS], count)
    meant = torch.zeros(count, LABELS, dtype=torch.bool, device=labels.device)
    for i, meaning in enumerate(chosen):
        meant[i, list(_MEANINGS[meaning][0])] = True
    target = _union(labels, meant)
    voxels = target.flatten(1).sum(1)
    wrong = (voxels < SMALLEST) | (voxels > LARGEST * labels[0].numel())
    whole = torch.zeros(LABELS, dtype=torch.bool, device=labels.device)
    whole[[OBJECT, CORE]] = True
    meant = torch.where(wrong[:, None], whole, meant)
    return meant, _union(labels, meant)


def _union(labels: Tensor, meant: Tensor) -> Tensor:
    flat = labels.flatten(1)
    return torch.gather(meant, 1, flat).reshape(labels.shape)
