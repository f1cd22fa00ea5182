"""Evidence maps by occlusion.

The picture is parted into squares. Each is hidden in turn, and how much less likely the text is
then is what the square has to do with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.data.region import Heatmap
from napari_medvlm.data.slice_image import SliceImage

SQUARES = 12
"""Along the longer side of a picture."""

Likelihood = Callable[[NDArray[np.uint8]], float]
"""The log-probability of the text, of pixels ``(rows, columns, 3)`` in the picture's place."""


def patch_of(size: tuple[int, int]) -> int:
    """The side of a square, in pixels of a picture of a height and width."""
    return max(ceil(max(size) / SQUARES), 1)


def cost(size: tuple[int, int], patch: int | None = None) -> int:
    """Number of forward passes for the map of an image of a height and width.

    Each time takes what a first token takes.
    """
    rows, columns = _grid(size, patch or patch_of(size))
    return rows * columns + 1


def evidence_map(
    picture: SliceImage, likelihood: Likelihood, progress: Progress, patch: int | None = None
) -> Heatmap:
    """Drop in likelihood of a text with each square hidden, relative to the largest.

    Squares are hidden by the picture's mean colour. Where the text becomes more likely, it is 0.
    """
    falls = falls_of(picture, likelihood, progress, patch or patch_of(picture.size))
    most = float(falls.max(initial=0.0))
    return picture.heatmap(np.clip(falls / most, 0, 1) if most > 0 else np.zeros_like(falls))


def falls_of(
    picture: SliceImage, likelihood: Likelihood, progress: Progress, patch: int
) -> NDArray[np.float64]:
    """``(rows, columns)`` of the picture: how far the log-probability falls with each square."""
    import torch
    from captum.attr import FeatureAblation

    rows, columns = _grid(picture.size, patch)
    height, width = picture.size
    numbers = np.arange(rows * columns).reshape(rows, columns)
    squares = numbers.repeat(patch, 0).repeat(patch, 1)[:height, :width]
    mean = picture.pixels.reshape(-1, 3).mean(axis=0).round()
    watched = _Watched(likelihood, progress, cost(picture.size, patch))

    def forward(pixels: Any) -> Any:
        return torch.tensor([watched(pixels[0].numpy().astype(np.uint8))], dtype=torch.float64)

    pixels = torch.from_numpy(picture.pixels.astype(np.float64))[None]
    attributions = FeatureAblation(forward).attribute(
        pixels,
        baselines=torch.from_numpy(np.broadcast_to(mean, (*picture.size, 3)).copy())[None],
        feature_mask=torch.from_numpy(squares)[None, :, :, None].expand(-1, -1, -1, 3),
    )
    falls: NDArray[np.float64] = attributions[0, :, :, 0].numpy()
    return falls


class _Watched:
    """Report the progress and the remaining time before each pass."""

    def __init__(self, likelihood: Likelihood, progress: Progress, passes: int) -> None:
        self._likelihood = likelihood
        self._progress = progress
        self._passes = passes
        self._done = 0
        self._start = time.perf_counter()

    def __call__(self, pixels: NDArray[np.uint8]) -> float:
        message = f"pass {self._done + 1} of {self._passes}"
        if self._done:
            seconds_per_pass = (time.perf_counter() - self._start) / self._done
            message += f", about {seconds_per_pass * (self._passes - self._done):.0f} s left"
        self._progress(min(self._done / self._passes, 1.0), message)
        self._done += 1
        return self._likelihood(pixels)


def _grid(size: tuple[int, int], patch: int) -> tuple[int, int]:
    height, width = size
    return ceil(height / patch), ceil(width / patch)
