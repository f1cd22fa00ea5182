"""Two studies of the MNI152 brain with planted lesions and a known rigid map between them.

The prior has nine lesions and the current study nine: two have grown by 20 per cent, one is gone,
one is new, two have merged, one has split and three are unchanged. The current study has another
position, 2 % noise and another gamma.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from benchmarks.tasks import mni_maps
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Modality, Volume

GROWTH = 1.2
EXPECTED = {
    "grown a": "grown", "grown b": "grown", "gone": "gone", "merged a": "merged",
    "merged b": "merged", "split": "split", "stable a": "stable", "stable b": "stable",
    "stable c": "stable", "new": "new",
}  # fmt: skip


@dataclass(frozen=True)
class Blob:
    """A planted ellipsoid: centre ``(S, P, L)`` in mm of the template, half axes in mm."""

    name: str
    center_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    bright: bool = True


SCALE = GROWTH ** (1 / 3)
PRIOR = (
    Blob("grown a", (20, 20, 28), (7, 8, 9)),
    Blob("grown b", (32, -18, -24), (8, 7, 7), bright=False),
    Blob("gone", (24, 30, -30), (7, 7, 6)),
    Blob("merged a", (42, 8, 22), (6, 6, 6)),
    Blob("merged b", (42, -8, 22), (6, 6, 6)),
    Blob("split", (44, 18, -20), (6, 12, 6)),
    Blob("stable a", (4, -30, 30), (6, 7, 8)),
    Blob("stable b", (-2, 52, -26), (6, 6, 6), bright=False),
    Blob("stable c", (14, -48, -14), (5, 7, 6)),
)
CURRENT = (
    Blob("grown a", (20, 20, 28), (7 * SCALE, 8 * SCALE, 9 * SCALE)),
    Blob("grown b", (32, -18, -24), (8 * SCALE, 7 * SCALE, 7 * SCALE), bright=False),
    Blob("merged", (42, 0, 22), (6.5, 14, 6.5)),
    Blob("split 1", (44, 11, -20), (5, 4.5, 5)),
    Blob("split 2", (44, 25, -20), (5, 4.5, 5)),
    *PRIOR[6:],
    Blob("new", (8, 50, 24), (6, 6, 6)),
)


@dataclass(frozen=True, eq=False)
class PlantedPair:
    """A prior and a current study with their lesions and the true map between them."""

    current: Volume
    prior: Volume
    prior_masks: NamedLabels
    current_masks: NamedLabels
    pairing: Pairing


def planted_pair(
    resolution_mm: int = 2,
    degrees: tuple[float, float, float] = (4.0, -3.0, 5.0),
    shift_mm: tuple[float, float, float] = (3.0, -5.0, 4.0),
    noise: float = 0.02,
    gamma: float = 0.8,
    seed: int = 0,
    blobs: tuple[tuple[Blob, ...], tuple[Blob, ...]] = (PRIOR, CURRENT),
) -> PlantedPair:
    """The planted studies; everything follows from the arguments."""
    template, _ = mni_maps(resolution_mm)
    rng = np.random.default_rng(seed)
    affine_mm = np.eye(4)
    affine_mm[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    affine_mm[:3, 3] = shift_mm
    identity = np.eye(4)
    prior, prior_masks = _study(template, blobs[0], identity, rng, noise, 1.0, "prior")
    current, current_masks = _study(template, blobs[1], affine_mm, rng, noise, gamma, "current")
    pairing = Pairing(PairingKind.RIGID, affine_mm)
    return PlantedPair(current, prior, prior_masks, current_masks, pairing)


def drawn_pair(seed: int, resolution_mm: int = 2) -> PlantedPair:
    """A pair whose pose, noise and positions of lesions are drawn; it was tuned on by nobody.

    The head is turned by at most 6 degrees and shifted by at most 6 mm along each axis. Lesions
    move by at most 3 mm, in both studies alike.
    """
    rng = np.random.default_rng(seed)
    degrees, shift_mm = (tuple(rng.uniform(-6, 6, 3).tolist()) for _ in range(2))
    offsets_mm: dict[str, np.ndarray] = {}

    def moved(blob: Blob) -> Blob:
        is_pair = blob.name.startswith(("merged", "split"))  # its parts move together
        name = blob.name.split()[0] if is_pair else blob.name
        offset = offsets_mm.setdefault(name, rng.uniform(-3, 3, 3))
        return replace(blob, center_mm=tuple((np.array(blob.center_mm) + offset).tolist()))

    blobs = tuple(map(moved, PRIOR)), tuple(map(moved, CURRENT))
    return planted_pair(resolution_mm, degrees, shift_mm, seed=seed, blobs=blobs)


def _study(
    template: Volume, blobs: tuple[Blob, ...], affine_mm: np.ndarray, rng: np.random.Generator,
    noise: float, gamma: float, name: str,
) -> tuple[Volume, NamedLabels]:  # fmt: skip
    """A study on the template's grid of a head that `affine_mm` moves."""
    grid = template.grid
    index = np.stack(np.indices(grid.shape), axis=-1)
    moved = grid.to_world(index)
    back = np.linalg.inv(affine_mm)
    head_mm = moved @ back[:3, :3].T + back[:3, 3]
    at = np.moveaxis(grid.to_index(head_mm), -1, 0)
    brain = ndimage.map_coordinates(template.data.astype(np.float32), at, order=1, cval=0.0)
    image, labels = _planted(brain, head_mm, blobs, grid)
    image = np.clip(image + rng.normal(0, noise, image.shape), 0, None) ** gamma
    volume = Volume((1000 * image).astype(np.float32), grid.affine, Modality.MR, name)
    names = {value: blob.name for value, blob in enumerate(blobs, 1)}
    return volume, NamedLabels(labels, grid, names, f"{name} masks")


def _planted(
    brain: np.ndarray, head_mm: np.ndarray, blobs: tuple[Blob, ...], grid: Grid
) -> tuple[np.ndarray, np.ndarray]:
    labels = np.zeros(grid.shape, np.uint8)
    image = brain.copy()
    for value, blob in enumerate(blobs, 1):
        scaled = (head_mm - blob.center_mm) / np.array(blob.radii_mm)
        distance = np.linalg.norm(scaled, axis=-1)
        edge_mm = (distance - 1) * min(blob.radii_mm)
        weight = np.clip(0.5 - edge_mm / max(grid.spacing), 0, 1)
        image = image * (1 - weight) + weight * (1.15 if blob.bright else 0.3)
        labels[_nearest(distance, blob, grid)] = value
    return image, labels


def _nearest(distance: np.ndarray, blob: Blob, grid: Grid) -> np.ndarray:
    """As many voxels as the ellipsoid's volume has, nearest first: volumes are exact."""
    voxel_mm3 = float(np.prod(grid.spacing))
    count = round(4 / 3 * np.pi * float(np.prod(blob.radii_mm)) / voxel_mm3)
    inside = np.zeros(distance.shape, bool)
    inside.flat[np.argsort(distance, axis=None, kind="stable")[:count]] = True
    return inside
