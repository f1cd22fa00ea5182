"""The files of the CVPR 2025 challenge: ``.npz`` with images, labels, spacing, boxes and words.

``imgs`` and ``gts`` are ``(z, y, x)``, ``spacing`` is in millimetres in the same order, ``boxes``
is a list with a mapping for each label: the first and last slice, and the first and last row and
column on the middle one. ``text_prompts`` maps values to words. Boxes and words are pickled in the
file; they are unpickled without the power to run anything.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import GeometryMismatch, InvalidImage
from napari_medvlm.data.geometry.grid import Index
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.segment.cases import Case, Loaded, Structure, integer_labels

HARMLESS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""What arrays and mappings of numbers are made of in a pickle."""
DAMAGED = (
    *(OSError, ValueError, EOFError, TypeError, AttributeError, IndexError, KeyError),
    *(zipfile.BadZipFile, pickle.UnpicklingError),
)
"""What is raised where a file, or a pickle in it, is damaged."""
SIDES = ("z_min", "z_mid_y_min", "z_mid_x_min", "z_max", "z_mid_y_max", "z_mid_x_max")


def read_case(case: Case) -> Loaded:
    """Read a case of the challenge; errors as of `case_reader.load`."""
    arrays = _arrays(case.image)
    if "gts" not in arrays:
        arrays["gts"] = _need(_arrays(case.labels), "gts", case.labels)
    data, labels = (_deep(_need(arrays, key, case.image)) for key in ("imgs", "gts"))
    if data.shape[:3] != labels.shape:
        raise GeometryMismatch(
            f"In {case.image.name}, imgs has the shape {data.shape[:3]}, gts {labels.shape}.",
            "Take labels that were drawn on this image.",
        )
    affine = np.diag([*_spacing(arrays, case.image), 1.0])
    volume = Volume(data, affine, name=case.name, source=case.image)
    label_array = integer_labels(labels, case.labels)
    values = [value for value in np.unique(label_array).tolist() if value]
    names = {v: s.name for s in case.structures for v in s.values} or _words(arrays)
    boxes = _boxes(arrays, len(values))
    structures = tuple(
        Structure(name=names.get(value, f"label {value}"), values=(value,), box=box)
        for value, box in zip(values, boxes, strict=True)
    )
    return Loaded(volume, label_array, structures)


def _arrays(path: Path) -> dict[str, Any]:
    """All arrays of the file by name."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _array(archive.read(name)) for name in names}
    except DAMAGED as error:
        raise InvalidImage(
            f"{path.name} cannot be read as .npz: {error}.", "Copy or download it again."
        ) from error


def _array(content: bytes) -> Any:
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    _, _, dtype = read_header(file)
    if dtype.hasobject:
        return _Harmless(file).load()
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


class _Harmless(pickle.Unpickler):
    """Makes arrays, lists and mappings, and nothing that could do anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(f"it would run {module}.{name}")
        return super().find_class(module, name)


def _deep(data: NDArray[Any]) -> NDArray[Any]:
    """With three axes: a picture has one slice."""
    return data[None] if data.ndim == 2 else data


def _need(arrays: Mapping[str, Any], key: str, path: Path) -> Any:
    if key not in arrays:
        raise InvalidImage(
            f"{path.name} has no array {key!r}, only {', '.join(sorted(arrays))}.",
            "Choose files of the challenge, or the folder of their labels with --labels.",
        )
    return arrays[key]


def _spacing(arrays: Mapping[str, Any], path: Path) -> NDArray[np.float64]:
    spacing = np.asarray(arrays.get("spacing", (1.0, 1.0, 1.0)), np.float64).ravel()
    if spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InvalidImage(
            f"The spacing {spacing.tolist()} in {path.name} is not three sizes in mm.",
            "Repair the file.",
        )
    return spacing


def _words(arrays: Mapping[str, Any]) -> dict[int, str]:
    words = arrays.get("text_prompts")
    words = words.item() if isinstance(words, np.ndarray) and words.shape == () else words
    if not isinstance(words, Mapping):
        return {}
    return {int(key): str(text) for key, text in words.items() if str(key).isdigit()}


def _boxes(arrays: Mapping[str, Any], count: int) -> Sequence[tuple[Index, Index] | None]:
    """The half-open index box of each label, in their order; none where the file has not all."""
    boxes = arrays.get("boxes")
    entries = [] if boxes is None else np.atleast_1d(boxes).tolist()
    if len(entries) != count or not all(
        isinstance(entry, Mapping) and all(side in entry for side in SIDES) for entry in entries
    ):
        return [None] * count
    index_boxes: list[tuple[Index, Index] | None] = []
    for entry in entries:
        z0, y0, x0, z1, y1, x1 = (int(entry[side]) for side in SIDES)
        index_boxes.append(((z0, y0, x0), (z1 + 1, y1 + 1, x1 + 1)))
    return index_boxes
