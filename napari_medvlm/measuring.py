"""How large something is, and how bright."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from napari_medvlm.geometry import FloatArray, world_bounds
from napari_medvlm.results import Mask
from napari_medvlm.volume import Modality, Volume


@dataclass(frozen=True)
class Measurement:
    """Size and intensity of an object.

    Attributes
    ----------
    volume_ml
        Number of voxels times the volume of one, in millilitres.
    box_mm
        Corners ``((S, P, L), (S, P, L))`` of the box around it along the patient's axes, low then
        high, in millimetres; from voxel edge to voxel edge. `None` if the object is empty.
    mean, sd
        Of the intensities inside; not a number if the object is empty.
    unit
        Of the intensities: ``"HU"`` for CT, else empty.
    """

    volume_ml: float
    box_mm: tuple[tuple[float, float, float], tuple[float, float, float]] | None
    mean: float
    sd: float
    unit: str

    def __str__(self) -> str:
        if self.box_mm is None:
            return "empty"
        low, high = np.array(self.box_mm)
        size = " x ".join(f"{v:.0f}" for v in high - low)
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.volume_ml:.2f} mL, {size} mm, mean {self.mean:.4g}{unit}, SD {self.sd:.4g}"


def measure(volume: Volume, mask: Mask) -> Measurement:
    """Measure a mask on a volume's grid."""
    unit = "HU" if volume.modality is Modality.CT else ""
    if not mask.voxels:
        return Measurement(0.0, None, float("nan"), float("nan"), unit)
    inside = volume.intensity()[mask.slices][mask.crop].astype(np.float64)
    voxel_mm3 = abs(float(np.linalg.det(volume.affine[:3, :3])))
    low, high = world_bounds(volume.grid, mask.start, mask.stop).tolist()
    return Measurement(
        volume_ml=mask.voxels * voxel_mm3 / 1000.0,
        box_mm=(tuple(low), tuple(high)),
        mean=float(inside.mean()),
        sd=float(inside.std()),
        unit=unit,
    )


def longest_diameter_mm(mask: Mask, affine: FloatArray) -> float:
    """The greatest distance between two places of a mask (Feret), from voxel centre to centre."""
    from scipy.spatial import ConvexHull, QhullError
    from scipy.spatial.distance import pdist

    if mask.voxels < 2:
        return 0.0
    places = (np.argwhere(mask.crop) + mask.start) @ affine[:3, :3].T
    if len(places) > 4:
        with suppress(QhullError):  # flat: all places are looked at
            places = places[ConvexHull(places).vertices]
    return float(pdist(places).max())
