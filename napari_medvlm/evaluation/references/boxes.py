"""Boxes of a reference file, checked against the image that they belong to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from napari_medvlm.data.errors import InvalidReference
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region, SliceRef
from napari_medvlm.data.volume import Volume

SLACK = 1.0
"""How many voxels a box may reach out of the image, as boxes drawn by hand do; it is cut off."""

_INDEX = re.compile(r"(.*?)[ _.-]*(\d+)")
_EXTENSION = re.compile(r"(\.nii)?\.[a-z][a-z0-9]{1,4}$", re.IGNORECASE)


def voxel_region(
    phrase: str, volume: Volume, start: Sequence[float], stop: Sequence[float], location: str
) -> Region:
    """The region of the half-open index box ``start, stop``, each ``(z, y, x)``."""
    low, high = np.asarray(start, float), np.asarray(stop, float)
    _require_size(high - low, location)
    inner, outer = np.maximum(low, 0), np.minimum(high, volume.shape)
    if (low < inner - SLACK).any() or (high > outer + SLACK).any() or (inner >= outer).any():
        raise _outside(f"from {_text(low)} to {_text(high)} (z, y, x)", volume, location)
    return Region(phrase, Box.at_index(volume, inner, outer))


def slice_region(
    phrase: str, volume: Volume, index: int, x0y0x1y1: Sequence[float], location: str
) -> Region:
    """The region of a box in the pixels of a slice along axis 0, from edge to edge."""
    x0, y0, x1, y1 = x0y0x1y1
    if not 0 <= index < volume.shape[0]:
        raise _outside(f"on slice {index}", volume, location)
    box = voxel_region(phrase, volume, (index, y0, x0), (index + 1, y1, x1), location).box
    return Region(phrase, box, slice=SliceRef(0, index))


def patient_region(
    phrase: str, volume: Volume, a: Sequence[float], b: Sequence[float], location: str
) -> Region:
    """The region between two corners ``(S, P, L)`` in patient millimetres, in any order."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    _require_size(high - low, location)
    edges = np.diag(high - low).tolist()
    box = Box(corner_mm=tuple(low.tolist()), edges_mm=tuple(map(tuple, edges)))
    corners = volume.grid.to_index(box.corners()) + 0.5
    if (corners.max(axis=0) <= 0).any() or (corners.min(axis=0) >= volume.shape).any():
        raise _outside(f"from {_text(low)} to {_text(high)} mm (S, P, L)", volume, location)
    return Region(phrase, box)


def own_names(names: Iterable[str], volume: Volume, location: str, sliced: bool) -> frozenset[str]:
    """Of the file names in a reference, those that match this image.

    Parameters
    ----------
    names
        Names of pictures, or of their slices: ``brain.nii.gz``, ``brain_012.png``,
        ``brain/012.png``.
    sliced
        Whether each name comes with its slice, so that it may be called anything.

    Raises
    ------
    InvalidReference
        If they match several images, none of which is this one.
    """
    name_set = frozenset(names)
    own_stems = {volume.name, _stem(volume.name)}
    own_stems |= {_stem(volume.source.name)} if volume.source is not None else set()
    own_stems.discard("")
    series = {name: _series(name, volume) for name in name_set}
    matching = frozenset(name for name in name_set if own_stems & {_stem_of(name), *series[name]})
    if matching or sliced or len(set(series.values())) <= 1:
        return matching or name_set
    raise InvalidReference(
        f"{location} names {len(name_set)} images, such as {min(name_set)!r}, but none is called "
        f"{' or '.join(sorted(own_stems))}.",
        "Rename the image, or give the reference of this image only.",
    )


def index_in_name(name: str) -> int | None:
    """The number at the end of a file's name, before its extension."""
    match = _INDEX.fullmatch(_stem_of(name))
    return int(match[2]) if match else None


def _series(name: str, volume: Volume) -> tuple[str, ...]:
    """What the names of the slices of one image have in common: their beginning and folder."""
    match = _INDEX.fullmatch(_stem_of(name))
    if volume.shape[0] == 1 or match is None:
        return (_stem_of(name),)
    return match[1], PurePosixPath(name.replace("\\", "/")).parent.name


def _stem_of(path: str) -> str:
    return _stem(PurePosixPath(path.replace("\\", "/")).name)


def _stem(name: str) -> str:
    return _EXTENSION.sub("", name)


def _require_size(size: FloatArray, location: str) -> None:
    if not (size > 0).all():
        raise InvalidReference(
            f"{location}: the box has no size: {_text(size)} from its first corner to its last.",
            "Correct it, or leave it out; the last corner must lie beyond the first.",
        )


def _outside(box: str, volume: Volume, location: str) -> InvalidReference:
    return InvalidReference(
        f"{location}: the box {box} lies outside the image, whose shape is {volume.shape}.",
        "Choose the reference of this image, drawn on it at its full size.",
    )


def _text(values: FloatArray) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in values) + ")"
