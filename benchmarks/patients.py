"""Phantoms that look like patients: lesions in organs, with neighbours, vessels and thick slices.

Everything follows from the kind and the seed. Seeds below `HELD_OUT` are for choosing parameters,
the others for checking them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from napari_medvlm.data.volume import Modality, Volume

HELD_OUT = 100
"""Seeds from here on are not used to choose parameters."""

Phantom = tuple[Volume, np.ndarray]
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]


class Scene:
    """A continuous scene sampled finely along z, from which thick slices are averaged."""

    def __init__(self, rng: np.random.Generator, shape: Shape, spacing: Spacing) -> None:
        self.rng, self.spacing = rng, spacing
        self.thick = max(round(spacing[0] / max(spacing[1], 0.8)), 1)
        self.fine = (spacing[0] / self.thick, spacing[1], spacing[2])
        self.shape = (shape[0] * self.thick, shape[1], shape[2])
        axes = (
            (np.arange(n) - (n - 1) / 2) * s for n, s in zip(self.shape, self.fine, strict=True)
        )
        self.axes = np.ix_(*axes)
        self.size = np.array(self.shape) * self.fine
        self.image = np.zeros(self.shape, np.float32)

    def texture(self, scale_mm: float) -> np.ndarray:
        """A random field of mean 0 and standard deviation 1."""
        coarse = np.maximum(np.array(self.fine), scale_mm / 2)
        shape = np.ceil(self.size / coarse).astype(int) + 4
        field = ndimage.gaussian_filter(self.rng.normal(size=shape), scale_mm / coarse)
        zoom = [n / (m - 4) for n, m in zip(self.shape, shape, strict=True)]
        inner = ndimage.zoom(field[2:-2, 2:-2, 2:-2], zoom, order=1, mode="nearest", grid_mode=True)
        inner = inner[tuple(slice(n) for n in self.shape)].astype(np.float32)
        return (inner - inner.mean()) / max(float(inner.std()), 1e-6)

    def blob(
        self, at_mm: np.ndarray, radius_mm: float, *, wobble: float = 0.15, flat: float = 0.65
    ) -> np.ndarray:
        """Distance from the centre of a lobed ellipsoid, 1 at its surface."""
        radii = radius_mm * self.rng.uniform(flat, 1.15, 3)
        parts = zip(self.axes, at_mm, radii, strict=True)
        distance = np.sqrt(sum(((a - c) / r) ** 2 for a, c, r in parts))
        return distance + wobble * self.texture(max(0.5 * radius_mm, 1.5))

    def ellipsoid(self, at_mm: np.ndarray, radii_mm: np.ndarray) -> np.ndarray:
        """Whether a voxel lies in an ellipsoid."""
        parts = zip(self.axes, at_mm, radii_mm, strict=True)
        return sum(((a - c) / r) ** 2 for a, c, r in parts) <= 1

    def tube(self, start_mm: np.ndarray, radius_mm: float, level: float, steps: int = 60) -> None:
        """Paint a winding tube of one intensity."""
        at = np.array(start_mm, float)
        way = self.rng.normal(size=3)
        way /= np.linalg.norm(way)
        step = max(radius_mm * 0.7, 0.7)
        for _ in range(steps):
            index = np.round((at + self.size / 2) / self.fine - 0.5).astype(int)
            reach = np.ceil(radius_mm / np.array(self.fine)).astype(int)
            low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, self.shape)
            if (low >= high).any():
                return
            box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            axes = (a.ravel()[s] for a, s in zip(self.axes, box, strict=True))
            near = sum((a - c) ** 2 for a, c in zip(np.ix_(*axes), at, strict=True))
            self.image[box][near <= radius_mm**2] = level
            at = at + step * way
            way = way + self.rng.normal(0, 0.12, 3)
            way /= np.linalg.norm(way)

    def place(self, margin: float = 0.3) -> np.ndarray:
        """A random position in the middle of the scene, in mm."""
        return self.rng.uniform(-margin, margin, 3) * self.size

    def scan(
        self, truth: np.ndarray, *, blur_mm: float, noise: float, bias: float, modality: Modality
    ) -> Phantom:
        """Blur, average slices, add a bias field and noise; the truth by half a voxel's share."""
        share = self._slices(truth.astype(np.float32))
        image = ndimage.gaussian_filter(self.image, [blur_mm / s for s in self.fine])
        image = self._slices(image * np.exp(bias * self.texture(0.35 * float(self.size[1]))))
        image = image + self.rng.normal(0, noise, image.shape)
        labels, _ = ndimage.label(share > 0.5)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        affine = np.diag([*self.spacing, 1.0])
        return Volume(np.round(image).astype(np.int16), affine, modality), labels == sizes.argmax()

    def _slices(self, array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, self.thick, *array.shape[1:]).mean(axis=1)


