"""What a user of the segment-anything package does, written out: the truth of the tests."""

from __future__ import annotations

import numpy as np
import torch
from segment_anything import SamPredictor

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.dispatch import segment
from napari_medvlm.backends.sam.checkpoint import load_sam
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Modality, Volume

SHAPE = (10, 20, 24)
SPACINGS = {"axial": (2.5, 1.0, 1.0), "sagittal": (1.0, 1.0, 2.5), "coronal": (1.0, 2.5, 1.0)}
NAMES = ("axial", "sagittal", "coronal", "oblique")
AXES = {"axial": 0, "coronal": 1, "sagittal": 2, "oblique": 0}


def volume_of(name: str, shape: tuple[int, int, int] = SHAPE) -> Volume:
    """Noise on a grid with thick slices of a plane; the oblique one is turned by 30 degrees."""
    affine = np.diag([*SPACINGS.get(name, (2.5, 1.0, 1.25)), 1.0])
    if name == "oblique":
        turn = np.deg2rad(30)
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        affine[:2, :2] = turned * (2.5, 1.0)
    affine[:3, 3] = (-7, 11, 13)
    data = np.random.default_rng(7).normal(0, 100, shape).astype(np.int16)
    return Volume(data, affine, Modality.CT)


def quiet(fraction, message=""):
    """Progress that nobody looks at."""


def asked(backend, volume: Volume, *prompts, progress=quiet):
    """The mask of prompts on a volume."""
    backend.set_volume(volume)
    return segment(backend, volume, ObjectPrompts(prompts, (len(prompts),)), progress)


def of_slice(name: str, index: int, rest) -> tuple[int, ...]:
    """An index whose part across the plane of a name is ``index``."""
    zyx = list(rest)
    zyx[AXES[name]] = index
    return tuple(zyx)


class ByHand:
    """The library's predictor on one slice of a volume."""

    def __init__(self, path, volume: Volume, axis: int, index: int) -> None:
        self.shown = picture_of(volume, SliceRef(axis, index))
        self.predictor = SamPredictor(load_sam(path))
        self.predictor.set_image(self.shown.pixels)

    def pixel(self, zyx) -> list[float]:
        """``x, y`` of a voxel, the centre of the first pixel being 0."""
        shown, grid = self.shown, self.shown.grid.shape
        placed = []
        for side, axis in ((1, shown.columns), (0, shown.rows)):
            at = grid[axis] - 1 - zyx[axis] if shown.flipped[side] else zyx[axis]
            placed.append((at + 0.5) * shown.size[side] / grid[axis] - 0.5)
        return placed

    def box(self, start, stop) -> np.ndarray:
        """``x0, y0, x1, y1``: the first and the last pixel of the voxels ``start <= i < stop``."""
        ends = []
        for side, axis in ((1, self.shown.columns), (0, self.shown.rows)):
            size, count = self.shown.size[side], self.shown.grid.shape[axis]
            low, high = start[axis], stop[axis]
            if self.shown.flipped[side]:
                low, high = count - high, count - low
            ends.append((low * size / count, high * size / count - 1))
        (x0, x1), (y0, y1) = ends
        return np.array([x0, y0, x1, y1])

    def logits(self, area: np.ndarray) -> np.ndarray:
        """A mask over the picture as ``mask_input``, as micro-sam makes it."""
        side = self.predictor.model.image_encoder.img_size
        mask_side = self.predictor.model.prompt_encoder.mask_input_size[0]
        height, width = self.predictor.transform.get_preprocess_shape(*area.shape, side)
        height, width = round(height * mask_side / side), round(width * mask_side / side)
        small = torch.nn.functional.interpolate(
            torch.from_numpy(area.astype(np.float32))[None, None], (height, width),
            mode="bilinear", antialias=True,
        )[0, 0]  # fmt: skip
        logits = np.full((1, mask_side, mask_side), -np.log(999), np.float32)
        logits[0, :height, :width] = np.where(small.numpy() > 0.5, np.log(999), -np.log(999))
        return logits

    def area(self, inside: np.ndarray) -> np.ndarray:
        """A mask on the volume as a mask over the picture: the voxel under each pixel's centre."""
        shown, under = self.shown, []
        for side, axis in ((0, self.shown.rows), (1, self.shown.columns)):
            size, count = shown.size[side], shown.grid.shape[axis]
            at = (2 * np.arange(size) + 1) * count // (2 * size)
            under.append(count - 1 - at if shown.flipped[side] else at)
        plane = np.take(inside, shown.slice.index, axis=shown.slice.axis)
        plane = plane if shown.rows < shown.columns else plane.T
        return plane[np.ix_(*under)]

    def voxels(self, mask: np.ndarray) -> np.ndarray:
        """A mask over the picture on the voxels of the volume."""
        return self.shown.mask(mask).full()
