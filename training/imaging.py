"""From label maps to images: intensities, texture, artefacts of scanners, windows, scaling."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.fields import Draw, gaussian_blur, smooth_field
from training.scenes import CORE, LABELS, NEIGHBOUR, OBJECT, ORGAN, OTHER, TISSUES, Scene

THICKNESSES = (1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 10)
"""Voxels of the crop per slice of the scanner; each as likely as the others."""
CLIP = 3.0
"""Normalised intensities are cut at so many standard deviations."""


def render(draw: Draw, scene: Scene, rings: Tensor | None = None) -> Tensor:
    """Normalised images of scenes, ``(B, N, N, N)`` float; may cut the target at a border.

    The target of the scene is changed where the image ends inside the crop. In the batch elements
    of ``rings``, ``(B,)`` bool, the organ lies between the core and the rest of the object.
    """
    means, contrast = _means(draw, len(scene.labels))
    if rings is not None:
        step = (means[:, OBJECT] - means[:, ORGAN]) * draw.uniform(0.1, 1.2, len(means))
        means[:, CORE] = torch.where(rings, means[:, ORGAN] - step, means[:, CORE])
    images = torch.einsum("blzyx,bl->bzyx", scene.weights, means)
    images = images + _texture(draw, scene, contrast)
    images = gaussian_blur(images, draw.uniform(0.05, 0.9, len(images), 3))
    images = _thick_slices(draw, images)
    images = _bias(draw, images, contrast)
    images = _noise(draw, images, contrast)
    images = _window(draw, images, means)
    images = _outside(draw, images, scene)
    return normalised(images)


def normalised(images: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 in the crop, cut at `CLIP` and divided by it."""
    centred = images - images.mean((1, 2, 3), keepdim=True)
    scaled = centred / centred.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
    return scaled.clamp(-CLIP, CLIP) / CLIP


def _means(draw: Draw, count: int) -> tuple[Tensor, Tensor]:
    """Mean intensities ``(B, LABELS)`` and the contrast ``(B, 1)`` of the object to its organ."""
    means = draw.uniform(-1.5, 1.5, count, LABELS)
    sign = torch.where(draw.chance(0.6, count), 1.0, -1.0)
    contrast = draw.log_uniform(0.4, 2.5, count)
    means[:, OBJECT] = means[:, ORGAN] + sign * contrast
    tissue = draw.integer(0, TISSUES)
    same_as_tissue = draw.chance(0.25, count)
    means[:, OTHER] = torch.where(same_as_tissue, means[:, tissue], means[:, OTHER])
    alike = draw.chance(0.5, count)
    means[:, NEIGHBOUR] = torch.where(alike, means[:, OBJECT], means[:, NEIGHBOUR])
    necrotic = draw.chance(0.35, count)
    faint = means[:, OBJECT] + draw.uniform(-0.8, 0.8, count) * contrast
    means[:, CORE] = torch.where(necrotic, means[:, ORGAN], faint)
    return means, contrast[:, None]


def _texture(draw: Draw, scene: Scene, contrast: Tensor) -> Tensor:
    count, size = len(scene.labels), scene.labels.shape[-1]
    fields = smooth_field(draw, count * 2, size, (0.3, 0.6, 0.9, 1.0))
    fields = fields.reshape(count, 2, size, size, size)
    total = torch.zeros_like(fields[:, 0])
    for k in range(2):
        amplitude = draw.uniform(0, 0.3, count, LABELS) * draw.chance(0.6, count, LABELS) * contrast
        total += torch.einsum("blzyx,bl->bzyx", scene.weights, amplitude) * fields[:, k]
    return total


def _thick_slices(draw: Draw, images: Tensor) -> Tensor:
    """Averages along one axis, read back linearly or by the nearest slice."""
    size = images.shape[-1]
    result = []
    for image in images:
        axis, thickness = draw.integer(0, 3), THICKNESSES[draw.integer(0, len(THICKNESSES))]
        nearest = draw.integer(0, 4) == 0
        if thickness > 1:
            turned = image.movedim(axis, -1).reshape(1, size * size, size)
            slices = functional.avg_pool1d(turned, thickness, thickness, ceil_mode=True)
            mode = {"mode": "nearest"} if nearest else {"mode": "linear", "align_corners": False}
            thick = functional.interpolate(slices, slices.shape[-1] * thickness, **mode)
            image = thick[..., :size].reshape(size, size, size).movedim(-1, axis)
        result.append(image)
    return torch.stack(result)


def _bias(draw: Draw, images: Tensor, contrast: Tensor) -> Tensor:
    count, size = len(images), images.shape[-1]
    field = smooth_field(draw, count, size, (1.0, 0.3, 0, 0))
    strength = draw.uniform(0, 0.5, count, 1, 1, 1) * draw.chance(0.6, count, 1, 1, 1)
    return images + field * strength * contrast[:, :, None, None]


def _noise(draw: Draw, images: Tensor, contrast: Tensor) -> Tensor:
    """White or correlated, Gaussian or larger where the image is bright."""
    white = draw.voxel_noise(*images.shape)
    smooth = gaussian_blur(white, draw.uniform(0.3, 1.2, len(images), 3))
    smooth = smooth / smooth.std((1, 2, 3), keepdim=True).clamp_min(1e-6)
    correlated = draw.chance(0.5, len(images), 1, 1, 1)
    noise = torch.where(correlated, smooth, white)
    level = draw.log_uniform(0.02, 0.6, len(images), 1, 1, 1) * contrast[:, :, None, None]
    speckled = draw.chance(0.2, len(images), 1, 1, 1)
    gain = torch.where(speckled, (0.6 + 0.4 * images.abs()), torch.ones_like(images))
    return images + noise * level * gain


def _window(draw: Draw, images: Tensor, means: Tensor) -> Tensor:
    """For a part of the images, intensities cut at two levels, or a gamma curve."""
    count = len(images)
    object_mean = means[:, OBJECT, None, None, None]
    low = object_mean - draw.uniform(0.4, 3, count, 1, 1, 1)
    high = object_mean + draw.uniform(0.4, 3, count, 1, 1, 1)
    cut = torch.maximum(torch.minimum(images, high), low)
    images = torch.where(draw.chance(0.3, count, 1, 1, 1), cut, images)
    lowest = images.amin((1, 2, 3), keepdim=True)
    span = (images.amax((1, 2, 3), keepdim=True) - lowest).clamp_min(1e-6)
    curved = ((images - lowest) / span).clamp_min(1e-6) ** draw.log_uniform(
        0.6, 1.6, count, 1, 1, 1
    )
    return torch.where(draw.chance(0.3, count, 1, 1, 1), curved * span + lowest, images)


def _outside(draw: Draw, images: Tensor, scene: Scene) -> Tensor:
    """For a part of the images, a side of the crop lies outside the scan."""
    count, size = len(images), images.shape[-1]
    inside = torch.ones_like(scene.target)
    for i in range(count):
        if draw.integer(0, 6) == 0:
            axis, width = draw.integer(0, 3), draw.integer(1, size // 3)
            start = draw.integer(0, 2) * (size - width)
            inside[i].narrow(axis, start, width).fill_(False)
    scene.target &= inside
    fill = images.amin((1, 2, 3), keepdim=True)
    return torch.where(inside, images, fill)
