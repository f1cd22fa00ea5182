"""The same question about another image: one that is given, or slices far away from those shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.geometry.grid import Grid, same_grid
from napari_medvlm.data.montage import Montage
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import SliceImage, picture_of
from napari_medvlm.data.volume import Volume

FAR = 0.25
"""How far away other slices must be, as a share of the image's length along their axis."""


@dataclass(frozen=True, eq=False)
class Swap:
    """What stands in the place of the image.

    Parameters
    ----------
    volume
        On the image's grid.
    description
        What it is, after "of".
    chosen
        Whether a person chose it, as an image of which something else is right.
    """

    volume: Volume
    description: str
    chosen: bool


def other_image(other: Volume, volume: Volume) -> Swap:
    """Another image, see `fitted`."""
    return Swap(fitted(other, volume), f"the other image, {other.name},", True)


def slices_far_away(shown: Iterable[SliceRef], volume: Volume) -> Swap | None:
    """Each slice that is shown has the content of one far away from all of them.

    `None` if there is none: the slices lie along several axes, or are spread over the image.
    """
    indices: dict[int, set[int]] = {}
    for ref in shown:
        indices.setdefault(ref.axis, set()).add(ref.index)
    if len(indices) != 1:
        return None
    ((axis, positions),) = indices.items()
    best_shift = far_shift(sorted(positions), volume.shape[axis])
    if best_shift is None:
        return None
    shift, apart = best_shift
    data = np.roll(volume.data, -shift, axis=axis)
    distance = apart * volume.spacing[axis]
    return Swap(replace(volume, data=data), f"slices {distance:.0f} mm away", False)


def far_shift(indices: list[int], length: int) -> tuple[int, int] | None:
    """By how much to go on from each slice, round the end, and how far away that is at least.

    The slices that it leads to lie as near to the middle as can be, where there is something to
    see. `None` if none is far enough away.
    """
    positions = np.arange(length)
    apart = np.abs(positions[:, None] - np.array(indices)[None]).min(axis=1)
    if apart.max() < max(FAR * length, 1):
        return None
    led_to = (np.array(indices)[None] + positions[:, None]) % length
    nearest = apart[led_to].min(axis=1)
    off_middle = np.abs(led_to - (length - 1) / 2).mean(axis=1)
    off_middle[nearest < max(FAR * length, 1)] = np.inf
    shift = int(off_middle.argmin())
    return (shift, int(nearest[shift])) if np.isfinite(off_middle[shift]) else None


def fitted(other: Volume, volume: Volume) -> Volume:
    """Another image on a volume's grid: turned along the patient's axes, stretched to its size.

    Each voxel has the value of the nearest one. Where the patient is, does not count.
    """
    return replace(
        volume,
        data=_fitted(other, volume.grid),
        modality=other.modality,
        window=other.window,
        name=other.name,
    )


def _fitted(other: Volume, grid: Grid) -> NDArray[Any]:
    own, its = patient_axes(grid.affine), patient_axes(other.affine)
    turned = np.moveaxis(other.data, its, own)
    sign = [np.sign(grid.affine[k, own[k]] * other.affine[k, its[k]]) or 1.0 for k in range(3)]
    positions = []
    for k in sorted(range(3), key=lambda k: own[k]):
        length, there = grid.shape[own[k]], turned.shape[own[k]]
        index = ((np.arange(length) + 0.5) * there / length).astype(int)
        positions.append(index if sign[k] > 0 else there - 1 - index)
    result: NDArray[Any] = turned[np.ix_(*positions)]
    return result


def shown_slices(images: Iterable[SliceImage]) -> tuple[SliceRef, ...]:
    """The slices that pictures and montages show."""
    parts = (getattr(image, "tiles", ()) or (image,) for image in images)
    return tuple(getattr(p, "picture", p).slice for several in parts for p in several)


def repainted(image: SliceImage, volume: Volume, swap: Swap) -> SliceImage:
    """A picture with other content; what was drawn onto it stays.

    A picture of another grid, of a second image that was shown with it, gets the same content.
    """
    if isinstance(image, Montage):
        return Montage.of([repainted(tile.picture, volume, swap) for tile in image.tiles])
    own = same_grid(image.grid, volume.grid)
    content = swap.volume if own else _placed(swap.volume, image.grid)
    both_ct = volume.is_hu and content.is_hu
    windows = image.windows if both_ct or not swap.chosen else None
    rendered = picture_of(content, image.slice, windows or None, image.part)
    pixels = rendered.pixels
    if own:
        bare = picture_of(volume, image.slice, image.windows or None, image.part).pixels
        drawn = (bare != image.pixels).any(axis=2, keepdims=True)
        pixels = np.where(drawn, image.pixels, pixels)
    return replace(image, pixels=pixels)


def _placed(volume: Volume, grid: Grid) -> Volume:
    return replace(volume, data=_fitted(volume, grid), affine=grid.affine)
