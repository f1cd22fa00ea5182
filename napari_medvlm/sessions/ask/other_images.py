"""Other images of a question, such as a prior study: their slices at the same places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.geometry.pairing import Pairing
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import Part, part_around
from napari_medvlm.data.volume import Volume

MOST_TILT = 10.0
"""Degrees between the slices of two images from which on a note says so."""
NOT_REGISTERED = "{} is not registered: its slices at the same millimetres were sent."


@dataclass(frozen=True, eq=False)
class NamedVolume:
    """Another image of the same patient: a second sequence, a prior study.

    Parameters
    ----------
    pairing
        Takes its places to those of the image; `None`: both have the same millimetres.
    is_prior
        Whether it is an earlier study: captions name both studies, and the prior comes first.
    """

    name: str
    volume: Volume
    pairing: Pairing | None = None
    is_prior: bool = False

    def places(self, spl_mm: FloatArray) -> FloatArray:
        """Places ``(..., 3)`` of the image in the millimetres of this one."""
        return spl_mm if self.pairing is None else self.pairing.to_prior(spl_mm)


def counterpart(
    volume: Volume, ref: SliceRef, other: NamedVolume, region: Box | None = None
) -> tuple[SliceRef, Part | None] | None:
    """The slice of another image at the place of a slice, and its part; `None`: there is none."""
    position = _middle(volume, ref, region)
    axis, _ = _axis_and_tilt(volume, ref, other, position)
    if volume.shape[ref.axis] == other.volume.shape[axis] == 1:
        index = 0
    else:
        at = other.volume.grid.to_index(other.places(volume.grid.to_world(position)))[axis]
        index = int(np.floor(at + 0.5))
    if not 0 <= index < other.volume.shape[axis]:
        return None
    if region is None:
        return SliceRef(axis, index), None
    box = region if other.pairing is None else Box.around(other.places(region.corners()))
    part = part_around(box, other.volume.grid, axis)
    return None if part is None else (SliceRef(axis, index), part)


def tilt_note(volume: Volume, ref: SliceRef, other: NamedVolume) -> str:
    """A note if the slices of another image are tilted against a slice; empty if hardly."""
    _, degrees = _axis_and_tilt(volume, ref, other, _middle(volume, ref, None))
    if degrees <= MOST_TILT:
        return ""
    return f"The slices of {other.name} are tilted by {degrees:.0f} degrees against those sent."


def counterparts(
    volume: Volume, refs: Sequence[SliceRef], other: NamedVolume, region: Box | None = None
) -> tuple[dict[SliceRef, tuple[SliceRef, Part | None]], tuple[str, ...]]:
    """The slices of another image at the places of slices, each of them once, and notes."""
    matched = {ref: counterpart(volume, ref, other, region) for ref in refs}
    used: set[SliceRef] = set()
    matches: dict[SliceRef, tuple[SliceRef, Part | None]] = {}
    for ref, match in matched.items():
        if match is not None and match[0] not in used:
            used.add(match[0])
            matches[ref] = match
    missing = sum(match is None for match in matched.values())
    absent = f"{other.name} has no slice at {missing} of the {len(refs)} places."
    tilted = tilt_note(volume, refs[0], other) if matches else ""
    is_flat = min(volume.shape) == min(other.volume.shape) == 1
    assumed = NOT_REGISTERED.format(other.name)
    unpaired = other.is_prior and other.pairing is None and not is_flat
    notes = (absent if missing else "", tilted, assumed if unpaired else "")
    return matches, tuple(filter(None, notes))


def _middle(volume: Volume, ref: SliceRef, region: Box | None) -> FloatArray:
    """Index ``(z, y, x)`` of the middle of a slice, or of a region on it."""
    position: FloatArray = (np.array(volume.shape) - 1) / 2
    if region is not None:
        position = volume.grid.to_index(region.corners().mean(axis=0))
    position[ref.axis] = ref.index
    return position


def _axis_and_tilt(
    volume: Volume, ref: SliceRef, other: NamedVolume, position: FloatArray
) -> tuple[int, float]:
    """The axis of another image that runs closest across a slice, and its angle in degrees."""
    ends = np.stack([position, position])
    ends[1, ref.axis] += 1
    first, second = other.places(volume.grid.to_world(ends))
    affine = other.volume.affine[:3, :3]
    along = np.abs((second - first) @ affine) / np.linalg.norm(affine, axis=0)
    axis = int(np.argmax(along))
    cosine = along[axis] / np.linalg.norm(second - first)
    return axis, float(np.degrees(np.arccos(np.clip(cosine, 0, 1))))
