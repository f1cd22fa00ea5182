"""Patient-like phantoms for the evaluation: numpy only, no code of the training generator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from training.cases import Case

FIRST_SEED = 900_001
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Triple = tuple[float, float, float]


def phantoms(first_seed: int = FIRST_SEED) -> list[Case]:
    """One volume of each kind, from consecutive seeds."""
    return [make(first_seed + k) for k, make in enumerate(KINDS)]


def liver_metastasis(seed: int) -> Case:
    """CT: a dark lesion in a liver with brighter vessels, 2.5 x 0.8 x 0.8 mm."""
    space = _Space(seed, (40, 128, 128), (2.5, 0.8, 0.8))
    liver = space.blob((0, 0, 5), (44, 42, 46), 0.1)
    image = np.where(liver, 105.0, -80.0)
    image[space.walk((-30, -20, -30), 2.0, 90) & liver] = 150
    image[space.walk((20, 25, -25), 1.8, 90) & liver] = 150
    lesion = space.blob((4, 6, 10), (11, 13, 10), 0.15) & liver
    image[lesion] = 70
    return space.case("liver metastasis", image, lesion, blur=0.7, noise=16)


def lung_nodule(seed: int) -> Case:
    """CT: a lobulated nodule with a vessel that runs into it, near the chest wall."""
    space = _Space(seed, (50, 120, 120), (2.0, 0.7, 0.7))
    wall = ~space.blob((0, 0, -14), (70, 60, 40), 0.03)
    image = np.where(wall, 40.0, -850.0)
    image[space.walk((-10, 4, -20), 1.6, 60)] = 20
    image[space.walk((5, -20, -25), 1.2, 60)] = 10
    lesion = space.blob((-4, 5, 8), (7, 8, 7.5), 0.18) & ~wall
    image[lesion] = 30
    return space.case("lung nodule", image, lesion, blur=0.6, noise=35)


def ring_tumour(seed: int) -> Case:
    """MR with contrast: a bright ring around a dark core in thick slices; both are the tumour."""
    space = _Space(seed, (24, 128, 128), (5.5, 0.8, 0.8))
    brain = space.blob((0, 0, 0), (62, 48, 46), 0.04)
    grey = brain & (space.noise(5) > 0.3)
    image = np.where(brain, 300.0, 30.0) - 50 * grey
    image[space.blob((0, 0, -6), (12, 20, 5), 0.1)] = 110
    tumour = space.blob((6, 12, 18), (16, 15, 14), 0.2) & brain
    depth = ndimage.distance_transform_edt(tumour, sampling=space.spacing)
    image[tumour] = 480
    image[tumour & (depth > 4)] = 230
    return space.case("ring-enhancing tumour", image, tumour, blur=0.6, noise=22, bias=0.15)


def breast_lesion(seed: int) -> Case:
    """MR with contrast: a small bright lesion in glandular tissue, 2.0 x 0.7 x 0.7 mm."""
    space = _Space(seed, (28, 96, 96), (2.0, 0.7, 0.7))
    gland = space.noise(4) > 0.2
    image = np.where(gland, 210.0, 90.0)
    image[space.walk((-8, -10, -20), 0.9, 50)] = 380
    lesion = space.blob((0, 3, 2), (5, 6, 4.5), 0.25)
    image[lesion] = 400
    return space.case("breast lesion", image, lesion, blur=0.5, noise=30, bias=0.2)


def kidney(seed: int) -> Case:
    """CT with contrast: a kidney with a dark sinus; the muscle at its back is a little darker."""
    space = _Space(seed, (44, 112, 112), (3.0, 0.9, 0.9))
    image = np.full(space.shape, -90.0)
    image[space.blob((0, 34, -4), (80, 16, 30), 0.06)] = 65
    organ = space.blob((0, 0, 0), (46, 24, 26), 0.06)
    sinus = space.blob((0, 0, -18), (20, 10, 16), 0.15)
    image[organ] = 170
    image[sinus & organ] = -50
    return space.case("kidney", image, organ & ~sinus, blur=0.8, noise=22)


def lymph_node(seed: int) -> Case:
    """CT with contrast: an oval node that touches a vessel of nearly the same intensity."""
    space = _Space(seed, (36, 100, 100), (2.0, 0.8, 0.8))
    image = np.where(space.noise(6) > 0.6, 50.0, -95.0)
    vessel = space.tube((0, -9, 0), 6.0)
    image[vessel] = 150
    node = space.blob((0, 4, 3), (10, 7, 8), 0.1) & ~vessel
    image[node] = 105
    return space.case("lymph node", image, node, blur=0.7, noise=18)


KINDS: tuple[Callable[[int], Case], ...] = (
    liver_metastasis,
    lung_nodule,
    ring_tumour,
    breast_lesion,
    kidney,
    lymph_node,
)


class _Space:
    """A grid whose origin is its centre, with shapes in millimetres that vary with the seed."""

    def __init__(self, seed: int, shape: tuple[int, int, int], spacing: Triple) -> None:
        self.shape, self.spacing = shape, spacing
        self._rng, self._seed = np.random.default_rng(seed), seed
        axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
        self._zyx = np.meshgrid(*axes, indexing="ij", sparse=True)

    def noise(self, scale_mm: float) -> Floats:
        """Gaussian field of a correlation length, mean 0, standard deviation 1."""
        white = self._rng.normal(size=self.shape)
        field = ndimage.gaussian_filter(white, [scale_mm / s for s in self.spacing])
        return np.asarray(field / field.std())

    def blob(self, at: Triple, radii: Triple, wobble: float) -> Bools:
        """An ellipsoid of varied radii with a wavy surface."""
        varied = np.array(radii) * self._rng.uniform(0.85, 1.15, 3)
        parts = zip(self._zyx, at, varied, strict=True)
        distance = np.sqrt(sum(((x - c) / r) ** 2 for x, c, r in parts))
        return np.asarray(distance + wobble * self.noise(min(radii) / 2) < 1)

    def walk(self, start: Triple, radius: float, length_mm: int) -> Bools:
        """A winding vessel from a start towards the centre and beyond."""
        position, direction = np.array(start, float), -np.array(start, float)
        direction /= np.linalg.norm(direction)
        mask = np.zeros(self.shape, bool)
        for _ in range(length_mm):
            direction += self._rng.normal(0, 0.12, 3)
            direction /= np.linalg.norm(direction)
            position += direction
            parts = zip(self._zyx, position, strict=True)
            mask |= sum((x - c) ** 2 for x, c in parts) <= radius**2
        return mask

    def tube(self, at: Triple, radius: float) -> Bools:
        """A straight vessel along the first axis."""
        _, y, x = self._zyx
        inside = (y - at[1]) ** 2 + (x - at[2]) ** 2 <= radius**2
        return np.broadcast_to(inside, self.shape).copy()

    def case(
        self,
        name: str,
        image: Floats,
        truth: Bools,
        *,
        blur: float,
        noise: float,
        bias: float = 0.0,
    ) -> Case:
        """The image blurred (mm), with a smooth multiplicative field and noise."""
        scanned = ndimage.gaussian_filter(image, [blur / s for s in self.spacing])
        scanned = scanned * np.exp(bias * self.noise(25)) if bias else scanned
        scanned = scanned + self._rng.normal(0, noise, self.shape)
        largest, _ = ndimage.label(truth)
        sizes = np.bincount(largest.ravel())
        sizes[0] = 0
        connected = largest == sizes.argmax()
        return Case(f"{name} {self._seed}", scanned.astype(np.float32), connected, self.spacing)
