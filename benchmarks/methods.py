"""The methods that are compared: each takes all clicks so far and gives a mask.

The comparators get what a careful person would give them:

- `RandomWalker` (scikit-image): the foreground of the image at the finest resolution with at most
  200,000 voxels; the clicks are its seeds and the border of the crop is background; the
  probability is interpolated to the full resolution and cut at one half.
- `Confidence` (SimpleITK ConfidenceConnected, multiplier 2.5, 4 iterations) and `Growing`
  (SimpleITK ConnectedThreshold, seed value plus or minus one fixed tolerance): on the image
  smoothed by CurvatureFlow. Every click grows a region of its own; the mask is the union of the
  positive ones, and what a negative one reaches too belongs to the nearer click.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from benchmarks.user import Click
from napari_medvlm.backends.base import Backend, ObjectPrompts
from napari_medvlm.backends.click_network.backend import ClickNetworkBackend
from napari_medvlm.backends.embedded import EmbeddedBackend
from napari_medvlm.data.mask import bounding_box
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume


class Method(ABC):
    """Something that is clicked at; made once for each volume."""

    name: str

    @abstractmethod
    def __init__(self, volume: Volume) -> None: ...

    @abstractmethod
    def segment(self, clicks: Sequence[Click]) -> np.ndarray:
        """The mask ``(z, y, x)`` after these clicks."""


class Embedded(Method):
    name = "embedded (ours)"
    backend: type[Backend] = EmbeddedBackend

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._backend = self.backend()
        self._backend.load(None, "cpu")
        self._backend.set_volume(volume)

    def segment(self, clicks: Sequence[Click]) -> np.ndarray:
        points = [Point.at_index(self._volume, c.zyx, c.positive) for c in clicks]
        return self._backend.segment(ObjectPrompts(tuple(points)), lambda *_: None).full()


class Joined(Embedded):
    """The bundled network joined with the embedded method; needs onnxruntime."""

    name = "click-network (ours)"
    backend = ClickNetworkBackend


class RandomWalker(Method):
    name = "random walker"
    voxels = 200_000

    def __init__(self, volume: Volume) -> None:
        data = volume.intensity().astype(np.float32)
        self._shape = data.shape
        self._box = _foreground(data)
        data = data[self._box]
        size_mm = np.array(data.shape) * volume.spacing
        edge = max(float(np.prod(size_mm) / self.voxels) ** (1 / 3), min(volume.spacing))
        self._zoom = np.minimum(np.array(volume.spacing) / edge, 1.0)
        sigma = np.where(self._zoom < 1, 0.5 / self._zoom, 0)
        self._data = ndimage.zoom(ndimage.gaussian_filter(data, sigma), self._zoom, order=1)
        self._spacing = np.array(volume.spacing) / self._zoom

    def segment(self, clicks: Sequence[Click]) -> np.ndarray:
        from skimage.segmentation import random_walker

        seeds = np.full(self._data.shape, 2)
        seeds[1:-1, 1:-1, 1:-1] = 0
        start = np.array([s.start for s in self._box])
        for click in clicks:
            at = ((np.array(click.zyx) - start + 0.5) * self._zoom).astype(int)
            seeds[tuple(np.clip(at, 0, np.array(seeds.shape) - 1))] = 1 if click.positive else 2
        chances = random_walker(
            self._data, seeds, mode="cg_j", tol=1e-3, return_full_prob=True,
            spacing=self._spacing / self._spacing.min(),
        )[0]  # fmt: skip
        full = np.zeros(self._shape, bool)
        wanted = tuple(s.stop - s.start for s in self._box)
        factors = np.array(wanted) / chances.shape
        full[self._box] = ndimage.zoom(chances.astype(np.float32), factors, order=1) > 0.5
        return full


class _Grown(Method):
    """Each click grows a region of its own."""

    def __init__(self, volume: Volume) -> None:
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(volume.intensity().astype(np.float32))
        image.SetSpacing(volume.spacing[::-1])
        self._image = sitk.CurvatureFlow(image, timeStep=0.0625, numberOfIterations=5)
        self._spacing = np.array(volume.spacing)
        self._grown: dict[tuple[int, int, int], np.ndarray] = {}
        sample = sitk.GetArrayViewFromImage(self._image)[::2, ::2, ::2]
        self._range = float(np.subtract(*np.percentile(sample, (99.5, 0.5))))

    @abstractmethod
    def _grow(self, xyz: tuple[int, ...]) -> np.ndarray: ...

    def segment(self, clicks: Sequence[Click]) -> np.ndarray:
        for click in clicks:
            if click.zyx not in self._grown:
                self._grown[click.zyx] = self._grow(tuple(click.zyx[::-1]))
        inside, outside = (self._reached(clicks, positive) for positive in (True, False))
        return inside[0] & ~(outside[0] & (outside[1] < inside[1]))

    def _reached(self, clicks: Sequence[Click], positive: bool) -> tuple[np.ndarray, np.ndarray]:
        shape = self._image.GetSize()[::-1]
        reached, nearest = np.zeros(shape, bool), np.full(shape, np.inf, np.float32)
        for click in clicks:
            if click.positive is not positive:
                continue
            reached |= self._grown[click.zyx]
            parts = zip(shape, click.zyx, self._spacing, strict=True)
            z, y, x = (((np.arange(n, dtype=np.float32) - c) * s) ** 2 for n, c, s in parts)
            square = (z[:, None, None] + y[:, None]).astype(np.float32) + x.astype(np.float32)
            np.minimum(nearest, square, out=nearest)
        return reached, nearest


class Confidence(_Grown):
    name = "ConfidenceConnected"

    def _grow(self, xyz: tuple[int, ...]) -> np.ndarray:
        import SimpleITK as sitk

        grown = sitk.ConfidenceConnected(
            self._image, [xyz], numberOfIterations=4, multiplier=2.5, initialNeighborhoodRadius=1
        )
        return sitk.GetArrayFromImage(grown).astype(bool)


class Growing(_Grown):
    """Region growing with one tolerance, as a share of the image's range of intensities."""

    name = "region growing"
    tolerance = 0.1

    def _grow(self, xyz: tuple[int, ...]) -> np.ndarray:
        import SimpleITK as sitk

        value, reach = float(self._image[xyz]), self.tolerance * self._range
        grown = sitk.ConnectedThreshold(self._image, [xyz], value - reach, value + reach)
        return sitk.GetArrayFromImage(grown).astype(bool)


def _foreground(data: np.ndarray) -> tuple[slice, slice, slice]:
    """The box around what differs from the image's first corner, with a margin of two voxels."""
    box = bounding_box(data != data.flat[0])
    z, y, x = (
        slice(max(s.start - 2, 0), min(s.stop + 2, n)) for s, n in zip(box, data.shape, strict=True)
    )
    return z, y, x
