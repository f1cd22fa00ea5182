"""What is assumed of a DICOM segmentation or structure set where its file says nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.mask import Mask
from napari_medvlm.io.dicom_objects.frame_of_reference import frames_of

if TYPE_CHECKING:
    from pydicom import Dataset

NO_FRAME = (
    "{} states no frame of reference: its positions are taken to be those of the image that it is "
    "laid over."
)
OFF_GRID = (
    "{} does not lie on the slices of the image voxel on voxel: it is read on a grid of its own."
)
GAPS = "Slices between others without a {} in {} are read as empty: {}."


def frame_notes(path: Path, dataset: Dataset) -> tuple[str, ...]:
    """A note if neither the file nor one of its regions states a frame of reference."""
    return () if any(frames_of(dataset)) else (NO_FRAME.format(path.name),)


def gap_notes(path: Path, kind: str, lacking: Mapping[str, int]) -> tuple[str, ...]:
    """A note on the slices that regions lack, if there are any.

    Parameters
    ----------
    kind
        What a slice lacks: "frame" or "contour".
    lacking
        How many slices each region lacks, by its name; see `slices_lacking`.
    """
    listed = ", ".join(f"{name} {count}" for name, count in lacking.items() if count)
    return (GAPS.format(kind, path.name, listed),) if listed else ()


def slices_lacking(mask: Mask, held: Collection[int] = ()) -> int:
    """How many slices a region lacks between two that it has pixels in common in.

    Pieces apart from each other, with no pixel in common, may well be several.

    Parameters
    ----------
    held
        Slices of the grid that the file has, though the region is empty there.
    """
    own = np.flatnonzero(mask.crop.any(axis=(1, 2)))
    return sum(
        len(set(range(a + 1 + mask.start[0], b + mask.start[0])).difference(held))
        for a, b in pairwise(own.tolist())
        if b > a + 1 and (mask.crop[a] & mask.crop[b]).any()
    )
