"""What is segmented: structures of the MNI152 brain, and phantoms with noise and bias field.

The template is the one that nilearn ships (ICBM 2009a, symmetric, skull-stripped, T1). Its tissue
maps give the truth, so the truth does not come from any threshold on the T1 image:

- white matter, grey matter: the tissue's map is above 0.5, inside the brain mask;
- whole brain: the brain mask;
- lateral ventricles: neither tissue (1 - grey - white above 0.5) at least 8 mm inside the brain
  mask; cut at the midsagittal plane, the largest connected component on each side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from benchmarks.phantoms import ellipsoids, lesion, scanned, vessels
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.volume import Modality, Volume


@dataclass(frozen=True, eq=False)
class Task:
    """A structure to be segmented: ``truth`` is ``(z, y, x)`` bool on the volume's grid."""

    name: str
    volume: Volume
    truth: np.ndarray


@lru_cache(maxsize=2)
def mni_maps(resolution_mm: int) -> tuple[Volume, dict[str, np.ndarray]]:
    """The T1 volume and its maps ``grey``, ``white`` (0 to 1) and ``brain`` (bool)."""
    from nilearn import datasets

    def read(load: Callable[..., object]) -> tuple[np.ndarray, np.ndarray]:
        image = load(resolution=resolution_mm)
        return np.ascontiguousarray(image.get_fdata(dtype=np.float32).T), image.affine

    t1, affine = read(datasets.load_mni152_template)
    volume = Volume(t1, affine_from_ras(affine), Modality.MR, f"MNI152 {resolution_mm} mm")
    maps = {
        "grey": read(datasets.load_mni152_gm_template)[0],
        "white": read(datasets.load_mni152_wm_template)[0],
        "brain": read(datasets.load_mni152_brain_mask)[0] > 0,
    }
    return volume, maps


def mni_truths(resolution_mm: int = 1) -> tuple[Volume, dict[str, np.ndarray]]:
    """The T1 volume and the five true masks."""
    volume, maps = mni_maps(resolution_mm)
    brain = maps["brain"]
    left, right = _ventricles(volume, maps)
    return volume, {
        "left ventricle": left,
        "right ventricle": right,
        "white matter": (maps["white"] > 0.5) & brain,
        "grey matter": (maps["grey"] > 0.5) & brain,
        "whole brain": brain,
    }


def _ventricles(volume: Volume, maps: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    depth = ndimage.distance_transform_edt(maps["brain"], sampling=volume.spacing)
    fluid = (1 - maps["grey"] - maps["white"] > 0.5) & (depth > 8)
    row = [(0, 0, x) for x in range(fluid.shape[2])]
    left_mm = volume.grid.to_world(row)[:, 2]
    return largest_component(fluid & (left_mm > 0.5)), largest_component(fluid & (left_mm < -0.5))


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest face-connected component of a mask."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def all_tasks() -> list[Task]:
    """The eight structures of the benchmark, the brain at 1 mm."""
    volume, truths = mni_truths(1)
    return [Task(name, volume, truth) for name, truth in truths.items()] + _phantoms(0)


def quick_tasks() -> list[Task]:
    """The same structures, the brain at 2 mm."""
    volume, truths = mni_truths(2)
    return [Task(name, volume, truth) for name, truth in truths.items()] + _phantoms(0)


def unseen_tasks() -> list[Task]:
    """Variants that nothing was tuned on: other seeds, thick slices, inverted, noise and bias."""
    volume, truths = mni_truths(2)
    tasks = [task for seed in (11, 12, 13) for task in _phantoms(seed)]
    inverted = Volume(volume.data.max() - volume.data, volume.affine)
    thick = Volume(volume.data[:-1:2] / 2 + volume.data[1::2] / 2, volume.affine @ _thicker())
    rng = np.random.default_rng(5)
    noisy = scanned(volume.data, volume.spacing, rng, blur=0.0, noise=0.04, bias=0.2)
    for name, truth in truths.items():
        tasks.append(Task(f"{name}, inverted", inverted, truth))
        tasks.append(Task(f"{name}, 4 x 2 x 2 mm", thick, truth[:-1:2] & truth[1::2]))
        tasks.append(Task(f"{name}, noise and bias", Volume(noisy.data, volume.affine), truth))
    return tasks


def _thicker() -> np.ndarray:
    step = np.diag([2.0, 1, 1, 1])
    step[0, 3] = 0.5
    return step


def _phantoms(seed: int) -> list[Task]:
    mark = f" {seed}" if seed else ""
    return [Task(f"{make.__name__}{mark}", *make(seed)) for make in (ellipsoids, vessels, lesion)]
