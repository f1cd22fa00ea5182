"""Arguments of public functions: volumes and masks as they are given, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import GeometryMismatch, InvalidImage, InvalidPrompt
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume


def require_volume(value: object) -> Volume:
    """Return a `Volume`; raise `InvalidImage` for an array, a path or another object."""
    if isinstance(value, Volume):
        return value
    raise InvalidImage(
        f"A Volume is needed as the image, but {type(value).__name__} was given.",
        "Read it with read_volume(path), or make it of an array: Volume(array, affine).",
    )


def as_mask(name: str, mask: NDArray[Any] | Mask, volume: Volume) -> Mask:
    """Convert an array ``(z, y, x)`` on a volume's grid to a mask.

    Parameters
    ----------
    name
        Of the mask, for the message; may be empty.

    Raises
    ------
    InvalidPrompt
        If it is neither an array nor a mask.
    GeometryMismatch
        If it has another shape than the volume.
    """
    argument: object = mask
    if not isinstance(argument, Mask | np.ndarray | list | tuple) and not hasattr(
        argument, "__array__"
    ):
        raise InvalidPrompt(
            f"A mask is needed, but {type(mask).__name__} was given.",
            "Give an array (z, y, x) of bool or a Mask.",
        )
    converted = mask if isinstance(mask, Mask) else None
    shape = np.shape(mask) if converted is None else converted.shape
    if shape != volume.shape:
        called = f"The mask {name}" if name else "The mask"
        raise GeometryMismatch(
            f"{called} has the shape {shape}, the image {volume.shape}.",
            "Resample it to the image first.",
        )
    return converted or Mask.of(np.asarray(mask))
