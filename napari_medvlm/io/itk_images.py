"""NRRD, MetaImage and whatever else SimpleITK reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import require_memory
from napari_medvlm.data.geometry.frames import affine_from_lps
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.io.detached_data import require_data_beside
from napari_medvlm.io.itk_header import has_list, size_unit
from napari_medvlm.io.read_errors import choose_frame, not_scalar, unreadable

BYTES = {"8-bit": 1, "16-bit": 2, "32-bit": 4, "64-bit": 8}
COPIES = 2
"""SimpleITK's image and the array of it are in memory together."""


def read_itk(path: Path, frame: int | None) -> tuple[NDArray[Any], FloatArray, tuple[str, ...]]:
    """One volume ``(z, y, x)`` of a file, its affine, and what was assumed.

    Raises
    ------
    InvalidImage
        As of `napari_medvlm.io.medical_images.read_image`.
    """
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        factor, notes = size_unit(path)
        require_data_beside(path)
        reader.ReadImageInformation()
        size, components = list(reader.GetSize()), reader.GetNumberOfComponents()
        require_memory(path, COPIES * components * np.prod(size, dtype=float) * _itemsize(reader))
        if components > 1 and (len(size) > 3 or not has_list(path)):
            raise not_scalar(path)
        volumes = components if components > 1 else int(np.prod(size[3:]))
        chosen = choose_frame(path, volumes, frame)
        image = reader.Execute()
    except (RuntimeError, OSError) as error:
        raise unreadable(path, error) from error
    data = sitk.GetArrayFromImage(image)
    if components > 1:
        data = np.ascontiguousarray(data[..., chosen])
    elif len(size) > 3:
        data = data.reshape(-1, *data.shape[-3:])[chosen]
    n = min(len(size), 3)
    direction, spacing, origin = np.eye(3), np.ones(3), np.zeros(3)
    direction[:n, :n] = np.reshape(image.GetDirection(), (len(size), len(size)))[:n, :n]
    spacing[:n], origin[:n] = image.GetSpacing()[:n], image.GetOrigin()[:n]
    affine = affine_from_lps(
        direction.ravel().tolist(), (factor * spacing).tolist(), (factor * origin).tolist()
    )
    return (data[None] if n == 2 else data), affine, notes


def _itemsize(reader: Any) -> int:
    import SimpleITK as sitk

    name = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    return next((size for text, size in BYTES.items() if text in name), 4)
