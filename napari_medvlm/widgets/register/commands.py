"""The commands of the Register dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.register.dock import RegisterDock


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
