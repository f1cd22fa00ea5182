"""The border of a proposal among the voxels of the image, by its intensities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.click_network.crops import Crop, Floats, box_above, put

Bools = NDArray[np.bool_]

WIDTH = 1.5
"""Half the width of the band in which a voxel may change sides, in steps of the crop."""
CORE, SHELL = 0.5, 2.5
"""Depth from which on a voxel counts for the inside, and height up to which one counts for the
outside, in steps of the crop; a thin mask counts from half of its depth."""
WEIGHT, STRONGEST = 1.0, 4.0
"""How much the intensity counts against the network, and the most that it counts."""
SUREST = 0.01
"""Probabilities are cut so far from 0 and 1."""
FEWEST, MOST = 5, 3_000_000
"""Fewer voxels have no mean intensity; a box of more is not refined."""


def refined(
    image: Floats, probabilities: Floats, crop: Crop, spacing: tuple[float, ...]
) -> tuple[tuple[slice, ...], Bools]:
    """The mask of a proposal, its border where the intensities have it, in a box of the image.

    Near the border of the mask, the log odds of the network are added to the log ratio of two
    normal distributions with a common standard deviation: the intensities deep inside, and those
    around the mask. Elsewhere the mask is that of the network.

    Parameters
    ----------
    image
        ``(Z, Y, X)``.
    probabilities
        ``(N, N, N)`` in the crop.

    """
    box = _box(probabilities, crop, image.shape, spacing)
    chances = put(probabilities, crop, box, spacing)
    inside = np.asarray(chances > 0.5)
    mask = probabilities > 0.5
    if not inside.any() or mask.all() or inside.size > MOST:
        return box, inside
    step = max(crop.step_mm, *spacing) / crop.step_mm
    heights = put(_depth(mask), crop, box, spacing) / step
    values = image[box]
    core = values[inside & (heights > min(CORE, 0.5 * float(heights.max())))]
    shell = values[~inside & (heights < -CORE) & (heights > -SHELL)]
    if len(core) < FEWEST or len(shell) < FEWEST:
        return box, inside
    near = np.abs(heights) <= WIDTH
    odds = _odds(chances[near]) + WEIGHT * _ratio(values[near], core, shell)
    inside[near] = odds > 0
    return box, inside


def _box(
    probabilities: Floats, crop: Crop, shape: tuple[int, ...], spacing: tuple[float, ...]
) -> tuple[slice, ...]:
    """The box of a mask and what lies around it, in the crop."""
    inner = box_above(probabilities, 0.5, crop, shape, spacing)
    step = max(crop.step_mm, *spacing)
    parts = []
    for part, most, size in zip(inner, crop.box(shape, spacing), spacing, strict=True):
        more = int(np.ceil(SHELL * step / size)) if part.stop > part.start else 0
        parts.append(slice(max(part.start - more, most.start), min(part.stop + more, most.stop)))
    return tuple(parts)


def _depth(mask: Bools) -> Floats:
    """Distance of each voxel to the surface in voxels, negative outside."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(mask, 1, mode="edge")
    inner = distance_transform_edt(padded)[1:-1, 1:-1, 1:-1]
    outer = distance_transform_edt(~padded)[1:-1, 1:-1, 1:-1]
    return np.asarray(np.where(mask, inner - 0.5, 0.5 - outer), np.float32)


def _odds(chances: Floats) -> Floats:
    """Log odds."""
    cut = np.clip(chances, SUREST, 1 - SUREST)
    return np.asarray(np.log(cut / (1 - cut)), np.float32)


def _ratio(values: Floats, core: Floats, shell: Floats) -> Floats:
    """Log ratio of the densities inside and outside, cut at `STRONGEST`."""
    variance = (float(core.var()) + float(shell.var())) / 2 + 1e-12
    ratio = ((values - shell.mean()) ** 2 - (values - core.mean()) ** 2) / (2 * variance)
    return np.asarray(np.clip(ratio, -STRONGEST, STRONGEST), np.float32)
