"""How a viewer looks at a patient: planes, camera and axes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.display import patient_axes
from napari_medvlm.data.geometry.grid import FloatArray, Grid, index_corners, world_bounds
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import KEY, role
from napari_medvlm.layers.display.overlay_text import add_panel
from napari_medvlm.layers.views.linked import linked_views

if TYPE_CHECKING:
    from napari import Viewer


WAYS = (("inferior", "superior"), ("anterior", "posterior"), ("patient's right", "patient's left"))
"""Where each of the world's axes S, P, L comes from and leads to."""
PLANES = ("Axial", "Coronal", "Sagittal")


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
    """Put superior up where the vertical axis is S; columns run to the patient's left or back.

    In 3D the axes S away, P down, L right are no mirror image, however the view is turned.
    """
    if viewer.dims.ndim < 3:
        return
    vertical_is_superior = viewer.dims.ndisplay == 2 and viewer.dims.order[-2] == _superior(viewer)
    wanted = ("away", "up" if vertical_is_superior else "down", "right")
    if tuple(str(o) for o in viewer.scene.camera.orientation) != wanted:
        viewer.scene.camera.orientation = wanted


def show_3d(viewer: Viewer) -> None:
    """Show the volume from the front and a little from above and the left, superior up."""
    viewer.dims.ndisplay = 3
    viewer.dims.order = tuple(range(viewer.dims.ndim))
    orient(viewer)
    viewer.reset_view()
    viewer.scene.camera.set_view_direction((-0.25, 0.9, -0.35), (1.0, 0.0, 0.0))


def name_axes(viewer: Viewer) -> None:
    """Label the sliders by where they lead, and show in the picture which way is which.

    Of pictures and projections, whose sides are unknown, nothing is named.
    """
    if viewer.dims.ndim < 3:
        return
    if has_sides(viewer):
        extra = viewer.dims.axis_labels[: max(viewer.dims.ndim - 3, 0)]
        viewer.dims.axis_labels = (*extra, "S", "P", "L")
        add_panel(viewer.canvas.overlays.axes)
        viewer.canvas.overlays.axes.visible = True
    add_panel(viewer.canvas.overlays.text)
    viewer.canvas.overlays.text.visible = True
    viewer.canvas.overlays.text.text = describe(viewer)


def describe(viewer: Viewer) -> str:
    """The plane, where it lies, and where up and right on the screen lead in the patient.

    Empty if nothing is open that has three axes and sides of a patient.
    """
    if viewer.dims.ndim < 3 or not has_sides(viewer):
        return ""
    if viewer.dims.ndisplay == 3:
        return "3D"
    across, down, right = (axis - _superior(viewer) for axis in viewer.dims.order[-3:])
    vertical, horizontal = (str(o) for o in viewer.scene.camera.orientation2d)
    up = WAYS[down][vertical == "up"]
    to_right = WAYS[right][horizontal == "right"]
    position = f"{'SPL'[across]} {viewer.dims.point[across + _superior(viewer)]:.1f} mm"
    return f"{PLANES[across]}, {position}\nup: {up}\nright: {to_right}"


def screen_directions(viewer: Viewer) -> tuple[FloatArray, FloatArray]:
    """Where right and down on the screen lead in a 2D view, as unit vectors ``(S, P, L)``."""
    down, across = (int(axis) - _superior(viewer) for axis in viewer.dims.order[-2:])
    vertical, horizontal = (str(o) for o in viewer.scene.camera.orientation2d)
    right_mm, down_mm = np.zeros(3), np.zeros(3)
    right_mm[across] = 1.0 if horizontal == "right" else -1.0
    down_mm[down] = 1.0 if vertical == "down" else -1.0
    return right_mm, down_mm


def image_volumes(viewer: Viewer) -> tuple[Volume, ...]:
    """The volumes of the image layers of a viewer that a reader of this plugin opened."""
    images = (layer.metadata[KEY] for layer in viewer.layers if role(layer) == "image")
    return tuple(v for v in (own.get("volume") for own in images) if isinstance(v, Volume))


