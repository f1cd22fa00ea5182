"""Commands of the Segment dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import napari

from napari_medvlm.layers.display.slab import Projection
from napari_medvlm.widgets.commands import find_dock, typed_dock
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.segment.prompt_toolbar import Tool

if TYPE_CHECKING:
    from napari_medvlm.widgets.segment.dock import SegmentDock


def open_dock_of(viewer: napari.Viewer) -> SegmentDock | None:
    """The Segment dock of a viewer, if it is open."""
    return cast("SegmentDock | None", find_dock(viewer, "Segment"))


def dock_of(viewer: napari.Viewer) -> SegmentDock:
    """The Segment dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.segment.dock import SegmentDock

    return typed_dock(viewer, "Segment", SegmentDock)


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
def show_or_hide_objects(viewer: napari.Viewer) -> None:
    """Show or hide the masks of all objects."""
    dock_of(viewer).toggle_masks()


@guarded
def smaller(viewer: napari.Viewer) -> None:
    """Take a smaller extent of the active object's last point."""
    dock_of(viewer).tools.size_stepped.emit(-1)


@guarded
def larger(viewer: napari.Viewer) -> None:
    """Take a larger extent of the active object's last point."""
    dock_of(viewer).tools.size_stepped.emit(1)


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
    """Go on with a session that was saved, as soon as the image is open."""
    dock_of(viewer).open_session()


@guarded
def list_sessions(viewer: napari.Viewer) -> None:
    """List the earlier sessions of the image."""
    dock_of(viewer).list_sessions()


def point_tool(viewer: napari.Viewer) -> None:
    """Prompt with points."""
    dock_of(viewer).tools.choose(Tool.POINT)


def box_tool(viewer: napari.Viewer) -> None:
    """Prompt with boxes."""
    dock_of(viewer).tools.choose(Tool.BOX)


def lasso_tool(viewer: napari.Viewer) -> None:
    """Prompt with lassos."""
    dock_of(viewer).tools.choose(Tool.LASSO)


def line_tool(viewer: napari.Viewer) -> None:
    """Prompt with lines."""
    dock_of(viewer).tools.choose(Tool.LINE)


def scribble_tool(viewer: napari.Viewer) -> None:
    """Prompt with scribbles."""
    dock_of(viewer).tools.choose(Tool.SCRIBBLE)


def brush_tool(viewer: napari.Viewer) -> None:
    """Paint on the masks by hand."""
    dock_of(viewer).tools.choose(Tool.PAINT)


@guarded
def toggle_slab(viewer: napari.Viewer) -> None:
    """Show several slices as one, or one slice again."""
    dock_of(viewer).display.slab.toggle()


@guarded
def slab_maximum(viewer: napari.Viewer) -> None:
    """Show the maximum of the slices of the slab."""
    dock_of(viewer).display.slab.choose(Projection.MAX)


@guarded
def slab_mean(viewer: napari.Viewer) -> None:
    """Show the mean of the slices of the slab."""
    dock_of(viewer).display.slab.choose(Projection.MEAN)


@guarded
def slab_minimum(viewer: napari.Viewer) -> None:
    """Show the minimum of the slices of the slab."""
    dock_of(viewer).display.slab.choose(Projection.MIN)
