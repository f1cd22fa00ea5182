"""A medical image as an array with its place in the patient."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.grid import FloatArray, Grid, Index
from napari_medvlm.data.interface.thumbnail import html_of, png_of

HU = "HU"
SUV_UNIT = "g/ml{SUVbw}"
"""UCUM's form of grams per millilitre, SUV by body weight."""
ASSUMED = "1 mm is assumed."
"""End of the note on a file without voxel spacing."""
TAKEN = "it was taken as 1 mm."
"""End of that note for a photograph, whose spacing is not asked for."""
OF_SLICES = (
    "The thickness of the slice ",
    "The spacing of the slices ",
    "The spacing of the frames ",
)
"""Begin of such notes where the size of a pixel within a slice is known."""
UNTOLD_SIZE = "The file has no voxel spacing; lengths and volumes depend on it."


class Modality(StrEnum):
    """Modality in DICOM terms; `UNKNOWN` if the file does not state it."""

    CT = "CT"
    MR = "MR"
    PT = "PT"
    NM = "NM"
    US = "US"
    CR = "CR"
    DX = "DX"
    MG = "MG"
    XA = "XA"
    PHOTO = "XC"
    UNKNOWN = ""

    @classmethod
    def _missing_(cls, value: object) -> Modality:
        return cls.UNKNOWN


FLAT = (Modality.PHOTO, Modality.CR, Modality.DX, Modality.MG, Modality.XA, Modality.US)
"""Modalities of pictures and projections, which have no anatomical planes."""


