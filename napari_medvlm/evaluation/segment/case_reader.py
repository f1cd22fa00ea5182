"""Reading a labelled case into memory, whatever the layout of its data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import require_same_grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.references.label_objects import (
    has_objects,
    image_series,
    read_objects,
)
from napari_medvlm.evaluation.segment.cases import (
    MAX_LABELS,
    Case,
    Layout,
    Loaded,
    Structure,
    integer_labels,
)
from napari_medvlm.evaluation.segment.cvpr_npz import read_case
from napari_medvlm.io import read_volume

LOSSY = (".jpg", ".jpeg")
HALF = 127.5
"""Brightness from which a pixel of a mask saved as JPEG is inside."""


def load(case: Case) -> Loaded:
    """Read a case.

    Raises
    ------
    InvalidImage
        If a file cannot be read, or the labels are no whole numbers.
    GeometryMismatch
        If image and labels do not lie on the same grid, or are of different patients or frames of
        reference.
    """
    if case.layout is Layout.CVPR25:
        return read_case(case)
    series = image_series(case.image, case.labels)
    volume = read_volume(case.image, series=series, frame=case.channel)
    if has_objects(case.labels):
        named = read_objects(case.labels, volume)
        structures = case.structures or _by_name(named)
        return Loaded(volume, named.values, structures, named.covered)
    label_volume = read_volume(case.labels)
    require_same_grid(volume.grid, label_volume.grid, f"The label image {case.labels.name}")
    labels = integer_labels_of(label_volume, case.labels)
    return Loaded(volume, labels, case.structures or _by_value(labels, case.labels))


def integer_labels_of(labels: Volume, path: Path) -> NDArray[np.integer]:
    """The values of a label image ``(z, y, x)`` as whole numbers; errors as of `load`."""
    return integer_labels(_label_data(labels, path), path)


def _label_data(labels: Volume, path: Path) -> NDArray[np.generic]:
    """The values of a label image ``(z, y, x)``.

    Of a picture saved in colour, those of its channels if they are equal. A JPEG, whose compression
    changes values, is a mask: 255 where it is brighter than half, else 0.

    Raises
    ------
    InvalidImage
        If the channels differ.
    """
    data = labels.data
    if path.suffix.lower() in LOSSY:
        brightness = data.mean(axis=-1) if labels.is_color else data
        return np.where(brightness > HALF, np.uint8(255), np.uint8(0))
    if not labels.is_color:
        return data
    if not (data == data[..., :1]).all():
        raise InvalidImage(f"{path.name} is a colour picture.", "Save labels as numbers.")
    return data[..., 0]


def _by_name(named: NamedLabels) -> tuple[Structure, ...]:
    """A structure for each name; objects of one name are one structure."""
    values: dict[str, list[int]] = {}
    for value in sorted(named.present):
        values.setdefault(named.names.get(value, f"label {value}"), []).append(value)
    return tuple(Structure(name=name, values=tuple(of)) for name, of in values.items())


def _by_value(labels: NDArray[np.integer], path: Path) -> tuple[Structure, ...]:
    values = [value for value in np.unique(labels).tolist() if value]
    if len(values) > MAX_LABELS:
        raise InvalidImage(
            f"{path.name} has {len(values)} different values: it is an image, not labels.",
            "Choose the folder of the labels.",
        )
    return tuple(Structure(name=f"label {value}", values=(value,)) for value in values)
