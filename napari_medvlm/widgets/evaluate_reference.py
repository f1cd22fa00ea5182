"""A label image on disk as a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.evaluation.segment.cases import whole
from napari_medvlm.io import read_volume
from napari_medvlm.layers import labels_data


def read_reference(path: Path) -> tuple[Any, dict[str, Any], str]:
    """The labels of a file as a napari layer: data, keywords, layer type.

    Raises
    ------
    InvalidImage
        If it cannot be read, or holds no labels.
    """
    from napari_medvlm.io.dicom_objects.seg_read import is_seg, read_seg

    if is_seg(path):
        return labels_data(read_seg(path))
    drawn = read_volume(path)
    if drawn.is_color:
        raise InvalidImage(f"{path.name} is a colour picture.", "Save labels as numbers.")
    return labels_data(NamedLabels(whole(drawn.data, path), drawn.grid, {}, drawn.name))
