"""The commands of the Evaluate dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.evaluate.dock import EvaluateDock


def evaluate_dock_of(viewer: napari.Viewer) -> EvaluateDock:
    """The Evaluate dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.evaluate.dock import EvaluateDock

    return typed_dock(viewer, "Evaluate", EvaluateDock)


@guarded
def compare_masks(viewer: napari.Viewer) -> None:
    """Compare two masks of the window."""
    evaluate_dock_of(viewer).show_compare()


@guarded
def toggle_difference(viewer: napari.Viewer) -> None:
    """Show or hide where two masks differ."""
    dock = evaluate_dock_of(viewer)
    dock.show_compare()
    dock.compare.difference.toggle()
