"""The size of a pixel as TIFF files state it: OME, ImageJ, or the resolution of the page.

https://docs.openmicroscopy.org/ome-model/latest/ome-tiff/specification.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_medvlm.data.volume import ASSUMED, TAKEN
from napari_medvlm.io.itk_header import MM_PER_UNIT

MM_PER_INCH = 25.4
SCREEN_DPI = (72, 96)
"""Resolutions that programs write for want of a real one."""
CENTIMETER, INCH = 3, 2
"""Values of TIFF's ResolutionUnit."""


@dataclass(frozen=True)
class PixelSize:
    """Millimetres between pixels; `None` where the file has none.

    Parameters
    ----------
    z
        Between pages.
    y, x
        Between rows and between columns.
    origin
        What it is from, for people; empty if it needs no check.
    """

    z: float | None = None
    y: float | None = None
    x: float | None = None
    origin: str = ""

    def transposed(self) -> PixelSize:
        """With rows and columns exchanged."""
        return PixelSize(self.z, self.x, self.y, self.origin)

    def spacing(self, slices: int) -> tuple[tuple[float, float, float], tuple[str, ...]]:
        """Along ``(z, y, x)`` in millimetres, and what was assumed for so many slices.

        Of a stack the size is to be asked for; of a single picture it is taken as 1 mm.
        """
        notes: tuple[str, ...] = ()
        ending = ASSUMED if slices > 1 else TAKEN
        if self.y is None or self.x is None:
            notes = (f"The size of a pixel is unknown; {ending}",)
        elif self.z is None:
            what = "spacing of the slices" if slices > 1 else "thickness of the slice"
            notes = (f"The {what} is unknown; {ending}",)
        if self.origin and self.y and self.x:
            size = f"{self.y:.4g} x {self.x:.4g} mm"
            notes = (f"The size of a pixel, {size}, is from {self.origin}; check it.", *notes)
        return (self.z or 1.0, self.y or 1.0, self.x or 1.0), notes


def pixel_size(file: Any, index: int) -> PixelSize:
    """The size of a pixel of a series of a tifffile.TiffFile."""
    page = file.series[index].keyframe
    if file.is_ome:
        return _of_ome(file.ome_metadata, index)
    if file.is_imagej:
        return _of_imagej(file.imagej_metadata or {}, page)
    per_mm, unit = {CENTIMETER: (0.1, "cm"), INCH: (1 / MM_PER_INCH, "inch")}.get(
        int(page.resolutionunit), (0.0, "")
    )
    x, y = page.resolution
    if not per_mm or min(x, y) <= 1 or (unit == "inch" and round(x) in SCREEN_DPI):
        return PixelSize()
    origin = f"the resolution in the file, {x:g} pixels per {unit}"
    return PixelSize(None, 1 / (per_mm * y), 1 / (per_mm * x), origin)


def _of_ome(text: str, index: int) -> PixelSize:
    from tifffile import xml2dict

    images = xml2dict(text).get("OME", {}).get("Image", [])
    images = images if isinstance(images, list) else [images]
    if index >= len(images):
        return PixelSize()
    pixels = images[index].get("Pixels", {})
    z, y, x = (_ome_size(pixels, axis) for axis in "ZYX")
    return PixelSize(z, y, x)


def _ome_size(pixels: Mapping[str, Any], axis: str) -> float | None:
    size = pixels.get(f"PhysicalSize{axis}")
    factor = MM_PER_UNIT.get(str(pixels.get(f"PhysicalSize{axis}Unit", "µm")).lower())
    return float(size) * factor if size and factor else None


def _of_imagej(metadata: Mapping[str, Any], page: Any) -> PixelSize:
    unit = str(metadata.get("unit", "")).replace("\\u00B5", "µ").lower()
    factor = MM_PER_INCH if unit in ("inch", "inches") else MM_PER_UNIT.get(unit)
    x, y = page.resolution
    if factor is None or min(x, y) <= 0:
        return PixelSize()
    between = float(metadata.get("spacing", 0))
    return PixelSize(between * factor or None, factor / y, factor / x)