def has_sides(viewer: Viewer) -> bool:
    """Whether an image has the planes of a patient, or was opened by another reader."""
    volumes = image_volumes(viewer)
    return not volumes or any(volume.has_planes for volume in volumes)


def go_to(viewer: Viewer, spl_mm: Sequence[float]) -> None:
    """Move the planes of a view and of all that are linked to it through a point.

    Parameters
    ----------
    viewer
        A viewer or one of its side views.
    spl_mm
        ``(S, P, L)`` in patient millimetres.
    """
    cursor = linked_views(viewer).cursor
    extra = viewer.dims.point[: max(viewer.dims.ndim - 3, 0)]
    viewer.dims.point = (*extra, *spl_mm)[-viewer.dims.ndim :]
    if viewer.dims.ndim >= 3:
        cursor.move_to(spl_mm)


def position_in_view(viewer: Viewer) -> tuple[float, float, float]:
    """Where the planes are, ``(S, P, L)`` in patient millimetres; a picture alone lies at S 0."""
    s, p, left = (0.0, 0.0, 0.0, *viewer.dims.point)[-3:]
    position = [float(s), float(p), float(left)]
    cursor_mm = linked_views(viewer).cursor.position_mm
    extra = int(viewer.dims.ndim) - 3
    if cursor_mm is not None and extra >= 0:
        for axis in viewer.dims.displayed:  # these sliders do not follow the cursor
            if axis >= extra:
                position[axis - extra] = cursor_mm[axis - extra]
    return position[0], position[1], position[2]


def slice_in_view(viewer: Viewer, grid: Grid) -> SliceRef:
    """The slice of a grid nearest to the plane in view."""
    axis = patient_axes(grid.affine)[axis_across(viewer)]
    index = round(float(grid.to_index(position_in_view(viewer))[axis]))
    return SliceRef(axis, min(max(index, 0), grid.shape[axis] - 1))


def visible_box(viewer: Viewer, volume: Volume) -> Box:
    """What the window shows of a volume, through all slices of the plane in view."""
    dims, camera = viewer.dims, viewer.scene.camera
    low, high = world_bounds(volume.grid, (0, 0, 0), volume.shape)
    half = np.array(viewer.canvas.size) / 2 / camera.zoom
    for position, axis in enumerate(dims.displayed[-2:]):
        across = int(axis) - (int(dims.ndim) - 3)
        center = float(camera.center[-2 + position])
        low[across] = max(low[across], center - half[position])
        high[across] = min(high[across], center + half[position])
    if not (high > low).all():
        raise InvalidPrompt(
            "The current view does not show the image.", "Move the image into view."
        )
    corners = volume.grid.to_index(index_corners(low + 0.5, high + 0.5)) + 0.5
    return Box.at_index(volume.grid, corners.min(axis=0), corners.max(axis=0))


def shows_all(viewer: Viewer) -> bool:
    """Whether the canvas shows all layers to their borders, in 2D."""
    dims, camera = viewer.dims, viewer.scene.camera
    if not viewer.layers or dims.ndisplay != 2:
        return False
    low, high = np.asarray(viewer.layers.extent.world)[:, list(dims.displayed)]
    center, half = np.array(camera.center[-2:]), np.array(viewer.canvas.size) / 2 / camera.zoom
    return bool(np.all(low >= center - half) and np.all(high <= center + half))


def axis_across(viewer: Viewer) -> int:
    """The world's axis (0 S, 1 P, 2 L) that the plane in view is cut across."""
    dims = viewer.dims
    if dims.ndim < 3 or dims.ndisplay == 3:
        return 0
    return int(dims.order[-3]) - int(dims.ndim - 3)


def _superior(viewer: Viewer) -> int:
    return max(int(viewer.dims.ndim) - 3, 0)
