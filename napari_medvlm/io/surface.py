"""Surfaces of masks as STL files, in DICOM's millimetres."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.geometry.grid import FloatArray, apply_affine


def write_stl(path: Path, labels: NDArray[Any], affine: FloatArray) -> None:
    """Write the surfaces of all labels as one binary STL file.

    Places are ``(L, P, S)`` in patient millimetres, as DICOM and 3D Slicer have them; triangles
    look outwards.

    Parameters
    ----------
    labels
        ``(z, y, x)`` from 0 on; 0 is outside.

    Raises
    ------
    CannotSave
        If there is no voxel inside.
    """
    import trimesh
    from trimesh.exchange.stl import export_stl

    values = [value for value in np.unique(labels) if value]
    if not values:
        raise CannotSave(f"{path.name} would be empty: no voxel is inside.", "Segment one first.")
    meshes = [trimesh.Trimesh(*surface(labels == v, affine), process=False) for v in values]
    path.write_bytes(export_stl(trimesh.util.concatenate(meshes)))


def surface(inside: NDArray[np.bool_], affine: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """The surface halfway between voxels inside and outside.

    Returns
    -------
    Places ``(N, 3)`` as ``(L, P, S)`` in patient millimetres, and triangles ``(M, 3)`` of them.
    """
    from skimage.measure import marching_cubes

    box = np.argwhere(inside)
    low, high = box.min(axis=0), box.max(axis=0) + 1
    crop = inside[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    zyx, faces, _, _ = marching_cubes(np.pad(crop, 1).astype(np.float32), 0.5)
    places = apply_affine(affine, zyx - 1 + low)[:, ::-1]
    corners = places[faces]
    doubled = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
    return places, faces if doubled > 0 else faces[:, ::-1]
