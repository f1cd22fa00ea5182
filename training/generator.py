"""Synthetic samples: an image and a target. No file is read."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from training.fields import Draw
from training.imaging import render
from training.scenes import random_scenes


@dataclass(eq=False)
class Sample:
    """A batch of synthetic crops.

    Parameters
    ----------
    images
        ``(B, N, N, N)`` float, normalised in the crop.
    targets
        ``(B, N, N, N)`` bool.
    """

    images: Tensor
    targets: Tensor


def generate(draw: Draw, count: int, size: int, ring_enhancing: float = 0) -> Sample:
    """Draw ``count`` crops of ``size`` voxels along each axis, on the device of the draw.

    ``ring_enhancing`` is that of `Config`.
    """
    rings = draw.chance(ring_enhancing, count) if ring_enhancing else None
    scene = random_scenes(draw, count, size, rings)
    images = render(draw, scene, rings)
    return Sample(images, scene.target)