@dataclass(frozen=True)
class Window:
    """The range of intensities shown: its centre and width, in the image's units."""

    center: float
    width: float

    def __str__(self) -> str:
        return f"W {_short(self.width)} L {_short(self.center)}"

    @classmethod
    def of_limits(cls, low: float, high: float) -> Window:
        """The window between two intensities."""
        return cls((low + high) / 2, high - low)

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest intensity shown."""
        return self.center - self.width / 2, self.center + self.width / 2


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value + 0.0:.4g}"  # + 0.0: never -0


@dataclass(frozen=True, eq=False)
class Volume:
    """An image: its array, its place in the patient and what is known of its making.

    Parameters
    ----------
    data
        ``(z, y, x)`` of any real type, in the file's order, or ``(z, y, x, 3)`` uint8 for a colour
        picture. A single picture has one slice. Never written to by this package.
    affine
        4 x 4 from voxel index ``(z, y, x, 1)`` to patient millimetres ``(S, P, L, 1)``.
    modality
        CT intensities are Hounsfield units unless ``stated_unit`` says otherwise.
    name
        For people: in menus, as a layer's name.
    source
        The file or folder that it was read from.
    series
        DICOM's SeriesInstanceUID; empty if it was not read from DICOM.
    suv
        Of PET: the standardized uptake value by body weight, in g/ml, of an intensity of 1. `None`
        if the header does not allow to compute it, or of other images.
    stated_unit
        Unit of the intensities as the file states it, in UCUM; empty if it is none that is known.
        `None`: the file does not state one.
    window
        The window that the header asks for.
    notes
        What was mended or assumed in reading, a sentence each.
    patient
        Words that identify the patient, so that nothing that has one is written down.

    Raises
    ------
    InvalidImage
        If the array is empty, has a number of axes that cannot be worked on, holds NaN or infinite
        values, or if the affine cannot be inverted.
    """

    data: NDArray[Any]
    affine: FloatArray = field(default_factory=lambda: np.eye(4))
    modality: Modality = Modality.UNKNOWN
    name: str = "image"
    source: Path | None = None
    window: Window | None = None
    notes: tuple[str, ...] = ()
    series: str = ""
    suv: float | None = None
    stated_unit: str | None = None
    patient: frozenset[str] = field(default=frozenset(), repr=False)

    def __post_init__(self) -> None:
        _check_array(self.data)
        object.__setattr__(self, "affine", self.grid.affine)

    def __repr__(self) -> str:
        size = " x ".join(f"{mm:.4g}" for mm in self.spacing)
        spacing = f"{size} mm" if self.spacing_is_known else "unknown"
        kind = self.modality or "unknown modality"
        return f"Volume({self.name!r}, {kind}, shape={self.shape}, spacing={spacing})"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The intensities, as `data`; a copy only if one is asked for or the type changes."""
        return np.array(self.data, dtype=dtype, copy=copy)

    def _repr_png_(self) -> bytes:
        """The middle axial slice, upright, for notebooks."""
        from napari_medvlm.data.geometry.display import patient_axes
        from napari_medvlm.data.region import SliceRef
        from napari_medvlm.data.slice_image import picture_of

        axis = 0 if self.is_color or not self.has_planes else patient_axes(self.affine)[0]
        return png_of(picture_of(self, SliceRef(axis, self.shape[axis] // 2)).pixels)

    def _repr_html_(self) -> str:
        """The middle axial slice with shape, spacing and modality, for notebooks."""
        size = " x ".join(f"{mm:.4g}" for mm in self.spacing)
        rows = {
            "shape (z, y, x)": self.shape,
            "spacing (z, y, x)": f"{size} mm" if self.spacing_is_known else "unknown",
            "modality": str(self.modality),
            "type": self.data.dtype,
            "range": f"{self.range[0]:g} to {self.range[1]:g} {self.unit}",
            "notes": " ".join(self.notes),
        }
        return html_of(self.name, rows, self._repr_png_())

    @property
    def shape(self) -> Index:
        """Number of voxels along ``(z, y, x)``."""
        z, y, x = self.data.shape[:3]
        return z, y, x

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Size of a voxel along ``(z, y, x)`` in millimetres."""
        return self.grid.spacing

    @property
    def spacing_is_assumed(self) -> bool:
        """Whether the file has no voxel spacing along some axis."""
        return any(note.endswith(ASSUMED) for note in self.notes)

    @property
    def spacing_is_known(self) -> bool:
        """Whether the file states the voxel spacing along all axes, so that volumes are in mL."""
        return not any(note.endswith((ASSUMED, TAKEN)) for note in self.notes)

    @property
    def pixel_size_is_known(self) -> bool:
        """Whether the file states the spacing within a slice, so that lengths in it are in mm."""
        unknown = (note for note in self.notes if note.endswith((ASSUMED, TAKEN)))
        return all(note.startswith(OF_SLICES) for note in unknown)

    @property
    def has_planes(self) -> bool:
        """Whether slices are axial, coronal or sagittal; not so in pictures and projections."""
        return self.modality not in FLAT

    def spaced(self, spacing_mm: Sequence[float]) -> Volume:
        """The same voxels in another size; the first one stays where it is.

        Parameters
        ----------
        spacing_mm
            Along ``(z, y, x)`` in millimetres.

        Raises
        ------
        InvalidImage
            If these are not three positive, finite numbers.
        """
        wanted = np.asarray(spacing_mm, float)
        if wanted.shape != (3,) or not (np.isfinite(wanted) & (wanted > 0)).all():
            raise InvalidImage(
                f"A voxel cannot have the size {tuple(spacing_mm)} mm.",
                "Enter three positive numbers, for z, y and x.",
            )
        affine = self.affine @ np.diag([*(wanted / self.spacing), 1.0])
        size = " x ".join(f"{mm:g}" for mm in wanted)
        notes = (n for n in self.notes if not n.endswith((ASSUMED, TAKEN)))
        return replace(self, affine=affine, notes=(*notes, f"Voxels of {size} mm, set by hand."))

    @property
    def is_color(self) -> bool:
        """Whether a voxel holds red, green and blue."""
        return self.data.ndim == 4

    @property
    def unit(self) -> str:
        """Of what is measured of intensities, as UCUM writes it; empty if it is not known."""
        if self.suv is not None:
            return SUV_UNIT
        if self.stated_unit is not None:
            return self.stated_unit
        return HU if self.modality is Modality.CT else ""

    @property
    def is_hu(self) -> bool:
        """Whether intensities are Hounsfield units."""
        return self.unit == HU

    @property
    def scale(self) -> float:
        """What an intensity is multiplied by to be in `unit`."""
        return 1.0 if self.suv is None else self.suv

    @cached_property
    def grid(self) -> Grid:
        """The lattice on which masks of this volume lie."""
        return Grid(self.shape, self.affine)

    @cached_property
    def range(self) -> tuple[float, float]:
        """Lowest and highest intensity."""
        return float(self.data.min()), float(self.data.max())

    @cached_property
    def digest(self) -> str:
        """Hexadecimal BLAKE2 hash of the intensities and the affine: the image's identity."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(f"{self.data.dtype.str} {self.data.shape}".encode())
        digest.update(np.round(self.affine, 6).tobytes())
        digest.update(np.ascontiguousarray(self.data).data)
        return digest.hexdigest()

    def intensity(self) -> NDArray[Any]:
        """``(z, y, x)``: the array itself, or the luminance (Rec. 601) of a colour picture."""
        if not self.is_color:
            return self.data
        weights = np.array([0.299, 0.587, 0.114], np.float32)
        result: NDArray[Any] = self.data.astype(np.float32) @ weights
        return result


def _check_array(data: NDArray[Any]) -> None:
    if data.size == 0:
        raise InvalidImage(f"The image is empty: its shape is {data.shape}.", "Load another image.")
    if data.ndim == 4 and data.shape[-1] == 3 and data.dtype == np.uint8:
        return
    if data.ndim != 3:
        raise InvalidImage(
            f"The image has {data.ndim} axes, {data.shape}; three are needed.",
            "Choose one volume of the series, or one channel of the picture.",
        )
    if data.dtype.kind not in "biuf":
        raise InvalidImage(
            f"The image holds values of type {data.dtype}; real numbers are needed.",
            "Take the magnitude of complex images first.",
        )
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        raise InvalidImage(
            "The image holds NaN or infinite values.",
            "Pass it through `napari_medvlm.io.finite` or load it with `read_volume`.",
        )


def require_contrast(volume: Volume) -> None:
    """Raise `InvalidImage` if all voxels are equal: there is nothing to distinguish."""
    low, high = volume.range
    if low == high:
        raise InvalidImage(
            f"All voxels of the image have the same value, {low:g}.",
            "There is nothing to segment in it; load another image.",
        )
