"""How a viewer looks at a patient: planes, camera and axes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari import Viewer


class Plane(Enum):
    """A plane of the patient: the order of the world's axes S, P, L, the last two shown."""

    AXIAL = (0, 1, 2)
    CORONAL = (1, 0, 2)
    SAGITTAL = (2, 0, 1)


def show_plane(viewer: Viewer, plane: Plane) -> None:
    """Show a plane in the radiological convention.

    The patient's left is on the right of the screen in axial and coronal planes; anterior is up in
    axial, superior up in coronal and sagittal planes, where anterior is on the left.
    """
    viewer.dims.ndisplay = 2
    extra = tuple(range(viewer.dims.ndim - 3))
    viewer.dims.order = extra + tuple(axis + len(extra) for axis in plane.value)
    orient(viewer)


def orient(viewer: Viewer) -> None:
    """Put superior up where the vertical axis runs from inferior to superior; else head down.

    Columns always run to the patient's left or back; rows down run to the back.
    """
    vertical_is_superior = viewer.dims.ndisplay == 2 and viewer.dims.order[-2] == _superior(viewer)
    wanted = ("up" if vertical_is_superior else "down", "right")
    if tuple(str(o) for o in viewer.camera.orientation2d) != wanted:
        viewer.camera.orientation2d = wanted


def show_3d(viewer: Viewer) -> None:
    """Show the volume from the front and a little from above and the left, superior up."""
    viewer.dims.ndisplay = 3
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    viewer.camera.set_view_direction((-0.25, 0.9, -0.35), (1.0, 0.0, 0.0))


def name_axes(viewer: Viewer) -> None:
    """Label the axes by where they lead, and show them in the canvas."""
    extra = viewer.dims.axis_labels[: max(viewer.dims.ndim - 3, 0)]
    viewer.dims.axis_labels = (*extra, "S", "P", "L")
    viewer.axes.visible = True
    viewer.axes.labels = True


def go_to(viewer: Viewer, spl_mm: Sequence[float]) -> None:
    """Move all planes through a place, ``(S, P, L)`` in patient millimetres."""
    extra = viewer.dims.point[: max(viewer.dims.ndim - 3, 0)]
    viewer.dims.point = (*extra, *spl_mm)


def _superior(viewer: Viewer) -> int:
    return max(int(viewer.dims.ndim) - 3, 0)
