"""What the header of an image states of it, as claims."""

from __future__ import annotations

import numpy as np

from napari_medvlm.data.answer import Claim
from napari_medvlm.data.geometry.grid import world_bounds
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Region
from napari_medvlm.data.volume import Modality, Volume

KINDS = {
    Modality.CT: "a CT image",
    Modality.MR: "an MR image",
    Modality.PT: "a PET image",
    Modality.US: "an ultrasound image",
    Modality.NM: "a nuclear medicine image",
    Modality.CR: "a computed radiograph",
    Modality.DX: "a digital radiograph",
    Modality.MG: "a mammogram",
    Modality.XA: "an X-ray angiogram",
    Modality.PHOTO: "a picture (a photograph or an export), whose file does not state a modality",
}

NORMALS = {"axial": 0, "transverse": 0, "transaxial": 0, "coronal": 1, "sagittal": 2}
"""Axis of ``spl_mm`` that is perpendicular to a plane."""
NEARLY = 0.9
"""Cosine from which slices count as those of a plane: gantries are tilted by up to 25 degrees."""

UNKNOWN_SPACING = (
    "The file does not state the voxel spacing, so lengths and volumes cannot be measured. "
    "Set the spacing first: --spacing z,y,x on the command line, or volume.spaced in Python."
)


class Unanswerable(Exception):  # a way out, not an error that a user meets
    """Why a question cannot be answered."""


def modality(volume: Volume) -> Claim:
    """What kind of image it is.

    Raises
    ------
    Unanswerable
        The file does not state it.
    """
    if volume.modality is Modality.UNKNOWN:
        raise Unanswerable("The file does not state the modality of the image.")
    kind = KINDS.get(volume.modality, volume.modality.value)
    unit = ", in Hounsfield units" if volume.is_hu else ""
    return Claim(f"It is {kind}{unit}.", source="header")


def require_spacing(volume: Volume) -> None:
    """Raise `Unanswerable` if the file does not state the voxel spacing."""
    if not volume.spacing_is_known:
        raise Unanswerable(UNKNOWN_SPACING)


def spacing(volume: Volume) -> Claim:
    """The size of a voxel in millimetres."""
    require_spacing(volume)
    z, y, x = volume.spacing
    return Claim(f"A voxel is {z:.3g} x {y:.3g} x {x:.3g} mm (z, y, x).", source="header")


def shape(volume: Volume, plane: str = "") -> Claim:
    """How many slices and voxels there are; of a plane, how many slices parallel to it.

    Raises
    ------
    Unanswerable
        No axis of the voxels is perpendicular to the plane.
    """
    z, y, x = volume.shape
    slices = f"{z} slices along z"
    if plane:
        axis = array_axis(volume, plane)
        slices = f"{volume.shape[axis]} {plane} slices, along {'zyx'[axis]}"
    return Claim(f"The image has {slices}, and {z} x {y} x {x} voxels (z, y, x).", source="header")


def array_axis(volume: Volume, plane: str) -> int:
    """The array axis that is perpendicular to a plane of the patient.

    Raises
    ------
    Unanswerable
        The image's orientation is unknown, or it is oblique to the plane.
    """
    if volume.has_planes:
        normal = np.array(volume.affine)[NORMALS[plane], :3] / np.array(volume.spacing)
        axis = int(np.abs(normal).argmax())
        if abs(normal[axis]) > NEARLY:
            return axis
    raise Unanswerable(f"The image has no {plane} slices: its slices lie in other planes.")


def extent(volume: Volume) -> Claim:
    """The field of view along the axes of the patient."""
    require_spacing(volume)
    low, high = world_bounds(volume.grid, (0, 0, 0), volume.shape)
    s, p, left = high - low
    region = Region("image", Box.at_index(volume.grid, (0, 0, 0), volume.shape))
    text = (
        f"The image covers {s:.0f} mm from inferior to superior, {p:.0f} mm from anterior to "
        f"posterior and {left:.0f} mm from right to left."
    )
    return Claim(text, (region,), "header")
