"""Windows of an image layer: drags, rectangles, presets and undo; right values by arithmetic."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Modality, Volume, Window
from napari_medvlm.data.window_presets import CT_WINDOWS, dragged, window_of_values
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.display.window_control import OVERLAY, WindowControl
from napari_medvlm.layers.display.window_drag import WindowGesture, window_drag
from napari_medvlm.layers.display.window_history import MERGE_S, WindowHistory
from napari_medvlm.layers.orientation import Plane, show_3d, show_plane

SHAPE = (24, 30, 35)


def shown(affine=None, modality=Modality.CT, dtype=np.int16):
    """A viewer model with a volume of random intensities."""
    data = np.random.default_rng(0).integers(-1000, 1000, SHAPE).astype(dtype)
    affine = np.diag([2.0, -1.0, 1.5, 1.0]) if affine is None else affine
    viewer = ViewerModel()
    layer = viewer.add_layer(
        Layer.create(*layer_data(Volume(data, affine, modality=modality, name="noise")))
    )
    layer.contrast_limits = (-160, 240)
    return viewer, layer, data


class Mouse:
    """Calls the drag callbacks of a viewer and of its active layer as napari does."""

    def __init__(self, viewer):
        self.viewer = viewer

    def drags(self, *pixels, worlds=None, button=1):
        """Press, move and release; whether the camera was kept from each move."""
        worlds = worlds or [(0.0, 0.0, 0.0)] * len(pixels)
        event = SimpleNamespace(
            type="mouse_press", button=button, pos=np.array(pixels[0]), position=worlds[0],
            handled=False, modifiers=(),
        )  # fmt: skip
        steps = []
        for owner in (self.viewer, self.viewer.layers.selection.active):
            for callback in list(owner.mouse_drag_callbacks):
                generator = callback(owner, event)
                if hasattr(generator, "send") and next(generator, "ended") != "ended":
                    steps.append(generator)
        handled = []
        ends = [(p, w, "mouse_move") for p, w in zip(pixels, worlds, strict=True)][1:]
        for pos, world, kind in [*ends, (pixels[-1], worlds[-1], "mouse_release")]:
            event.type, event.pos, event.position, event.handled = kind, np.array(pos), world, False
            steps = [step for step in steps if next(step, "ended") != "ended"]
            handled.append(event.handled)
        return handled[:-1]


def limits(layer):
    return tuple(float(value) for value in layer.contrast_limits)


def test_a_drag_right_widens_by_half_a_per_cent_a_pixel_and_up_raises_the_centre():
    window = dragged(Window(40, 400), 20, 30)
    assert window.width == pytest.approx(400 * 1.005**20)
    assert window.center == pytest.approx(40 + 0.005 * 30 * 400)
    assert dragged(Window(40, 400), 0, 0) == Window(40, 400)


def test_a_drag_in_pet_leaves_the_lower_limit():
    window = dragged(Window(2.5, 5.0), 10, 10, fixes_low=True)
    assert window.limits == pytest.approx((0.0, 5.0 * 1.005**20))


def test_a_window_of_values_is_between_the_1st_and_the_99th_percentile():
    values = np.r_[np.arange(101.0), np.nan, np.inf]
    assert window_of_values(values).limits == (1.0, 99.0)
    assert window_of_values(np.full(9, 7)) is None
    assert window_of_values(np.zeros(0)) is None


@pytest.mark.parametrize(
    ("window", "text"),
    [
        (Window(40, 400), "W 400 L 40"),
        (Window(-600, 1500), "W 1500 L -600"),
        (Window(-0.0, 0.12345), "W 0.1235 L 0"),
        (Window(123456.7, 65535), "W 65535 L 123457"),
    ],
)
def test_the_text_of_a_window_is_short(window, text):
    assert str(window) == text


def test_the_mouse_changes_the_window_and_no_layer_gets_the_drag():
    viewer, layer, _ = shown()
    points = viewer.add_points(ndim=3)
    points.mode = "add"
    drag = window_drag(viewer, pytest.fail)
    before = list(points.mouse_drag_callbacks)
    drag.begin(WindowGesture.LEVELS)
    handled = Mouse(viewer).drags((100, 100), (110, 90), (120, 70))
    assert limits(layer) == pytest.approx(dragged(Window(40, 400), 20, 30).limits)
    assert len(points.data) == 0
    assert points.mouse_drag_callbacks == before
    assert (points.mode, handled) == ("add", [True, True])
    drag.end()
    Mouse(viewer).drags((100, 100), (100, 100))
    assert len(points.data) == 1


def test_a_drag_back_to_its_start_changes_nothing():
    viewer, layer, _ = shown()
    drag = window_drag(viewer, pytest.fail)
    drag.begin(WindowGesture.LEVELS)
    Mouse(viewer).drags((100, 100), (300, 20), (100, 100))
    assert limits(layer) == (-160, 240)


def test_pet_and_integers_have_their_limits():
    viewer, layer, _ = shown(modality=Modality.PT)
    layer.contrast_limits = (0, 100)
    drag = window_drag(viewer, pytest.fail)
    drag.begin(WindowGesture.LEVELS)
    Mouse(viewer).drags((100, 100), (100, 80))
    assert limits(layer) == pytest.approx((0, 100 * 1.005**20))
    Mouse(viewer).drags((2000, 100), (0, 100))
    assert np.ptp(limits(layer)) == pytest.approx(1.0)


def test_once_is_for_the_next_drag_alone():
    viewer, layer, _ = shown()
    window_drag(viewer, pytest.fail).begin(WindowGesture.LEVELS, once=True)
    Mouse(viewer).drags((100, 100), (120, 100))
    changed = limits(layer)
    Mouse(viewer).drags((100, 100), (120, 100))
    assert limits(layer) == changed != (-160, 240)


@pytest.mark.parametrize("plane", list(Plane))
@pytest.mark.parametrize("mode", ["none", "max", "mean", "min"])
def test_a_rectangle_sets_the_window_from_what_is_seen_in_it(plane, mode):
    viewer, layer, _ = shown()
    show_plane(viewer, plane)
    axis = plane.value[0]
    corner, opposite = np.array([10.0, 8.0, 6.0]), np.array([15.0, 17.0, 20.0])
    corner[axis] = opposite[axis] = 12
    viewer.dims.point = layer.data_to_world(corner)
    layer.projection_mode = mode
    step = np.diag(np.asarray(layer.affine.linear_matrix))[axis]
    margin = tuple(2 * step if a == axis else 0.0 for a in range(3))
    viewer.dims.margin_left = viewer.dims.margin_right = margin
    drag = window_drag(viewer, pytest.fail)
    drag.begin(WindowGesture.RECTANGLE)
    worlds = [layer.data_to_world(corner), layer.data_to_world(opposite)]
    Mouse(viewer).drags((0, 0), (50, 50), worlds=worlds)
    box = [slice(int(a), int(b) + 1) for a, b in zip(corner, opposite, strict=True)]
    if mode != "none":
        box[axis] = slice(10, 15)
    function = {"none": np.max, "max": np.max, "mean": np.mean, "min": np.min}[mode]
    values = function(np.asarray(layer.data)[tuple(box)], axis=axis)
    assert limits(layer) == pytest.approx(np.percentile(values, [1, 99]))


def test_a_rectangle_without_contrast_or_in_3d_is_reported_and_changes_nothing():
    viewer, layer, _ = shown()
    reported = []
    drag = window_drag(viewer, reported.append)
    drag.begin(WindowGesture.RECTANGLE)
    Mouse(viewer).drags((0, 0), (5, 5), worlds=[(0.0, 900.0, 900.0), (0.0, 950.0, 950.0)])
    show_3d(viewer)
    Mouse(viewer).drags((0, 0), (5, 5))
    assert ["no contrast" in str(reported[0]), "3D" in str(reported[1])] == [True, True]
    assert limits(layer) == (-160, 240)


def test_presets_are_numbered_from_the_window_as_loaded():
    viewer, layer, _ = shown()
    control = window_drag(viewer, pytest.fail).control
    for number, window in enumerate(CT_WINDOWS.values(), 2):
        control.use_preset(number)
        assert limits(layer) == window.limits
    control.use_preset(1)
    assert limits(layer) == CT_WINDOWS["Abdomen"].limits
    viewer, layer, _ = shown(modality=Modality.MR)
    with pytest.raises(InvalidImage, match="no window preset 2"):
        window_drag(viewer, pytest.fail).control.use_preset(2)


def test_undo_takes_back_a_drag_a_preset_and_a_slider_as_a_step_each(monkeypatch):
    viewer, layer, _ = shown()
    drag = window_drag(viewer, pytest.fail)
    control, seen = drag.control, [limits(layer)]
    drag.begin(WindowGesture.LEVELS)
    Mouse(viewer).drags((100, 100), (110, 90), (120, 70), (180, 40))
    seen.append(limits(layer))
    control.use_preset(4)
    seen.append(limits(layer))
    for high in (100, 200, 300):  # napari's slider
        layer.contrast_limits = (0, high)
    for before in reversed(seen):
        control.undo()
        assert limits(layer) == pytest.approx(before)
    with pytest.raises(InvalidImage, match="not changed"):
        control.undo()


def test_changes_that_follow_slowly_are_steps_of_their_own():
    history = WindowHistory(Window(0, 1))
    history.add(Window(0, 2), 10.0)
    history.add(Window(0, 3), 10.0 + MERGE_S / 2)
    history.add(Window(0, 4), 20.0)
    assert [history.undo(), history.undo(), history.undo()] == [Window(0, 3), Window(0, 1), None]


def test_the_canvas_states_the_window_of_the_chosen_image_in_an_overlay_of_its_own():
    viewer, layer, _ = shown()
    control = WindowControl(viewer)
    text = viewer.canvas.overlays[OVERLAY]
    assert (text.text, text.visible) == ("W 400 L 40", True)
    assert viewer.canvas.overlays.text.text == ""
    other = viewer.add_image(np.zeros((4, 4)), contrast_limits=(0, 3))
    assert text.text == "W 3 L 1.5"
    control.follow(layer)
    assert text.text == "W 400 L 40"
    control.follow(viewer.add_image(np.zeros((4, 4, 3), np.uint8), rgb=True))
    assert not text.visible
    control.follow(layer)
    viewer.layers.clear()
    assert not text.visible
    assert control.layer is None
    assert other not in viewer.layers
