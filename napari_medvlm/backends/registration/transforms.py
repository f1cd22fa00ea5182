"""Transforms of SimpleITK from and to 4 x 4 matrices in patient millimetres ``(S, P, L)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_medvlm.data.geometry.grid import FloatArray


def matrix_of(transform: Any) -> FloatArray:
    """4 x 4 in ``(S, P, L)`` of a linear transform with a centre in SimpleITK's ``(L, P, S)``."""
    center = np.array(transform.GetCenter())
    linear = np.reshape(transform.GetMatrix(), (3, 3))
    shift = np.array(transform.GetTranslation()) + center - linear @ center
    matrix = np.eye(4)
    matrix[:3, :3] = linear[::-1, ::-1]
    matrix[:3, 3] = shift[::-1]
    return matrix


def set_matrix(transform: Any, matrix: FloatArray, center_mm: FloatArray) -> None:
    """Set a linear transform of SimpleITK to a 4 x 4 in ``(S, P, L)``, with a centre."""
    transform.SetCenter([float(v) for v in center_mm[::-1]])
    linear = matrix[:3, :3]
    transform.SetMatrix(linear[::-1, ::-1].ravel().tolist())
    shift = matrix[:3, 3] + linear @ center_mm - center_mm
    transform.SetTranslation([float(v) for v in shift[::-1]])


def turn_about(center_mm: FloatArray, axis: int, radians: float) -> FloatArray:
    """A rotation about a patient axis (0 S, 1 P, 2 L) through a point, 4 x 4 in ``(S, P, L)``."""
    from scipy.spatial.transform import Rotation

    vector = np.zeros(3)
    vector[axis] = radians
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
    matrix[:3, 3] = center_mm - matrix[:3, :3] @ center_mm
    return matrix
