"""Commands of the Views dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.settings.view_layout import Layout
from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.views.dock import ViewsDock


def dock_of(viewer: napari.Viewer) -> ViewsDock:
    """The Views dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.views.dock import ViewsDock

    return typed_dock(viewer, "Views", ViewsDock)


@guarded
def single_view(viewer: napari.Viewer) -> None:
    """Show the plane of the viewer alone."""
    dock_of(viewer).set_layout(Layout.SINGLE)


@guarded
def three_in_a_row(viewer: napari.Viewer) -> None:
    """Show three planes of the same size in a row."""
    dock_of(viewer).set_layout(Layout.ROW)


@guarded
def two_at_the_right(viewer: napari.Viewer) -> None:
    """Show the other two planes at the right of the viewer."""
    dock_of(viewer).set_layout(Layout.RIGHT)


@guarded
def two_below(viewer: napari.Viewer) -> None:
    """Show the other two planes below the viewer."""
    dock_of(viewer).set_layout(Layout.BELOW)


@guarded
def toggle_crosshair(viewer: napari.Viewer) -> None:
    """Show or hide the crosshair in all views."""
    dock_of(viewer).toggle_crosshair()
