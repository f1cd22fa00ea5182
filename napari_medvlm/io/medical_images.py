"""NIfTI, MGH, NRRD and MetaImage files as volumes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.array_checks import finite
from napari_medvlm.data.geometry.frames import affine_from_ras
from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.io.itk_header import METAIMAGE, NRRD
from napari_medvlm.io.itk_images import read_itk
from napari_medvlm.io.nifti_images import MGH, NIFTI, read_nifti
from napari_medvlm.io.numeric_locale import decimal_point

if TYPE_CHECKING:
    from nibabel.spatialimages import SpatialImage

OTHERS = (*MGH, *NRRD, *METAIMAGE)
MEDICAL = (*NIFTI, *OTHERS)
"""Endings of all files that `read_image` reads."""


def read_image(path: Path, frame: int | None = None) -> Volume:
    """Read one volume.

    Parameters
    ----------
    frame
        Which volume of a 4D file, from 0.

    Raises
    ------
    InvalidImage
        If the file cannot be read, is damaged, has more than one volume and none is chosen, holds
        colours or vectors, or does not fit into memory.
    """
    read = read_nifti if path.name.lower().endswith((*NIFTI, *MGH)) else read_itk
    with decimal_point:
        data, affine, notes = read(path, frame)
    mended, more = finite(data, inplace=True)
    name = path.name.removesuffix(".gz")
    return Volume(
        mended,
        affine,
        Modality.UNKNOWN,
        name.rsplit(".", 1)[0],
        source=path,
        notes=(*notes, *more),
    )


def volume_from_nibabel(image: SpatialImage, name: str, modality: Modality) -> Volume:
    """A volume of a 3D image that nibabel has in memory."""
    data = np.asanyarray(image.dataobj)
    if data.dtype == np.float64 and image.get_data_dtype() != np.float64:
        data = data.astype(np.float32)
    mended, notes = finite(np.ascontiguousarray(data.T))
    return Volume(mended, affine_from_ras(image.affine), modality, name, notes=notes)
