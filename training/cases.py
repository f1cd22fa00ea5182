"""Cases of the evaluation: an image, a mask, a spacing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Case:
    """One structure in one image.

    Parameters
    ----------
    image, truth
        ``(Z, Y, X)`` float32 and bool.
    spacing
        ``(z, y, x)`` in mm.
    """

    name: str
    image: NDArray[np.float32]
    truth: NDArray[np.bool_]
    spacing: tuple[float, float, float]


def read_cases(folder: Path) -> list[Case]:
    """The pairs ``NAME_image.nrrd``, ``NAME_label.nrrd`` of a folder, in the order of their names.

    Raises
    ------
    FileNotFoundError
        The folder has no such pair.
    ValueError
        The grids of a pair differ.
    """
    cases = [_read(path) for path in sorted(folder.glob("*_image.nrrd"))]
    if not cases:
        raise FileNotFoundError(f"{folder} has no NAME_image.nrrd with NAME_label.nrrd.")
    return cases


def _read(path: Path) -> Case:
    import SimpleITK as sitk

    name = path.name.removesuffix("_image.nrrd")
    image = sitk.ReadImage(str(path))
    label = sitk.ReadImage(str(path.with_name(f"{name}_label.nrrd")))
    data = sitk.GetArrayFromImage(image).astype(np.float32)
    truth = sitk.GetArrayFromImage(label) > 0
    if data.shape != truth.shape:
        raise ValueError(f"{name}: the image is {data.shape}, the label {truth.shape}.")
    x, y, z = image.GetSpacing()
    return Case(name, data, truth, (z, y, x))
