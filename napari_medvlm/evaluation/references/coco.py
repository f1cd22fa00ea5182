"""Reference boxes from COCO JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from napari_medvlm.data.errors import DAMAGED, InvalidReference
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.references.boxes import index_in_name, own_names, slice_region

_T = TypeVar("_T")


def coco_regions(text: str, file: str, volume: Volume) -> tuple[Region, ...]:
    """The boxes of a COCO file that lie on a volume, see `read_references`."""
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidReference(
            f"{file}, line {error.lineno} is not JSON: {error.msg}.",
            "Export the boxes again as COCO JSON.",
        ) from error
    except DAMAGED as error:
        raise InvalidReference(
            f"{file} cannot be read: {error}.", "Export the boxes again as COCO JSON."
        ) from error
    images, annotations, categories = (
        _records(content, key, file) for key in ("images", "annotations", "categories")
    )
    slices = _slices(images, volume, file)
    names = {_id(c, "id", f"{file}, category {i}"): c for i, c in enumerate(categories)}
    regions = []
    for number, annotation in enumerate(annotations):
        location = f"{file}, annotation {annotation.get('id', number)}"
        index = _known(slices, _id(annotation, "image_id", location), "images", location)
        if index is None:
            continue
        category = _known(names, _id(annotation, "category_id", location), "categories", location)
        phrase = str(_need(category, "name", f"{location}: its category")).strip()
        x, y, width, height = _bbox(annotation, location)
        bounds = (x, y, x + width, y + height)
        regions.append(slice_region(phrase, volume, index, bounds, location))
    return tuple(regions)


def _slices(images: list[dict[str, Any]], volume: Volume, file: str) -> dict[int | str, int | None]:
    """The slice that each picture shows, by the picture's id; `None`: it is of another image."""
    names = [str(image.get("file_name", "")) for image in images]
    own_files = own_names(names, volume, file, sliced=all("slice" in image for image in images))
    slices: dict[int | str, int | None] = {}
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        location = f"{file}, image {image.get('id', number)}"
        slices[_id(image, "id", location)] = (
            _index(image, volume, location) if name in own_files else None
        )
    return slices


def _index(image: Mapping[str, Any], volume: Volume, location: str) -> int:
    """The slice along axis 0 that a picture shows."""
    size = image.get("height", volume.shape[1]), image.get("width", volume.shape[2])
    if size != volume.shape[1:]:
        raise InvalidReference(
            f"{location} is {size[0]} pixels high and {size[1]} wide, a slice of the image "
            f"{volume.shape[1]} and {volume.shape[2]}.",
            "Choose the reference of this image, drawn on it at its full size.",
        )
    index = image.get("slice", 0 if volume.shape[0] == 1 else None)
    index = index_in_name(str(image.get("file_name", ""))) if index is None else index
    if not isinstance(index, int):
        raise InvalidReference(
            f"{location} does not say which of {volume.shape[0]} slices it is.",
            'Give each image a field "slice", or a file name that ends in the slice\'s number.',
        )
    return index


def _records(content: Any, key: str, file: str) -> list[dict[str, Any]]:
    records = content.get(key) if isinstance(content, dict) else None
    if not isinstance(records, list) or not all(isinstance(item, dict) for item in records):
        raise InvalidReference(
            f'{file} has no list "{key}".',
            'Export the boxes as COCO JSON, with "images", "annotations" and "categories".',
        )
    return records


def _need(record: Mapping[str, Any], key: str, location: str) -> Any:
    if key not in record:
        fields = ", ".join(sorted(record)) or "nothing"
        raise InvalidReference(
            f'{location} has no field "{key}", only {fields}.', "Export the boxes as COCO JSON."
        )
    return record[key]


def _id(record: Mapping[str, Any], key: str, location: str) -> int | str:
    value = _need(record, key, location)
    if not isinstance(value, int | str):
        raise InvalidReference(
            f'{location}: the field "{key}" is {value!r}, which is no number and no text.',
            "Export the boxes as COCO JSON.",
        )
    return value


def _known(records: Mapping[int | str, _T], key: int | str, what: str, location: str) -> _T:
    if key not in records:
        raise InvalidReference(
            f'{location} speaks of {key!r}, which is not among the {len(records)} "{what}".',
            f'Add it to the list "{what}" of the file, or leave the annotation out.',
        )
    return records[key]


def _bbox(annotation: Mapping[str, Any], location: str) -> tuple[float, float, float, float]:
    bbox = _need(annotation, "bbox", location)
    try:
        x, y, width, height = map(float, bbox)
        if not np.isfinite([x, y, width, height]).all():
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidReference(
            f"{location}: the box {bbox!r} is not four numbers.",
            'Write "bbox" as [x, y, width, height] in pixels.',
        ) from error
    return x, y, width, height
