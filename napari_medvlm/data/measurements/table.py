"""All that is measured of an object, as a row of a table: units and frames are in the names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_medvlm.data.geometry.frames import lps_from_affine
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.csv_file import write_table
from napari_medvlm.data.measurements.measure import diameters, longest_diameter_mm, measure
from napari_medvlm.data.volume import Volume


@dataclass(frozen=True)
class Row:
    """What is measured of an object; not a number where it cannot be measured.

    That is so of all figures of an empty object, and of lengths and volumes where the file does
    not state the voxel spacing: diameters in an axial slice need its pixel size only.

    Attributes
    ----------
    volume_ml
        Number of voxels times the volume of one.
    surface_mm2
        By SimpleITK's estimate from intersections with lines (Lehmann and Legland, Insight Journal,
        2012), which does not see the steps between voxels.
    longest_axial_mm, perpendicular_axial_mm
        The longest diameter in an axial slice and the longest across it, as of RECIST 1.1.
    longest_mm
        The longest diameter in any direction, from border to border as those in a slice; never
        shorter than ``longest_axial_mm``.
    center_s_mm, center_p_mm, center_l_mm
        The centroid in patient coordinates, towards superior, posterior and left.
    low_s_mm, ..., high_l_mm
        The box along the patient's axes, from voxel edge to voxel edge.
    mean, sd, minimum, maximum
        Of the intensities in ``unit``.
    unit
        ``"HU"`` for CT; ``"g/ml{SUVbw}"`` for PET whose header allows it; else empty: the image's
        own.
    """

    name: str
    voxels: int
    volume_ml: float
    surface_mm2: float
    longest_axial_mm: float
    perpendicular_axial_mm: float
    longest_mm: float
    center_s_mm: float
    center_p_mm: float
    center_l_mm: float
    low_s_mm: float
    low_p_mm: float
    low_l_mm: float
    high_s_mm: float
    high_p_mm: float
    high_l_mm: float
    mean: float
    sd: float
    minimum: float
    maximum: float
    unit: str

    @property
    def values(self) -> Mapping[str, str | int | float]:
        """By the column's name; millimetres to a thousandth."""
        return {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(self).items()}


COLUMNS = tuple(field.name for field in fields(Row))


def row(name: str, mask: Mask, volume: Volume) -> Row:
    """Measure an object on its volume's grid."""
    measurement = measure(volume, mask)
    nothing = float("nan")
    low, high = measurement.box_mm or ((nothing,) * 3, (nothing,) * 3)
    across = diameters(mask, volume.affine)
    inside = volume.intensity()[mask.slices][mask.crop] if mask.voxels else np.array([nothing])
    index = (np.argwhere(mask.crop) + mask.start).mean(axis=0) if mask.voxels else [nothing] * 3
    center = volume.grid.to_world(index).tolist()
    measured = Row(
        name=name,
        voxels=mask.voxels,
        volume_ml=measurement.volume_ml,
        surface_mm2=_surface(mask, volume),
        longest_axial_mm=across.longest_mm,
        perpendicular_axial_mm=across.perpendicular_mm,
        longest_mm=longest_diameter_mm(mask, volume.affine),
        **_along("center", center),
        **_along("low", low),
        **_along("high", high),
        mean=measurement.mean,
        sd=measurement.sd,
        minimum=float(inside.min()) * volume.scale,
        maximum=measurement.maximum,
        unit=measurement.unit,
    )
    unknown: dict[str, Any] = dict.fromkeys(_unknown_columns(volume), nothing)
    return replace(measured, **unknown)


def _unknown_columns(volume: Volume) -> tuple[str, ...]:
    """The columns that need a spacing which the file of a volume does not state."""
    if volume.spacing_is_known:
        return ()
    units = tuple(name for name in COLUMNS if name.endswith(("_mm", "_mm2", "_ml")))
    if not volume.pixel_size_is_known:
        return units
    return tuple(name for name in units if not name.endswith("axial_mm"))


def _along(what: str, spl_mm: Sequence[float]) -> dict[str, float]:
    return {f"{what}_{a}_mm": float(v) for a, v in zip("spl", spl_mm, strict=True)}


def write_csv(path: str | Path, rows: Sequence[Row]) -> None:
    """Write rows as a table that spreadsheets read.

    Raises
    ------
    CannotSave
        If the file cannot be written.
    """
    write_table(
        Path(path).expanduser(),
        list(COLUMNS),
        ([row.values.get(column) for column in COLUMNS] for row in rows),
    )


def _surface(mask: Mask, volume: Volume) -> float:
    import SimpleITK as sitk

    if not mask.voxels:
        return 0.0
    image = sitk.GetImageFromArray(np.pad(mask.crop, 1).astype(np.uint8))
    direction, spacing, _ = lps_from_affine(volume.affine)
    image.SetDirection(direction)
    image.SetSpacing(spacing)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputePerimeterOn()
    shape.Execute(image)
    return float(shape.GetPerimeter(1))
