"""Prompts as channels of the network.

Channels, in the order of `CHANNELS`, each 0 without prompts of its kind:

- the image, normalised in the crop;
- nearness to positive and to negative points and scribbles: 1 on them, 0 from `REACH` voxels on;
- nearness to a line (a diameter, border to border);
- the voxels of boxes and lassos, filled; one slice thick in 2D;
- the probabilities of the last round;
- similarity of the intensity to that at positive and at negative prompts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

CHANNELS = (
    *("image", "positive", "negative", "line", "box", "last"),
    *("like_positive", "like_negative"),
)
REACH = 10
"""Voxels from which on the distance is truncated."""
SOFTNESS = 0.2
"""Difference of normalised intensities at which the similarity has fallen to 1/e."""


@dataclass(eq=False)
class Prompts:
    """The prompts of a batch.

    Parameters
    ----------
    positive, negative, line, box
        ``(B, N, N, N)`` bool; the voxels of points and scribbles, of a line, of boxes.
    references
        ``(2, B, R)`` float; intensity at each positive (0) and negative (1) prompt, NaN if unused.
    """

    positive: Tensor
    negative: Tensor
    line: Tensor
    box: Tensor
    references: Tensor

    @classmethod
    def none(cls, like: Tensor) -> Prompts:
        """No prompts, for images ``(B, N, N, N)``."""
        maps = [torch.zeros_like(like, dtype=torch.bool) for _ in range(4)]
        nothing = torch.full((2, len(like), 0), torch.nan, device=like.device)
        return cls(maps[0], maps[1], maps[2], maps[3], nothing)

    def refer(self, intensities: Tensor, positive: Tensor) -> None:
        """Add one reference per batch element: ``(B,)`` intensities, ``(B,)`` bool polarity."""
        sides = torch.stack((positive, ~positive))
        added = torch.where(sides, intensities, torch.nan)
        self.references = torch.cat((self.references, added[:, :, None]), 2)


def truncated_distance(voxels: Tensor, reach: int = REACH) -> Tensor:
    """Euclidean distance to the nearest true voxel, at most ``reach``.

    A separable minimum over parabolas, exact below the bound.

    Parameters
    ----------
    voxels
        ``(B, N, N, N)`` bool.
    """
    far = float(reach * reach)
    squared = torch.where(voxels, 0.0, far)
    for axis in (1, 2, 3):
        size = squared.shape[axis]
        nearest = squared.clone()
        for step in range(1, min(reach, size)):
            later, earlier = (
                squared.narrow(axis, step, size - step),
                squared.narrow(axis, 0, size - step),
            )
            first, last = (
                nearest.narrow(axis, 0, size - step),
                nearest.narrow(axis, step, size - step),
            )
            first.copy_(torch.minimum(first, later + step * step))
            last.copy_(torch.minimum(last, earlier + step * step))
        squared = nearest
    return squared.clamp_max(far).sqrt()


def local_mean(images: Tensor) -> Tensor:
    """Mean of 3 x 3 x 3 voxels, fewer at the border: the intensity that a point refers to."""
    mean = images[:, None]
    for kernel in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        padding = tuple(k // 2 for k in kernel)
        mean = functional.avg_pool3d(mean, kernel, 1, padding, count_include_pad=False)
    return mean[:, 0]


def encode(images: Tensor, prompts: Prompts, last: Tensor) -> Tensor:
    """The channels of the network, ``(B, len(CHANNELS), N, N, N)`` float.

    Parameters
    ----------
    images
        ``(B, N, N, N)``, normalised in the crop.
    last
        ``(B, N, N, N)``, the probabilities of the last round, or 0.
    """
    maps = (prompts.positive, prompts.negative, prompts.line)
    near = [_nearness(m) for m in maps]
    like = [_similarity(images, r) for r in prompts.references]
    return torch.stack((images, *near, prompts.box.to(images), last, *like), 1)


def _nearness(voxels: Tensor) -> Tensor:
    if not voxels.any():
        return torch.zeros(voxels.shape, device=voxels.device)
    return 1 - truncated_distance(voxels) / REACH


def _similarity(images: Tensor, references: Tensor) -> Tensor:
    nearest = torch.full_like(images, torch.inf)
    for reference in references.unbind(1):
        difference = (images - reference[:, None, None, None]).abs()
        nearest = torch.minimum(nearest, difference.nan_to_num(torch.inf))
    return torch.exp(-nearest / SOFTNESS)
