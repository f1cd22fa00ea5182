"""What is looked at in every image that is read: sizes before, values after."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidImage

GIB = 2**30


def finite(data: NDArray[Any], *, inplace: bool = False) -> tuple[NDArray[Any], tuple[str, ...]]:
    """An array without NaN and infinite values, and what was mended, a sentence each.

    They are set to the least finite value, in a copy unless `inplace` is true.

    Raises
    ------
    InvalidImage
        If no value is finite.
    """
    if data.dtype.kind != "f":
        return data, ()
    good = np.isfinite(data)
    bad = int(data.size - np.count_nonzero(good))
    if not bad:
        return data, ()
    if bad == data.size:
        raise InvalidImage("All voxels of the image are NaN or infinite.", "Load another image.")
    least = data.min(where=good, initial=np.inf)
    share = f"{100 * bad / data.size:.2g} %"
    note = (
        f"{bad} voxels ({share}) were NaN or infinite and were set to the lowest value, {least:g}."
    )
    mended = data if inplace else data.copy()
    np.copyto(mended, least, where=~good)
    return mended, (note,)


def require_memory(path: Path, nbytes: float) -> None:
    """Raise `InvalidImage` if an image would not fit into the memory that is free."""
    import psutil

    free = psutil.virtual_memory().available
    if nbytes > 0.8 * free:
        raise InvalidImage(
            f"{path.name} needs {nbytes / GIB:.1f} GiB of memory; {free / GIB:.1f} GiB are free.",
            "Close other programs, or crop or downsample the image first.",
        )
