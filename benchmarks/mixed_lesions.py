"""Phantoms of lesions that are not of one intensity: rims, cores, mottled and faint ones.

From 0.1 to 60 mL, in images that look like MR, CT and PET. Everything follows from the kind and the
seed, as in `benchmarks.patients`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from benchmarks.patients import Phantom, Scene, random_radius, tracer_scene
from napari_medvlm.data.volume import Modality

SMALLEST_MM = 2.9
"""The radius of a sphere of 0.1 mL."""


def _painted(
    scene: Scene, truth: np.ndarray, around: float, contrast: float, mottled: float
) -> None:
    """Paint a lesion with a texture and, at times, a core that is as dark as the surroundings."""
    rng = scene.rng
    texture = 0.7 * scene.texture(float(rng.uniform(2.0, 6.0))) + 0.5 * scene.texture(1.5)
    scene.image[truth] = around + contrast * (1 + mottled * texture[truth])
    depth = ndimage.distance_transform_edt(truth, sampling=scene.fine)
    if rng.random() < 0.5:
        rim = float(rng.uniform(0.2, 0.5) * depth.max())
        core = truth & (depth + 0.3 * rim * scene.texture(4.0) > rim)
        scene.image[core] = around + contrast * rng.uniform(-0.5, 0.4)


def mottled_tumour(seed: int) -> Phantom:
    """An enhancing tumour of uneven brightness or with a rim, in slices of up to 6.5 mm."""
    rng = np.random.default_rng([8, seed])
    thick, edge = float(rng.choice([1.0, 3.0, 5.0, 6.5])), float(rng.uniform(0.75, 1.1))
    scene = Scene(rng, (max(int(90 / thick), 14), 128, 128), (thick, edge, edge))
    brain = scene.ellipsoid(np.zeros(3), np.array([70, 56, 52]) * edge)
    scene.image[:] = 40
    scene.image[scene.ellipsoid(np.zeros(3), np.array([80, 62, 58]) * edge) & ~brain] = 700
    scene.image[brain] = np.where(scene.texture(5.0) > 0, 400, 340)[brain]
    scene.image[brain & (scene.texture(9.0) > 1.8)] = 160
    for _ in range(int(rng.integers(2, 9))):
        scene.tube(scene.place(0.3), float(rng.uniform(0.8, 1.8)), 750)
    truth = (
        scene.blob(scene.place(0.2), random_radius(rng, SMALLEST_MM, 22), wobble=0.25) < 1
    ) & brain
    swollen = ndimage.distance_transform_edt(~truth, sampling=scene.fine) < rng.uniform(0, 10)
    scene.image[swollen & brain & ~truth] -= 70
    _painted(scene, truth, 370, float(rng.uniform(110, 350)), float(rng.uniform(0.1, 0.45)))
    return scene.scan(truth, blur_mm=0.7, noise=float(rng.uniform(10, 25)), bias=0.12,
                      modality=Modality.MR)  # fmt: skip


def organ_lesion(seed: int) -> Phantom:
    """A lesion with partial contrast or a rim in an organ of a noisy CT."""
    rng = np.random.default_rng([9, seed])
    thick, edge = float(rng.choice([1.5, 3.0, 5.0])), float(rng.uniform(0.7, 0.95))
    scene = Scene(rng, (max(int(90 / thick), 14), 130, 130), (thick, edge, edge))
    scene.image[:] = -90 + 130 * (scene.texture(8.0) > 0.9)
    organ = scene.blob(np.zeros(3), 44, wobble=0.1, flat=0.9) < 1
    scene.image[organ] = 100 + 4 * scene.texture(3.0)[organ]
    for _ in range(6):
        scene.tube(scene.place(0.25), float(rng.uniform(1.2, 3.0)), 150)
    scene.image[~organ] = np.minimum(scene.image[~organ], 90)
    truth = (
        scene.blob(scene.place(0.2), random_radius(rng, SMALLEST_MM, 22), wobble=0.2) < 1
    ) & organ
    sign = float(rng.choice([-1, 1]))
    _painted(scene, truth, 100, sign * float(rng.uniform(25, 80)), float(rng.uniform(0.0, 0.3)))
    return scene.scan(truth, blur_mm=0.7, noise=float(rng.uniform(7, 16)), bias=0.0,
                      modality=Modality.CT)  # fmt: skip


def uptake(seed: int) -> Phantom:
    """A focus of tracer, at times with a cold centre, near organs that take up more or less."""
    rng = np.random.default_rng([10, seed])
    scene = tracer_scene(rng, 60)
    at, radius = scene.place(0.2), random_radius(rng, 5, 24)
    for _ in range(2):
        way = rng.normal(size=3)
        other = at + way / np.linalg.norm(way) * (radius + rng.uniform(18, 50))
        scene.image[scene.ellipsoid(other, rng.uniform(8, 20, 3))] = rng.uniform(200, 900)
    truth = scene.blob(at, radius, wobble=0.15) < 1
    _painted(scene, truth, 100, float(rng.uniform(150, 600)), float(rng.uniform(0.0, 0.3)))
    return scene.scan(truth, blur_mm=2.5, noise=float(rng.uniform(8, 20)), bias=0.0,
                      modality=Modality.PT)  # fmt: skip


MIXED: tuple[Callable[[int], Phantom], ...] = (mottled_tumour, organ_lesion, uptake)
