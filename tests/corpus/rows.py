"""Rows of the corpus: a file that another library writes, and what has to be read of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import InvalidImage

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From RAS millimetres, as NIfTI has them, to LPS, as DICOM does."""

NUMBER_TYPES = (
    *("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("float32", "float64"),
)
"""The types of numbers of images, as NumPy calls them."""


@dataclass(frozen=True, eq=False)
class Image:
    """What has to be read of a file.

    Parameters
    ----------
    values
        ``(z, y, x)`` or ``(z, y, x, 3)``.
    lps
        4 x 4, from the voxel index ``(x, y, z)`` to LPS millimetres.
    notes
        A part of each note, in their order.
    options
        Arguments of `read_volume`.
    """

    path: Path
    values: Any
    lps: Any
    unit: str = ""
    notes: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    def check(self):
        volume = nmv.read_volume(self.path, **self.options)
        np.testing.assert_array_equal(volume.data * np.float64(volume.scale), self.values)
        xyz_to_lps = volume.affine[[2, 1, 0, 3]][:, [2, 1, 0, 3]]
        np.testing.assert_allclose(xyz_to_lps, self.lps, atol=1e-4, rtol=1e-6)
        assert volume.unit == self.unit
        assert len(volume.notes) == len(self.notes), volume.notes
        for part, note in zip(self.notes, volume.notes, strict=True):
            assert part in note


@dataclass(frozen=True, eq=False)
class Refused:
    """A file that is not read, and parts of the message and hint."""

    path: Path
    parts: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    def check(self):
        with pytest.raises(InvalidImage) as raised:
            nmv.read_volume(self.path, **self.options)
        text = f"{raised.value.message} {raised.value.hint}"
        for part in self.parts:
            assert part in text, text


class Rows:
    """The rows of a format by their ids; a row builds its file and returns what is expected."""

    def __init__(self):
        self.builders: dict[str, Callable[[Path], Any]] = {}

    def __call__(self, name, *arguments):
        """A decorator that adds a builder, called with the folder and these arguments."""

        def add(build):
            assert name not in self.builders
            self.builders[name] = partial(build, *arguments) if arguments else build
            return build

        return add

    def each(self, name, cases):
        """A decorator that adds a row for each of the cases: their id and their arguments."""

        def add(build):
            for case, arguments in cases.items():
                self(f"{name}-{case}", *arguments)(build)
            return build

        return add

    @property
    def parametrized(self):
        return pytest.mark.parametrize("build", self.builders.values(), ids=list(self.builders))


def counted(shape, dtype=np.int16):
    """An array in which each voxel has a value of its own."""
    return (np.arange(np.prod(shape)) % 30011).astype(dtype).reshape(shape)


def matrix(columns, origin):
    """4 x 4 of the steps along the three indices and the position of the first voxel."""
    result = np.eye(4)
    result[:3, :3] = np.column_stack(columns)
    result[:3, 3] = origin
    return result
