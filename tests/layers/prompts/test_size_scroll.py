"""Shift and the wheel change the size of the last point."""

from types import SimpleNamespace

import pytest
from napari.components import ViewerModel
from napari.utils.interactions import mouse_wheel_callbacks

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.layers.prompts.size_scroll import SizeScroll


class Session:
    """Records the steps; refuses more than two."""

    def __init__(self):
        self.step = 0

    def step_size(self, by):
        if abs(self.step + by) > 2:
            raise InvalidPrompt("No more steps.", "Add a point.")
        self.step += by
        return self.step


@pytest.fixture
def turned():
    """Turns the wheel of a viewer; the session, the errors and the gesture."""
    viewer, session, errors = ViewerModel(), Session(), []
    scroll = SizeScroll(viewer, session, errors.append)

    def turn(*delta, modifiers=("Shift",)):
        native = SimpleNamespace(inverted=lambda: False)
        event = SimpleNamespace(delta=delta, modifiers=modifiers, native=native, handled=False)
        mouse_wheel_callbacks(viewer, event)
        return event.handled

    return turn, session, errors, scroll


def test_a_notch_is_a_step_up_or_down_on_either_axis(turned):
    turn, session, _, _ = turned
    assert turn(0, 1)
    assert session.step == 1
    turn(-1, 0)
    turn(0, -3)
    assert session.step == -1


def test_small_movements_of_a_touchpad_are_summed_up(turned):
    turn, session, _, _ = turned
    for _ in range(7):
        turn(0, 0.25)
    assert session.step == 1
    turn(0, 0.25)
    assert session.step == 2


@pytest.mark.parametrize("modifiers", [(), ("Control",), ("Alt",), ("Control", "Shift")])
def test_other_keys_are_left_to_napari(turned, modifiers):
    turn, session, _, _ = turned
    assert not turn(0, 1, modifiers=modifiers)
    assert session.step == 0


def test_a_refused_step_is_reported(turned):
    turn, session, errors, _ = turned
    for _ in range(3):
        turn(0, 1)
    assert session.step == 2
    assert [str(e) for e in errors] == [str(InvalidPrompt("No more steps.", "Add a point."))]


def test_a_closed_gesture_leaves_the_wheel_alone(turned):
    turn, session, _, scroll = turned
    scroll.close()
    assert not turn(0, 1)
    assert session.step == 0
