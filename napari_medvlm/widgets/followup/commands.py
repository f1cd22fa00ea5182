"""The commands of the Follow-up dock, for menus and the command palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.followup.dock import FollowUpDock


def follow_up_dock_of(viewer: napari.Viewer) -> FollowUpDock:
    """The Follow-up dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.followup.dock import FollowUpDock

    return typed_dock(viewer, "Follow-up", FollowUpDock)


@guarded
def accept_lesion(viewer: napari.Viewer) -> None:
    """Segment the selected lesions at their proposed points."""
    dock = follow_up_dock_of(viewer)
    dock.accept(dock.table.selected)


@guarded
def accept_all_lesions(viewer: napari.Viewer) -> None:
    """Accept all proposed points."""
    follow_up_dock_of(viewer).accept_all()


@guarded
def mark_lesion_gone(viewer: napari.Viewer) -> None:
    """Mark the selected lesions as gone, or take that back."""
    dock = follow_up_dock_of(viewer)
    dock.mark_gone(dock.table.selected)
