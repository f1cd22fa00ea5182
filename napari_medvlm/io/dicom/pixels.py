"""The intensities of slices: decoded, rescaled, in colour where the file is."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.array_checks import require_memory
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.io.dicom.compressed_size import require_stated_sizes
from napari_medvlm.io.dicom.frames import Plane
from napari_medvlm.io.dicom.header import COPY_AGAIN, first_number, guarded, integer, text
from napari_medvlm.io.dicom.jpeg_scans import mend_scans
from napari_medvlm.io.dicom.native_pixels import fill_native

if TYPE_CHECKING:
    from pydicom import Dataset

THREADS = 4
INTEGERS = (np.uint8, np.int16, np.uint16, np.int32)


def read_pixels(planes: list[Plane], path: Path) -> NDArray[Any]:
    """``(z, y, x)`` intensities, or ``(z, y, x, 3)`` uint8 colours, in the order of the slices.

    Whole numbers stay whole: unsigned 8 bit, 16 bit or signed 32 bit, whichever is the least that
    holds them; others are float32.

    Raises
    ------
    InvalidImage
        If they do not fit into memory, or a file is damaged.
    """
    first = planes[0]
    rows, columns, samples = first.size
    color = samples == 3 or _is_palette(first)
    itemsize = 3 if color else 4
    files = {plane.path: plane.path.stat().st_size for plane in planes}
    require_memory(path, float(rows * columns) * len(planes) * itemsize + max(files.values()))
    shape = (len(planes), rows, columns, 3) if color else (len(planes), rows, columns)
    dtype = np.uint8 if color else _dtype(planes)
    out = np.empty(shape, np.int16 if dtype is np.int32 else dtype)
    for z, frame in _decoded(planes, _filled(planes, out)):
        if frame.shape != shape[1:] and frame.shape[:2] != (rows, columns):
            raise InvalidImage(
                f"A picture of {planes[z].path.name} has the shape {frame.shape}, not {shape[1:]}.",
                COPY_AGAIN,
            )
        values = _eight_bits(frame) if color else _rescaled(frame, planes[z])
        if dtype is np.int32 and out.dtype == np.int16 and not _fits(values):
            out = out.astype(np.int32)
        out[z] = values
    return out


def interpolated(data: NDArray[Any], samples: FloatArray) -> NDArray[Any]:
    """Slices at fractional places ``samples`` between those of ``(z, y, x)``; the type is kept."""
    if len(samples) == len(data) and np.array_equal(samples, np.arange(len(data))):
        return data
    out = np.empty((len(samples), *data.shape[1:]), data.dtype)
    for z, at in enumerate(samples):
        low = min(int(at), len(data) - 1)
        high, part = min(low + 1, len(data) - 1), np.float32(at - int(at))
        mixed = data[low] * (1 - part) + data[high] * part if part else data[low]
        out[z] = mixed if data.dtype.kind == "f" else np.rint(mixed)
    return out


def _is_palette(plane: Plane) -> bool:
    return text(plane.header, "PhotometricInterpretation") == "PALETTE COLOR"


def _dtype(planes: list[Plane]) -> type[np.generic]:
    """The least type that holds what the header says can occur."""
    if any(plane.has_table for plane in planes):
        return np.uint16 if all(plane.has_table for plane in planes) else np.float32
    if any(slope != 1 or intercept != int(intercept) for slope, intercept in _rescales(planes)):
        return np.float32
    kinds = {
        (
            integer(plane.path, plane.header, "BitsAllocated", 32),
            bool(integer(plane.path, plane.header, "PixelRepresentation", 0)),
        )
        for plane in planes
    }
    low = min(-(2 ** (bits - 1)) if signed else 0 for bits, signed in kinds)
    high = max(2 ** (bits - signed) - 1 for bits, signed in kinds)
    intercepts = [intercept for _, intercept in _rescales(planes)]
    low, high = low + int(min(intercepts)), high + int(max(intercepts))
    return _least(low, high)


def _least(low: int, high: int) -> type[np.generic]:
    for dtype in INTEGERS:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    return np.float32


def _rescales(planes: list[Plane]) -> set[tuple[float, float]]:
    return {plane.rescale for plane in planes}


def _fits(values: NDArray[Any]) -> bool:
    """Whether 16 bits hold them: 32 are taken only where values, not their type, need them."""
    limits = np.iinfo(np.int16)
    return bool(limits.min <= values.min() and values.max() <= limits.max)


def _rescaled(frame: NDArray[Any], plane: Plane) -> NDArray[Any]:
    if plane.has_table:
        return guarded(plane.path, lambda: _mapped(frame, plane.header))
    slope, intercept = plane.rescale
    if (slope, intercept) == (1.0, 0.0):
        return frame
    whole_numbers = slope == 1 and intercept == int(intercept) and abs(intercept) < 2**53
    if frame.dtype.kind != "f" and whole_numbers:
        small = frame.dtype.itemsize <= 2 and abs(intercept) < 2**30
        return frame.astype(np.int32 if small else np.int64) + int(intercept)
    with np.errstate(over="ignore", invalid="ignore"):
        return frame.astype(np.float64) * slope + intercept


def _mapped(frame: NDArray[Any], header: Dataset) -> NDArray[Any]:
    """Stored values by the modality LUT of the header.

    Entries of 9 to 15 bits, which pydicom refuses, stand in 16 like the others. Those of 8 bits may
    stand two in a word.
    """
    from pydicom import Dataset
    from pydicom.pixels import apply_modality_lut

    table, values = deepcopy(header.ModalityLUTSequence[0]), Dataset()
    count, first, bits = table.LUTDescriptor
    is_packed = isinstance(table.LUTData, bytes) and len(table.LUTData) < 2 * (count or 2**16)
    if is_packed:
        words = np.frombuffer(table.LUTData, np.uint8)[: count or 2**16].astype("<u2")
        table.LUTData = words.tobytes()
    table.LUTDescriptor = [count, first, 8 if bits == 8 and not is_packed else 16]
    values.ModalityLUTSequence = [table]
    values.file_meta = header.file_meta
    mapped: NDArray[Any] = apply_modality_lut(frame, values)
    return mapped


def _eight_bits(frame: NDArray[Any]) -> NDArray[Any]:
    if frame.dtype == np.uint8:
        return frame
    return (frame >> (8 * frame.dtype.itemsize - 8)).astype(np.uint8)


def _filled(planes: list[Plane], out: NDArray[Any]) -> set[int]:
    """Fill in the slices that need no decoder, on a few threads; which they are."""
    of_file = Counter(plane.path for plane in planes)
    alone = [z for z, plane in enumerate(planes) if of_file[plane.path] == 1]
    with ThreadPoolExecutor(THREADS, "medvlm-read") as pool:
        done = pool.map(lambda z: fill_native(planes[z], out[z]), alone)
        return {z for z, filled in zip(alone, done, strict=True) if filled}


def _decoded(planes: list[Plane], done: set[int]) -> Iterator[tuple[int, NDArray[Any]]]:
    """The place of each slice that is not yet done and its stored values, file after file."""
    files: dict[Path, list[int]] = {}
    for z, plane in enumerate(planes):
        if z not in done:
            files.setdefault(plane.path, []).append(z)
    for path, places in files.items():
        places.sort(key=lambda z: planes[z].frame)
        frames = _frames(path, sorted({planes[z].frame for z in places}))
        for _, of_frame in itertools.groupby(places, lambda z: planes[z].frame):
            frame = guarded(path, frames.__next__)
            for z in of_frame:
                yield z, _cut(frame, planes[z])


def _cut(frame: NDArray[Any], plane: Plane) -> NDArray[Any]:
    """The slice in a decoded picture: all of it, or its tile."""
    if plane.tile is None:
        return frame
    (row, column), (rows, columns, _) = plane.tile, plane.size
    return frame[row : row + rows, column : column + columns]


def _frames(path: Path, wanted: list[int]) -> Iterator[NDArray[Any]]:
    """Decoded frames: YBR as RGB, indexed colours looked up."""
    from pydicom import dcmread
    from pydicom.pixels import apply_color_lut, iter_pixels

    dataset = dcmread(path, force=True)
    name_syntax(dataset)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        require_stated_sizes(path, dataset)
        mend_scans(dataset)
    palette = dataset.get("PhotometricInterpretation") == "PALETTE COLOR"
    unused = _bits_not_at_the_low_end(dataset)
    for frame in iter_pixels(dataset, indices=wanted, decoding_plugin=_decoder(dataset)):
        if unused is not None:
            frame = np.right_shift(np.left_shift(frame, unused[0]), unused[1])
        yield apply_color_lut(frame, dataset) if palette else frame


def _bits_not_at_the_low_end(dataset: Dataset) -> tuple[int, int] | None:
    """Unused bits above the stored ones, and all unused ones, where some lie below.

    HighBit is free in files from before 2011, of ACR-NEMA mostly. The data set is changed so that
    all its bits are decoded. None if the stored bits are the lowest, as they must be today.
    """
    names = ("BitsAllocated", "BitsStored", "HighBit")
    allocated, stored, high = (first_number(dataset, name) for name in names)
    if allocated is None or stored is None or high is None:
        return None
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated or not stored <= high < allocated:
        return None
    dataset.BitsStored, dataset.HighBit = int(allocated), int(allocated) - 1
    return int(allocated - 1 - high), int(allocated - stored)


def _decoder(dataset: Dataset) -> str:
    """The plugin of pydicom to decode with; empty: pydicom's choice.

    GDCM, where it is installed, ends the whole process on some damaged frames.
    """
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return ""
    plugins = [name for name in get_decoder(syntax).available_plugins if name != "gdcm"]
    return "pylibjpeg" if "pylibjpeg" in plugins else next(iter(plugins), "")


def name_syntax(dataset: Dataset) -> None:
    """Files from before the standard's file format do not name how they are written."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
