"""The plugin's commands, for menus, the command palette and keys.

Keys are declared in the manifest, once. napari does not read them from there yet, so the dock binds
them; `bind_keys` can go when it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.segment.prompt_toolbar import Tool

if TYPE_CHECKING:
    from napari_medvlm.widgets.segment.dock import SegmentDock
from napari_medvlm.widgets.commands import named_dock


def open_dock_of(viewer: napari.Viewer) -> SegmentDock | None:
    """The Segment dock of a viewer, if it is there."""
    from napari_medvlm.widgets.segment.dock import SegmentDock

    docks = viewer.window.dock_widgets.values()
    return next((widget for widget in docks if isinstance(widget, SegmentDock)), None)


def dock_of(viewer: napari.Viewer) -> SegmentDock:
    """The Segment dock of a viewer, opened if it is not there."""
    from napari_medvlm.widgets.segment.dock import SegmentDock

    widget = named_dock(viewer, "Segment")
    assert isinstance(widget, SegmentDock)
    return widget


@guarded
def undo(viewer: napari.Viewer) -> None:
    """Take back the last gesture."""
    dock_of(viewer).row.undo()


@guarded
def redo(viewer: napari.Viewer) -> None:
    """Bring back the gesture that was taken back last."""
    dock_of(viewer).row.redo()


@guarded
def new_object(viewer: napari.Viewer) -> None:
    """Begin another object."""
    dock_of(viewer).new_object()


@guarded
def toggle_polarity(viewer: napari.Viewer) -> None:
    """From *this* to *not this*, or back."""
    dock_of(viewer).tools.toggle_polarity()


@guarded
def cancel(viewer: napari.Viewer) -> None:
    """Stop what is being computed."""
    dock_of(viewer).cancel()


@guarded
def save_mask(viewer: napari.Viewer) -> None:
    """Save the objects as a file."""
    dock_of(viewer).row.save_mask()


@guarded
def save_session(viewer: napari.Viewer) -> None:
    """Save all prompts as a file."""
    dock_of(viewer).row.save_session()


@guarded
def save_report(viewer: napari.Viewer) -> None:
    """Save a page about the objects."""
    dock_of(viewer).row.save_report()


@guarded
def open_session(viewer: napari.Viewer) -> None:
    """Go on with a session that was saved."""
    dock_of(viewer).row.open_session()


def point_tool(viewer: napari.Viewer) -> None:
    """Prompt with points."""
    dock_of(viewer).tools.choose(Tool.POINT)


def box_tool(viewer: napari.Viewer) -> None:
    """Prompt with boxes."""
    dock_of(viewer).tools.choose(Tool.BOX)


def lasso_tool(viewer: napari.Viewer) -> None:
    """Prompt with lassos."""
    dock_of(viewer).tools.choose(Tool.LASSO)


def scribble_tool(viewer: napari.Viewer) -> None:
    """Prompt with scribbles."""
    dock_of(viewer).tools.choose(Tool.SCRIBBLE)
