"""One cursor position in all views, for images stored in any orientation."""

from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, go_to, position_in_view, show_plane
from napari_medvlm.layers.views.crosshair import Crosshair
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.per_view import PerView
from napari_medvlm.layers.views.side_view import SideView

SPACING = np.array([3.0, 1.5, 0.8])


def aligned():
    for axes, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, axes] * np.array(signs) * SPACING
        affine[:3, 3] = (40.0, -25.0, 13.0)
        yield affine


def oblique():
    for degrees in ((17, 0, 0), (10, -25, 5), (35, 20, -40)):
        affine = np.eye(4)
        affine[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix() * SPACING
        yield affine


def opened(affine):
    data = np.random.default_rng(0).normal(size=(14, 17, 20)).astype(np.float32)
    volume = Volume(data, affine)
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    show_plane(viewer, Plane.AXIAL)
    sides = [SideView(viewer, Plane.CORONAL), SideView(viewer, Plane.SAGITTAL)]
    linked = linked_views(viewer)
    crosshairs = PerView(linked, lambda view: Crosshair(view, linked.cursor))
    return volume, viewer, sides, crosshairs


def press(view, position, modifiers=("Shift",)):
    """A press and release of the left button in a view, as napari calls it."""
    event = SimpleNamespace(
        position=tuple(position), button=1, modifiers=modifiers, type="mouse_press", handled=False
    )
    for callback in view.mouse_drag_callbacks:
        list(callback(view, event) or ())
    return event


def voxels_off_slice(view, position):
    """How many voxels the slice that a view shows lies from a position."""
    image = view.layers[0]
    shown = np.round(image.world_to_data(view.dims.point))
    across = view.dims.not_displayed[0]
    return abs(shown - image.world_to_data(position))[across]


@pytest.mark.parametrize("affine", [*aligned(), *oblique()])
def test_a_press_in_any_view_puts_the_slices_of_the_others_within_half_a_voxel(affine):
    volume, viewer, sides, _crosshairs = opened(affine)
    views = [viewer, *(side.model for side in sides)]
    index = np.random.default_rng(1).uniform(3, np.array(volume.shape) - 4, (3, 3))
    for view, wanted in zip(views, volume.grid.to_world(index), strict=True):
        clicked = wanted.copy()
        across = view.dims.not_displayed[0]
        clicked[across] = view.dims.point[across]
        assert press(view, clicked).handled
        assert_allclose(linked_views(viewer).cursor.position_mm, clicked)
        for other in views:
            assert voxels_off_slice(other, clicked) <= 0.5 + 1e-6
            assert_allclose(position_in_view(other), clicked)


def test_lines_are_dragged_alone_and_the_gap_between_them_drags_both():
    _, viewer, _, _crosshairs = opened(np.diag([3, 1.5, 0.8, 1.0]))
    viewer.scene.camera.zoom = 10.0  # pixels per mm
    go_to(viewer, (9.0, 12.0, 8.0))
    callback = viewer.mouse_drag_callbacks[0]
    event = SimpleNamespace(
        position=(9.0, 12.1, 3.0), button=1, modifiers=(), type="mouse_press", handled=False
    )
    drag = callback(viewer, event)
    next(drag)
    event.type, event.position = "mouse_move", (9.0, 15.0, 3.0)
    next(drag)
    assert linked_views(viewer).cursor.position_mm == (9.0, 15.0, 8.0)
    event.type = "mouse_release"
    assert list(drag) == []
    assert not press(viewer, (9.0, 17.0, 3.0), modifiers=()).handled
    assert press(viewer, (9.0, 15.5, 8.5), modifiers=()).handled


def test_with_shift_the_cursor_moves_while_a_tool_is_active_and_the_tool_stays():
    _, viewer, sides, _crosshairs = opened(np.eye(4))
    points = viewer.add_points(np.zeros((0, 3)))
    points.mode = "add"
    assert not press(viewer, (6, 5, 4), modifiers=()).handled
    drag = viewer.mouse_drag_callbacks[0](
        viewer,
        SimpleNamespace(
            position=(6, 5, 4), button=1, modifiers=("Shift",), type="mouse_press", handled=False
        ),
    )
    next(drag)
    assert points.mode == "pan_zoom"
    drag.close()
    assert points.mode == "add"
    assert len(points.data) == 0
    assert sides[0].model.dims.point[1] == 5
    assert sides[1].model.dims.point[2] == 4


def test_the_cursor_stays_where_it_is_when_another_series_is_opened_and_is_gone_with_the_last():
    volume, viewer, sides, crosshairs = opened(np.eye(4))
    go_to(viewer, (6.0, 5.0, 4.0))
    larger = Volume(np.zeros((30, 30, 30), np.float32), np.diag([2.0, 2, 2, 1]))
    viewer.add_layer(Layer.create(*layer_data(larger)))
    for view in (viewer, *(side.model for side in sides)):
        assert view.layers[-1].name == "Crosshair", "the new image does not cover the lines"
    viewer.layers.remove(viewer.layers[0])
    assert linked_views(viewer).cursor.position_mm == (6.0, 5.0, 4.0)
    assert sides[0].model.dims.point[1] == 5.0
    for layer in [x for x in viewer.layers if x.name != "Crosshair"]:
        viewer.layers.remove(layer)
    assert not viewer.layers
    assert not sides[0].model.layers
    viewer.add_layer(Layer.create(*layer_data(volume)))
    assert sides[1].model.layers[0].data is viewer.layers[0].data
    assert sides[1].model.dims.order == Plane.SAGITTAL.value
    crosshairs.close()
    assert [layer.name for layer in viewer.layers] == [volume.name]


def test_the_lines_lie_in_the_image_and_leave_the_sliders_as_they_are():
    _, viewer, sides, _crosshairs = opened(np.diag([3, 1.5, 0.8, 1.0]))
    (lines,) = [x for x in viewer.layers if x.name == "Crosshair"]
    assert_allclose(viewer.dims.range, [(0, 39, 3), (0, 24, 1.5), (0, 15.2, 0.8)])
    assert viewer.layers.selection.active is viewer.layers[0]
    assert len(lines.data) == 4
    sides[0].show(None)
    (in_3d,) = [x for x in sides[0].model.layers if x.name == "Crosshair"]
    assert len(in_3d.data) == 6


def test_all_lines_are_as_wide_in_images_with_thick_slices():
    _, viewer, sides, _crosshairs = opened(np.diag([6.5, 0.78, 0.78, 1.0]))
    for view in (viewer, *(side.model for side in sides)):
        (lines,) = [x for x in view.layers if x.name == "Crosshair"]
        width_px = lines.edge_width * lines.scale * view.scene.camera.zoom
        assert_allclose(width_px, 2, rtol=1e-4)


def test_the_lines_of_the_first_image_are_added_after_it():
    viewer = ViewerModel()
    linked = linked_views(viewer)
    _held = PerView(linked, lambda view: Crosshair(view, linked.cursor))
    running, nested = [], []
    viewer.layers.events.inserting.connect(lambda _: running.append(1), position="first")
    viewer.layers.events.inserting.connect(lambda _: nested.append(len(running)))
    viewer.layers.events.inserted.connect(lambda _: running.pop(), position="first")
    data = np.random.default_rng(0).normal(size=(14, 17, 20)).astype(np.float32)
    viewer.add_layer(Layer.create(*layer_data(Volume(data, np.diag([3.0, 1.5, 0.8, 1.0])))))
    assert [layer.name for layer in viewer.layers][1:] == ["Crosshair"]
    assert nested == [1, 1]