def random_radius(rng: np.random.Generator, low_mm: float, high_mm: float) -> float:
    """A radius between two others, in mm; its logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low_mm), np.log(high_mm))))


def tracer_scene(rng: np.random.Generator, width: int) -> Scene:
    """A body of 48 slices of ``width`` squared voxels that takes up a little of a tracer."""
    edge = float(rng.choice([2.0, 3.0, 4.0]))
    scene = Scene(rng, (48, width, width), (edge, edge, edge))
    body = scene.ellipsoid(np.zeros(3), scene.size * [0.6, 0.42, 0.42])
    scene.image[body] = 100 + 20 * scene.texture(12.0)[body]
    return scene


def brain_tumour(seed: int) -> Phantom:
    """An enhancing tumour, at times with a dark core, in a head with skin, fluid and vessels."""
    rng = np.random.default_rng([1, seed])
    thick = float(rng.choice([1.5, 3.0, 5.0, 6.5]))
    edge = float(rng.uniform(0.8, 1.3))
    scene = Scene(rng, (max(int(110 / thick), 12), 144, 144), (thick, edge, edge))
    radii = np.array([75, 66, 58]) * edge
    folds = scene.texture(5.0)
    scene.image[:] = 5
    scene.image[scene.ellipsoid(np.zeros(3), radii * 1.12)] = 900 + 0 * edge
    scene.image[scene.ellipsoid(np.zeros(3), radii * 1.05)] = 60
    brain = scene.ellipsoid(np.zeros(3), radii)
    scene.image[brain] = np.where(folds > 0, 380, 320)[brain] + 15 * scene.texture(1.5)[brain]
    scene.image[brain & (scene.texture(8.0) > 2.1)] = 150
    for _ in range(int(rng.integers(4, 12))):
        scene.tube(scene.place(0.3), float(rng.uniform(0.8, 1.8)), 800)
    radius = random_radius(rng, 4, 22)
    distance = scene.blob(scene.place(0.2), radius)
    truth = (distance < 1) & brain
    level = 350 * rng.uniform(1.35, 2.2)
    scene.image[truth] = level + 0.08 * level * scene.texture(2.0)[truth]
    if radius > 8 and rng.random() < 0.4:
        core = distance < rng.uniform(0.4, 0.65)
        scene.image[core & brain] = 280
    return scene.scan(truth, blur_mm=0.7, noise=float(rng.uniform(10, 30)), bias=0.12,
                      modality=Modality.MR)  # fmt: skip


def lung_nodule(seed: int) -> Phantom:
    """A nodule in a lung with vessels, free or at a vessel or at the wall of the chest."""
    rng = np.random.default_rng([2, seed])
    thick, edge = float(rng.choice([1.25, 2.5, 5.0])), float(rng.uniform(0.55, 0.85))
    scene = Scene(rng, (max(int(70 / thick), 12), 160, 160), (thick, edge, edge))
    wall = scene.ellipsoid(np.zeros(3), np.array([80, 52, 48]))
    scene.image[:] = 30 + 40 * (scene.texture(6.0) > 0.3)
    scene.image[wall] = -860 + 25 * scene.texture(2.0)[wall]
    radius = random_radius(rng, 3, 15)
    at = scene.place(0.22)
    if rng.random() < 0.35:
        at[1] = np.sign(at[1] + 1e-9) * (50 - 0.6 * radius)
        at[2] = 0.2 * at[2]
    for k in range(14):
        start = at + rng.normal(0, 0.8 * radius, 3) if k < rng.integers(0, 4) else scene.place(0.4)
        scene.tube(start, float(rng.uniform(0.7, 2.2)), 20)
    scene.image[~wall] = np.maximum(scene.image[~wall], 10)
    truth = (scene.blob(at, radius) < 1) & wall
    scene.image[truth] = float(rng.choice([-350, -30, 40, 80])) + 25 * scene.texture(1.5)[truth]
    return scene.scan(truth, blur_mm=0.6, noise=float(rng.uniform(15, 45)), bias=0.0,
                      modality=Modality.CT)  # fmt: skip


def liver_lesion(seed: int) -> Phantom:
    """A faint lesion in an organ of a noisy CT, with vessels, among organs of one intensity."""
    rng = np.random.default_rng([3, seed])
    thick, edge = float(rng.choice([2.0, 3.0, 5.0])), float(rng.uniform(0.7, 0.9))
    scene = Scene(rng, (max(int(100 / thick), 14), 150, 150), (thick, edge, edge))
    scene.image[:] = -100
    for at, size in (
        ((0, 0, -6), (60, 50, 46)),
        ((10, 20, 50), (30, 30, 18)),
        ((0, -40, 40), (25, 20, 25)),
    ):
        organ = scene.ellipsoid(np.array(at), np.array(size))
        scene.image[organ] = 105 + 4 * scene.texture(3.0)[organ]
    organ = scene.ellipsoid(np.array((0, 0, -6)), np.array((60, 50, 46)))
    for _ in range(8):
        scene.tube(scene.place(0.25), float(rng.uniform(1.5, 3.5)), 150)
    scene.image[~organ] = np.minimum(scene.image[~organ], 110)
    truth = (scene.blob(scene.place(0.18), random_radius(rng, 5, 20)) < 1) & organ
    level = 105 + float(rng.choice([-55, -40, 45]))
    scene.image[truth] = level + 4 * scene.texture(2.5)[truth]
    return scene.scan(truth, blur_mm=0.8, noise=float(rng.uniform(8, 18)), bias=0.0,
                      modality=Modality.CT)  # fmt: skip


def breast_lesion(seed: int) -> Phantom:
    """A small enhancing lesion among streaks of glandular tissue that enhance less, on a vessel."""
    rng = np.random.default_rng([4, seed])
    thick, edge = float(rng.choice([1.2, 2.0, 3.0])), float(rng.uniform(0.6, 0.9))
    scene = Scene(rng, (max(int(50 / thick), 12), 120, 90), (thick, edge, edge))
    scene.image[:] = 55 + 8 * scene.texture(2.0)
    gland = scene.texture(4.0) + scene.texture(9.0)
    scene.image += 35 * np.clip(gland - 0.8, 0, 1)
    at, radius = scene.place(0.25), random_radius(rng, 2.5, 10)
    for k in range(6):
        start = at + rng.normal(0, 0.6 * radius, 3) if k < 2 else scene.place(0.4)
        scene.tube(start, float(rng.uniform(0.7, 1.5)), 130)
    truth = scene.blob(at, radius, wobble=0.2) < 1
    scene.image[truth] = 135 * rng.uniform(0.9, 1.3) + 10 * scene.texture(1.5)[truth]
    return scene.scan(truth, blur_mm=0.6, noise=float(rng.uniform(3, 8)), bias=0.1,
                      modality=Modality.MR)  # fmt: skip


def hot_spot(seed: int) -> Phantom:
    """A focus of tracer in a blurred image, near an organ that takes up more."""
    rng = np.random.default_rng([5, seed])
    scene = tracer_scene(rng, 64)
    at, radius = scene.place(0.2), random_radius(rng, 6, 18)
    other = at + rng.normal(size=3) * [1, 1, 1] / 1.7 * (radius + 26)
    scene.image[scene.ellipsoid(other, np.full(3, 16.0))] = 900
    truth = scene.blob(at, radius, wobble=0.1) < 1
    scene.image[truth] = 100 * rng.uniform(3, 7)
    return scene.scan(truth, blur_mm=2.5, noise=float(rng.uniform(8, 20)), bias=0.0,
                      modality=Modality.PT)  # fmt: skip


def lymph_nodes(seed: int) -> Phantom:
    """One of several nodes of the same intensity that touch, next to a muscle a little darker."""
    rng = np.random.default_rng([6, seed])
    thick, edge = float(rng.choice([1.5, 3.0])), float(rng.uniform(0.6, 0.9))
    scene = Scene(rng, (max(int(60 / thick), 14), 110, 110), (thick, edge, edge))
    scene.image[:] = -90 + 8 * scene.texture(3.0)
    muscle = scene.axes[1] > 14 + 0 * scene.image
    scene.image[muscle] = 45
    radius = random_radius(rng, 5, 11)
    truth = scene.blob(np.zeros(3), radius, wobble=0.06) < 1
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(1, 4))):
        at = 1.75 * radius * np.array([0.3 * rng.normal(), np.sin(angle), np.cos(angle)])
        node = (scene.blob(at, radius * rng.uniform(0.7, 1.1), wobble=0.06) < 1) & ~truth
        scene.image[node] = 80
    scene.image[truth] = 80
    return scene.scan(truth, blur_mm=0.7, noise=float(rng.uniform(8, 15)), bias=0.0,
                      modality=Modality.CT)  # fmt: skip


def picture(seed: int) -> Phantom:
    """A spot on a single slice, in eight bits, with a texture and a drift of the light."""
    rng = np.random.default_rng([7, seed])
    scene = Scene(rng, (1, 200, 200), (1.0, 1.0, 1.0))
    scene.image[:] = 170 + 6 * scene.texture(4.0)
    for _ in range(5):
        scene.tube(scene.place(0.4) * [0, 1, 1], 1.5, 110)
    truth = scene.blob(scene.place(0.2) * [0, 1, 1], random_radius(rng, 8, 40)) < 1
    scene.image[truth] = rng.uniform(80, 135) + 8 * scene.texture(3.0)[truth]
    volume, mask = scene.scan(truth, blur_mm=1.0, noise=6, bias=0.1, modality=Modality.PHOTO)
    return Volume(np.clip(volume.data, 0, 255).astype(np.uint8), volume.affine), mask


KINDS: tuple[Callable[[int], Phantom], ...] = (
    brain_tumour, lung_nodule, liver_lesion, breast_lesion, hot_spot, lymph_nodes, picture
)  # fmt: skip
