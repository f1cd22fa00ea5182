"""The commands of the Register dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari
import numpy as np

from napari_medvlm.layers.orientation import screen_directions
from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.register.dock import RegisterDock

STEP_MM, STEP_DEGREES = 1.0, 1.0
"""What a key press shifts or rotates the prior by."""


def register_dock_of(viewer: napari.Viewer) -> RegisterDock:
    """The Register dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.register.dock import RegisterDock

    return typed_dock(viewer, "Register", RegisterDock)


@guarded
def blink(viewer: napari.Viewer) -> None:
    """Show the registered prior instead of the current image, or the other way round."""
    register_dock_of(viewer).comparison.blink()


@guarded
def side_by_side(viewer: napari.Viewer) -> None:
    """Show the registered prior next to the current image, or over it again."""
    comparison = register_dock_of(viewer).comparison
    comparison.show_beside(not comparison.beside.isChecked())


@guarded
def shift_prior_left(viewer: napari.Viewer) -> None:
    """Shift the registered prior to the left on the screen by 1 mm."""
    _shift(viewer, -1, 0)


@guarded
def shift_prior_right(viewer: napari.Viewer) -> None:
    """Shift the registered prior to the right on the screen by 1 mm."""
    _shift(viewer, 1, 0)


@guarded
def shift_prior_up(viewer: napari.Viewer) -> None:
    """Shift the registered prior up on the screen by 1 mm."""
    _shift(viewer, 0, -1)


@guarded
def shift_prior_down(viewer: napari.Viewer) -> None:
    """Shift the registered prior down on the screen by 1 mm."""
    _shift(viewer, 0, 1)


@guarded
def turn_prior_clockwise(viewer: napari.Viewer) -> None:
    """Rotate the registered prior clockwise on the screen by 1 degree."""
    _turn(viewer, 1)


@guarded
def turn_prior_counterclockwise(viewer: napari.Viewer) -> None:
    """Rotate the registered prior counterclockwise on the screen by 1 degree."""
    _turn(viewer, -1)


def _shift(viewer: napari.Viewer, right: int, down: int) -> None:
    to_right, to_down = screen_directions(viewer)
    form = register_dock_of(viewer).form_of_pairing()
    form.step(STEP_MM * (right * to_right + down * to_down), np.zeros(3))


def _turn(viewer: napari.Viewer, clockwise: int) -> None:
    """Rotate about the axis that leads away from the viewer's eye: right becomes down."""
    away = np.cross(*screen_directions(viewer))
    register_dock_of(viewer).form_of_pairing().step(np.zeros(3), STEP_DEGREES * clockwise * away)
