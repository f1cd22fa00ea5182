"""Random numbers and smooth random fields, drawn on any device from one recorded seed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

FIRST_EVALUATION_SEED = 900_000
"""Seeds from here on belong to the evaluation."""
OCTAVES = (3, 5, 9, 17)


def step_seed(seed: int, step: int) -> int:
    """The seed of one training step, so that a resumed run repeats it without any stored state."""
    if not 0 <= seed < FIRST_EVALUATION_SEED:
        raise ValueError(f"The seed {seed} is not in 0 to {FIRST_EVALUATION_SEED - 1}.")
    mixed = (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) % 2**64
    return int((mixed ^ (mixed >> 31)) % 2**62)


class Draw:
    """Random draws of one batch.

    Scalars and coarse grids come from a CPU generator, so that the scene is the same on every
    device; white noise per voxel comes from a generator of the device.

    Parameters
    ----------
    seed
        0 to 2^62.
    device
        Where the tensors are.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._scalars = torch.Generator().manual_seed(seed)
        self._voxels = torch.Generator(self.device).manual_seed(seed + 1)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform in [low, high)."""
        values = torch.rand(*shape, generator=self._scalars) * (high - low) + low
        return values.to(self.device)

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """The logarithm is uniform; both bounds are positive."""
        return (self.uniform(0, 1, *shape) * torch.log(torch.tensor(high / low))).exp() * low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal, from the scalar generator."""
        return torch.randn(*shape, generator=self._scalars).to(self.device)

    def chance(self, probability: float, *shape: int) -> Tensor:
        """Bool, true with that probability."""
        return self.uniform(0, 1, *shape) < probability

    def choice(self, weights: list[float], count: int) -> list[int]:
        """``count`` indices, drawn with the weights."""
        drawn = torch.multinomial(torch.tensor(weights), count, True, generator=self._scalars)
        return [int(i) for i in drawn]

    def integer(self, low: int, high: int) -> int:
        """One of low to high - 1."""
        return int(torch.randint(low, high, (1,), generator=self._scalars))

    def voxel_noise(self, *shape: int) -> Tensor:
        """Standard normal, one value per voxel."""
        return torch.randn(*shape, generator=self._voxels, device=self.device)

    def voxel_uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1), one value per voxel."""
        return torch.rand(*shape, generator=self._voxels, device=self.device)


def smooth_field(draw: Draw, count: int, size: int, roughness: tuple[float, ...]) -> Tensor:
    """Sums of trilinear noise of several wavelengths, ``(count, size, size, size)``, mean 0, sd 1.

    Parameters
    ----------
    roughness
        The largest weight of each octave of `OCTAVES`; each field draws its own weights below.
    """
    total = torch.zeros(count, size, size, size, device=draw.device)
    for cells, largest in zip(OCTAVES, roughness, strict=False):
        if largest:
            weight = draw.uniform(0.1, 1, count, 1, 1, 1) * largest
            coarse = draw.normal(count, 1, cells, cells, cells)
            fine = functional.interpolate(coarse, (size,) * 3, mode="trilinear", align_corners=True)
            total += weight * fine[:, 0]
    total -= total.mean((1, 2, 3), keepdim=True)
    return total / total.std((1, 2, 3), keepdim=True).clamp_min(1e-6)


def rotations(draw: Draw, count: int) -> Tensor:
    """Uniform rotation matrices, ``(count, 3, 3)``, from unit quaternions."""
    w, x, y, z = functional.normalize(draw.normal(count, 4), dim=1).unbind(1)
    rows = (
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack(rows, 1).reshape(count, 3, 3)


def grid(size: int, device: torch.device) -> Tensor:
    """Voxel centres in units of half the crop, -1 to 1: ``(3, size, size, size)``, zyx."""
    axis = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) / size * 2 - 1
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Separable Gaussian blur with a standard deviation per image and axis.

    Parameters
    ----------
    images
        ``(B, Z, Y, X)`` float.
    sigma
        ``(B, 3)`` in voxels, up to 2.5; the kernel has 9 taps.
    """
    taps = torch.arange(-4, 5, device=images.device, dtype=torch.float32)
    count = images.shape[0]
    for axis in range(3):
        kernel = torch.exp(-0.5 * (taps / sigma[:, axis, None].clamp_min(1e-3)) ** 2)
        kernel = kernel / kernel.sum(1, keepdim=True)
        shape, padding = [count, 1, 1, 1, 1], [0] * 6
        shape[2 + axis] = 9
        padding[4 - 2 * axis] = padding[5 - 2 * axis] = 4
        padded = functional.pad(images[None], padding, mode="replicate")
        images = functional.conv3d(padded, kernel.reshape(shape), groups=count)[0]
    return images
