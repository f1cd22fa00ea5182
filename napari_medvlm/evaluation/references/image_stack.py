"""Several pictures as the slices of one volume."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume


def read_stack(paths: Sequence[Path]) -> Volume:
    """One image as it is; several pictures as the slices of a stack, 1 mm apart.

    Raises
    ------
    InvalidImage
        If one cannot be read, or they are not pictures of one size.
    """
    from napari_medvlm.io import read_volume

    volumes = [read_volume(path) for path in paths]
    if len(volumes) == 1:
        return volumes[0]
    color = any(volume.is_color for volume in volumes)
    planes = [_colored(volume.data) if color else volume.data for volume in volumes]
    if len({plane.shape for plane in planes}) > 1 or planes[0].shape[0] != 1:
        sizes = ", ".join(f"{p.shape[2]} x {p.shape[1]}" for p in planes)
        raise InvalidImage(
            f"The {len(paths)} pictures cannot be stacked: their sizes are {sizes}.",
            "Leave the case out, or bring them to one size.",
        )
    return Volume(np.concatenate(planes), volumes[0].affine, name=paths[0].stem)


def _colored(data: NDArray[Any]) -> NDArray[Any]:
    """``(z, y, x)`` grey as ``(z, y, x, 3)``."""
    return data if data.ndim == 4 else np.repeat(data[..., None], 3, axis=3).astype(np.uint8)
