"""One page about a session: its objects with pictures and figures, and what made them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends import registry
from napari_medvlm.data.atomic_write import write_text
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.display import is_aligned, patient_axes
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.data.measurements.table import COLUMNS
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import SliceImage, picture_of
from napari_medvlm.data.volume import Volume
from napari_medvlm.ledger.state import LiveObject
from napari_medvlm.sessions.ask.image_selection import PLANES
from napari_medvlm.sessions.ask.visual_prompts import edge
from napari_medvlm.sessions.export.conversation import NOTICE, data_url, filled
from napari_medvlm.sessions.export.masks import weights_of
from napari_medvlm.sessions.export.measurements import Measurements
from napari_medvlm.sessions.segment.session import SegmentationSession

SIDE = 360
"""Pixels that the longer side of a picture has at least."""
LINE = 2
"""Pixels of an outline."""
ENDS = (("I", "S"), ("A", "P"), ("R", "L"))
"""Where the patient's axes S, P, L come from and lead to."""


def write_page(
    path: str | Path, session: SegmentationSession, rulers: Sequence[Ruler] = ()
) -> Path:
    """Write a page about a session as one file of HTML that needs no other.

    It names neither the patient nor the image's folder. Takes a while: weights are hashed.

    Parameters
    ----------
    rulers
        Distances and angles that were drawn.

    Raises
    ------
    CannotSave
        If a mask is still on its way, or the file cannot be written.
    """
    path = Path(path).expanduser()
    if session.pending or session.pending_prompts():
        raise CannotSave("A mask is still being computed.", "Wait until it is there.")
    if path.suffix.lower() not in (".html", ".htm"):
        raise CannotSave(f"{path.name} has no known ending for a report.", "Use .html.")
    write_text(path, page(session, rulers))
    return path


def page(session: SegmentationSession, rulers: Sequence[Ruler] = ()) -> str:
    """The page as a text."""
    volume, rows = session.volume, Measurements(session).rows()
    masks = {i: session.belonging(i) for i in rows}
    objects = [
        {
            "color": live.info.color,
            "row": rows[i].values,
            "pictures": _pictures(volume, i, masks, session.now.objects),
            "made": _provenance(session, live),
            "digest": masks[i].digest,
        }
        for i, live in session.now.objects.items()
    ]
    return filled(
        "session.html.j2",
        {
            "notice": NOTICE,
            "image": _image(volume),
            "columns": COLUMNS,
            "objects": objects,
            "rulers": rulers,
            "version": sys.modules["napari_medvlm"].__version__,
            "time": datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z"),
        },
    )


def _image(volume: Volume) -> dict[str, Any]:
    return {
        "name": volume.name,
        "modality": str(volume.modality),
        "shape": " x ".join(map(str, volume.shape)),
        "spacing": " x ".join(f"{mm:.4g}" for mm in volume.spacing),
        "digest": volume.digest,
        "oblique": not is_aligned(volume.affine),
        "flat": volume.shape[0] == 1,
        "notes": volume.notes,
    }


def _provenance(session: SegmentationSession, live: LiveObject) -> dict[str, Any]:
    """Who made the mask of an object, from how many prompts."""
    prediction = session.ledger.prediction_of(live)
    row = {"backend": "by hand", "model": "", "weights": "", "prompts": len(live.prompts)}
    if prediction is None:
        return row
    return row | {
        "backend": registry.info(prediction.backend).title,
        "model": "" if prediction.model is None else Path(prediction.model).name,
        "weights": weights_of(prediction.model),
    }


def _pictures(
    volume: Volume, shown: int, masks: Mapping[int, Mask], objects: Mapping[int, LiveObject]
) -> list[dict[str, Any]]:
    """The planes through the middle of an object, with the outlines of all; none if it is empty."""
    if not masks[shown].voxels:
        return []
    at = _middle(masks[shown])
    planes = dict(zip(PLANES, patient_axes(volume.affine), strict=True))
    if volume.shape[0] == 1:
        planes = {"picture": 0}
    outlines = [(masks[i], live.info.color) for i, live in objects.items() if i != shown]
    outlines.append((masks[shown], objects[shown].info.color))
    return [
        {
            "plane": plane,
            "index": at[axis],
            "slices": volume.shape[axis],
            "url": data_url(_drawn(volume, SliceRef(axis, at[axis]), outlines)),
        }
        for plane, axis in planes.items()
    ]


def _middle(mask: Mask) -> tuple[int, int, int]:
    """The voxel of a mask that is nearest to its centroid: all planes through it show the mask."""
    voxels = np.argwhere(mask.crop)
    nearest = np.square(voxels - voxels.mean(axis=0)).sum(axis=1).argmin()
    z, y, x = (int(a) for a in voxels[nearest] + mask.start)
    return z, y, x


def _drawn(volume: Volume, ref: SliceRef, outlines: list[tuple[Mask, str]]) -> NDArray[np.uint8]:
    """A slice large enough to look at, with outlines and letters at its sides."""
    from PIL import Image, ImageColor, ImageDraw, ImageFont

    slice_image = picture_of(volume, ref)
    factor = max(1, -(-SIDE // max(slice_image.size)))
    size = slice_image.size[1] * factor, slice_image.size[0] * factor
    large = Image.fromarray(slice_image.pixels).resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(large).copy()
    for mask, color in outlines:
        inside = np.kron(slice_image.cut(mask), np.ones((factor, factor), bool))
        pixels[edge(inside, LINE)] = ImageColor.getrgb(color)
    image = Image.fromarray(pixels)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(18)
    across, down = size
    anchors = {
        "left": (4, down / 2, "lm"), "right": (across - 4, down / 2, "rm"),
        "top": (across / 2, 4, "ma"), "bottom": (across / 2, down - 4, "md"),
    }  # fmt: skip
    for side, letter in letters(slice_image, volume).items():
        x, y, anchor = anchors[side]
        draw.text((x, y), letter, "white", font, anchor, stroke_width=2, stroke_fill="black")
    return np.asarray(image)


def letters(slice_image: SliceImage, volume: Volume) -> Mapping[str, str]:
    """The patient direction of each side of an image; empty for a single slice."""
    if volume.shape[0] == 1:
        return {}
    sides_by_name: dict[str, str] = {}
    sides = ((slice_image.rows, "top", "bottom"), (slice_image.columns, "left", "right"))
    for (axis, first, last), flipped in zip(sides, slice_image.flipped, strict=True):
        along = volume.affine[:3, axis] * (-1 if flipped else 1)
        patient = int(np.abs(along).argmax())
        low, high = ENDS[patient] if along[patient] > 0 else ENDS[patient][::-1]
        sides_by_name |= {first: low, last: high}
    return sides_by_name
