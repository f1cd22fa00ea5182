"""Pictures of cases in a report: three planes with the outlines of truth and mask."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.colors import DETECTED, TRUTH
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.mask import BoolArray
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume, Window
from napari_medvlm.evaluation.segment.simulated_user import largest_error

SHARE = Window(0.5, 1.0)
"""For pictures of masks: 0 is black, 1 is white."""


def planes(volume: Volume, truth: BoolArray, mask: BoolArray) -> str:
    """Axial, coronal and sagittal pictures in a row, as base64 of a PNG; of a 2D image, one.

    They cross at the largest error, or in the middle of the truth if there is none.
    """
    from matplotlib.figure import Figure

    at, shown = _crossing(truth, mask), _planes_of(volume)
    figure = Figure(figsize=(3 * len(shown), 3.2), dpi=100, facecolor="black", layout="compressed")
    subplots = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (axis, name) in zip(subplots, shown, strict=True):
        slice_ref = SliceRef(axis, at[axis])
        axes.imshow(picture_of(volume, slice_ref).pixels)
        for what, color, style in ((truth, TRUTH, "solid"), (mask, DETECTED, "dashed")):
            inside = _upright(volume, what, slice_ref)
            if min(inside.shape) > 1 and inside.any() and not inside.all():
                axes.contour(inside, [0.5], colors=color, linestyles=style, linewidths=1.6)
        title = f"{name}, slice {at[axis] + 1} of {volume.shape[axis]}" if len(shown) > 1 else name
        axes.set_title(title, color="white", fontsize=9)
        axes.set_axis_off()
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor="black")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _planes_of(volume: Volume) -> list[tuple[int, str]]:
    """The axis across each plane that is shown, with its name; of a 2D image its only plane."""
    flat = [axis for axis, length in enumerate(volume.shape) if length == 1]
    if flat:
        return [(flat[0], "image")]
    return list(zip(patient_axes(volume.affine), ("axial", "coronal", "sagittal"), strict=True))


def _crossing(truth: BoolArray, mask: BoolArray) -> tuple[int, int, int]:
    error = largest_error(truth, mask) or largest_error(truth, np.zeros_like(truth))
    return (0, 0, 0) if error is None else error.click.zyx


def _upright(volume: Volume, inside: BoolArray, slice_ref: SliceRef) -> NDArray[np.float32]:
    """A slice of a mask, 0 to 1, on the pixels of the picture of the volume."""
    image = picture_of(Volume(inside.astype(np.uint8), volume.affine), slice_ref, SHARE)
    return image.pixels[..., 0].astype(np.float32) / np.float32(255)
