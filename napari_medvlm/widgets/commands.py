"""The plugin's commands, for menus, the command palette and keys.

Keys are declared in the manifest, once. napari does not read them from there yet, so the dock binds
them; `bind_keys` can go when it does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.report import guarded
from napari_medvlm.widgets.tools import Tool

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    from napari_medvlm.widgets.segment import SegmentDock

PLUGIN = "napari-medvlm"


def open_dock_of(viewer: napari.Viewer) -> SegmentDock | None:
    """The Segment dock of a viewer, if it is there."""
    from napari_medvlm.widgets.segment import SegmentDock

    docks = viewer.window.dock_widgets.values()
    return next((widget for widget in docks if isinstance(widget, SegmentDock)), None)


def dock_of(viewer: napari.Viewer) -> SegmentDock:
    """The Segment dock of a viewer, opened if it is not there."""
    from napari_medvlm.widgets.segment import SegmentDock

    widget = named_dock(viewer, "Segment")
    assert isinstance(widget, SegmentDock)
    return widget


def named_dock(viewer: napari.Viewer, title: str) -> QWidget:
    """The dock that the manifest has under a title, opened if it is not there."""
    module, _, kind = docks()[title].partition(":")
    made = getattr(import_module(module), kind)
    for widget in viewer.window.dock_widgets.values():
        if isinstance(widget, made):
            return widget
    return viewer.window.add_plugin_dock_widget(PLUGIN, title, tabify=True)[1]


def docks() -> dict[str, str]:
    """The titles of the plugin's docks, and the dotted names of their classes."""
    from npe2 import PluginManager

    contributions = PluginManager.instance().get_manifest(PLUGIN).contributions
    names = {command.id: str(command.python_name) for command in contributions.commands or ()}
    return {made.display_name: names[made.command] for made in contributions.widgets or ()}


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


def manifest_keys() -> dict[str, str]:
    """The keys of the manifest and the dotted names of what they do."""
    from npe2 import PluginManager

    contributions = PluginManager.instance().get_manifest(PLUGIN).contributions
    names = {command.id: command.python_name for command in contributions.commands or ()}
    return {bound.key: str(names[bound.command]) for bound in contributions.keybindings or ()}


def bind_keys(target: object, viewer: napari.Viewer, module: str = __name__) -> None:
    """Bind the manifest's keys on a viewer, or on a layer whose own keys would come first.

    Only those of commands that stand in ``module``: each dock binds its own.
    """
    for key, name in manifest_keys().items():
        if name.partition(":")[0] != module:
            continue
        target.bind_key(key.replace("+", "-"), _bound(name, viewer), overwrite=True)  # type: ignore[attr-defined]


def _bound(name: str, viewer: napari.Viewer) -> Callable[[object], None]:
    module, _, function = name.partition(":")

    def run(_: object) -> None:
        getattr(import_module(module), function)(viewer)

    run.__doc__ = getattr(import_module(module), function).__doc__
    return run
