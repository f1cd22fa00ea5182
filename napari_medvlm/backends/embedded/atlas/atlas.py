"""The brain atlas carried to a patient."""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.embedded.atlas.registration import Registration, register
from napari_medvlm.backends.embedded.atlas.structures import Structure, Tissue
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.geometry.grid import FloatArray, Grid, apply_affine
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Modality, Volume

HEAD = 1.08
"""Similarity from which an image shows a head: whole brains reach 1.2 to 1.45, half of one 1.17,
other things and noise 1.01 to 1.05."""
SURE = 1.25
"""Similarity from which the template fits as well as can be."""

MOST_MASKS = 16
"""Masks of structures that an atlas holds for further questions."""


class Atlas:
    """The atlas registered to one patient on first use.

    Parameters
    ----------
    volume
        The patient's image.
    """

    def __init__(self, volume: Volume) -> None:
        self._volume = volume
        self._registered: Registration | None = None
        self._masks: OrderedDict[str, Mask] = OrderedDict()

    def refusal(self, progress: Progress) -> str | None:
        """Reason why the atlas does not apply to the image; `None` if it does."""
        if self._volume.modality not in (Modality.MR, Modality.UNKNOWN):
            return f"The brain atlas is for MR images of the head; this is {self._volume.modality}."
        similarity = self._registration(progress).similarity
        if similarity < HEAD:
            return (
                "The image does not look like an MR image of a head: its similarity to the "
                f"template is {similarity:.2f}; {HEAD} is needed."
            )
        return None

    def fit(self, progress: Progress) -> float:
        """Similarity of the template and the image, 0 to 1."""
        similarity = self._registration(progress).similarity
        return float(np.clip((similarity - 1) / (SURE - 1), 0, 1))

    def from_midline_mm(self, spl_mm: FloatArray, progress: Progress) -> float:
        """How far a point is to the left of the midline, along its normal in the patient."""
        back = np.linalg.inv(self._registration(progress).matrix).astype(np.float64)
        return float(apply_affine(back, spl_mm)[2] / np.linalg.norm(back[2, :3]))

    def region(
        self, phrase: str, structure: Structure, score: float, progress: Progress
    ) -> Region | None:
        """The region of a structure; `None` if it is outside the image."""
        matrix = self._registration(progress).matrix
        box = carried(structure.box_mm, matrix)
        mask = self._cached_mask(structure, matrix, box) if structure.tissue else None
        if mask is not None and mask.voxels:
            return Region.of_mask(phrase, mask, self._volume.grid, score, structure.name)
        start, stop = box.bounds(self._volume.grid)
        if not (stop > start).all():
            return None
        return Region(phrase, box, score, structure.name)

    def _registration(self, progress: Progress) -> Registration:
        if self._registered is None:
            self._registered = register(self._volume, progress)
        return self._registered

    def _cached_mask(self, structure: Structure, matrix: FloatArray, box: Box) -> Mask:
        if structure.name not in self._masks:
            self._masks[structure.name] = self._mask(structure, matrix, box)
        self._masks.move_to_end(structure.name)
        while len(self._masks) > MOST_MASKS:
            self._masks.popitem(last=False)
        return self._masks[structure.name]

    def _mask(self, structure: Structure, matrix: FloatArray, box: Box) -> Mask:
        """The voxels in its parts that the template's tissue map holds, in their largest piece."""
        from scipy import ndimage

        grid = self._volume.grid
        full = np.zeros(grid.shape, bool)
        start, stop = box.bounds(grid)
        if not (stop > start).all():
            return Mask.of(full)
        ranges = [np.arange(a, b) for a, b in zip(start, stop, strict=True)]
        zyx = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)
        back = np.linalg.inv(matrix).astype(np.float64)
        mni_mm = apply_affine(back, grid.to_world(zyx))
        values, map_grid = _tissue(structure.tissue)
        at = np.moveaxis(map_grid.to_index(mni_mm), -1, 0)
        held = ndimage.map_coordinates(values, at, order=1, mode="constant") > 0.5
        held &= _inside_any(mni_mm, structure.parts_mm)
        if structure.tissue == "fluid":
            labels, _ = ndimage.label(held)
            sizes = np.bincount(labels.ravel())
            sizes[0] = 0
            held = (labels == sizes.argmax()) & held
        z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
        full[z, y, x] = held
        return Mask.of(full)


def _inside_any(mni_mm: FloatArray, boxes_mm: FloatArray) -> NDArray[np.bool_]:
    """Whether points ``(..., 3)`` lie in one of the boxes ``(N, 2, 3)``."""
    inside = np.zeros(mni_mm.shape[:-1], bool)
    for low, high in boxes_mm:
        inside |= ((mni_mm >= low) & (mni_mm <= high)).all(axis=-1)
    return inside


def carried(box_mm: FloatArray, matrix: FloatArray) -> Box:
    """A box of MNI space ``(2, 3)`` in the patient: its edges turn with the head."""
    corner = apply_affine(matrix, box_mm[0]).round(4).tolist()
    edges = (matrix[:3, :3] * (box_mm[1] - box_mm[0])).T.round(4).tolist()
    return Box(corner_mm=corner, edges_mm=edges)


@cache
def _tissue(tissue: Tissue) -> tuple[NDArray[np.float32], Grid]:
    """The template's map of a tissue, 0 to 1, and where it lies in MNI space."""
    from nilearn import datasets

    brain = datasets.load_mni152_brain_mask(resolution=1)
    grid_of = Grid(brain.shape[::-1], affine_from_ras(brain.affine))
    inside = brain.get_fdata(dtype=np.float32).T > 0
    if tissue == "brain":
        return inside.astype(np.float32), grid_of
    grey = datasets.load_mni152_gm_template(resolution=1).get_fdata(dtype=np.float32).T
    white = datasets.load_mni152_wm_template(resolution=1).get_fdata(dtype=np.float32).T
    maps = {"grey": grey, "white": white, "fluid": 1 - grey - white}
    return np.ascontiguousarray(maps[tissue] * inside), grid_of
