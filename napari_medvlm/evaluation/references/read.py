"""Reference regions: boxes from files, and labels that somebody has drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.geometry.display import Reslice
from napari_medvlm.data.geometry.grid import same_grid
from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.references.coco import coco_regions
from napari_medvlm.evaluation.references.tables import table_regions


def read_references(path: Path, volume: Volume) -> tuple[Region, ...]:
    """The reference boxes in a file, without scores, on the image that they belong to.

    Pixels are those of a slice across axis 0 of the array, as it is stored; a picture's upper left
    corner is 0, and boxes run from edge to edge. Boxes may reach a voxel out of the image, where
    they are cut off.

    Parameters
    ----------
    path
        ``*.json``: COCO, with ``bbox`` as ``x, y, width, height`` in pixels. The slice is a
        picture's field ``slice``, or the number that its ``file_name`` ends in.

        Else a table with a header, its cells parted by commas, semicolons or tabs: ``phrase`` (or
        ``label``, ``name``, ``class``, ``class_name``), and the corners of the box, as
        ``s0, p0, l0, s1, p1, l1`` in patient millimetres; as ``z0, y0, x0, z1, y1, x1``, a
        half-open box of voxel indices; or as ``x0, y0, x1, y1`` (or ``x_min, y_min, x_max,
        y_max``) in pixels of the slice ``slice``, the first if there is no such column. Rows
        without any number are left out: the finding was not seen.

        Where ``file_name`` (in tables also ``image_id`` or ``image``) names several images, those
        named like the volume or its source are taken.
    volume
        The image.

    Raises
    ------
    InvalidReference
        If the file cannot be read, or a box has no size or lies outside the image.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidReference(
            f"{path.name} cannot be read: {error}.",
            "Choose a file of reference boxes: COCO JSON, CSV or TSV, as UTF-8 text.",
        ) from error
    read = coco_regions if path.suffix.lower() == ".json" else table_regions
    return read(text, path.name, volume)


def references_of_labels(labels: NamedLabels, volume: Volume) -> tuple[Region, ...]:
    """A region with mask and box for each value of a label image, on the volume's grid.

    Values without a name are called ``label 7``. Values that have no voxel in the volume, as small
    ones on a coarser grid, are left out.

    Raises
    ------
    InvalidReference
        If no label lies in the image.
    """
    if not same_grid(labels.grid, volume.grid):
        own = labels.grid
        labels = labels.moved(
            volume.grid, lambda values: np.asarray(Reslice(values, own, volume.grid, order=0))
        )
    regions = []
    for value, mask in _masks(labels):
        phrase = labels.names.get(value, f"label {value}")
        regions.append(Region.of_mask(phrase, mask, volume.grid, None, phrase))
    if not regions:
        raise InvalidReference(
            f"{labels.title} has no label in the image, whose shape is {volume.shape}.",
            "Choose the labels of this image, with values of 1 and more.",
        )
    return tuple(regions)


def _masks(labels: NamedLabels) -> Iterator[tuple[int, Mask]]:
    """The regions of a label image that have voxels, by their values from 1 on."""
    from scipy import ndimage

    values = labels.values
    boxes = {v: box for v, box in enumerate(ndimage.find_objects(values), start=1) if box}
    for value in sorted({*boxes, *labels.covered}):
        if value in labels.covered:
            mask = labels.mask_of(value)
            if mask.voxels:
                yield value, mask
            continue
        z, y, x = (side.start for side in boxes[value])
        yield value, Mask(values[boxes[value]] == value, (z, y, x), labels.grid.shape)
