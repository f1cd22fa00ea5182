"""Docks by their title in the manifest, and the manifest's keys.

napari does not bind the keys of a manifest yet, so each dock binds its own with `bind_keys`, which
can be removed once napari does.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

import napari

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

    Dock = TypeVar("Dock", bound=QWidget)

PLUGIN = "napari-medvlm"


def find_dock(viewer: napari.Viewer, title: str) -> QWidget | None:
    """The open dock that the manifest lists under a title, or `None`."""
    module, _, name = docks()[title].partition(":")
    dock_class = getattr(import_module(module), name)
    widgets = viewer.window.dock_widgets.values()
    return next((widget for widget in widgets if isinstance(widget, dock_class)), None)


def named_dock(viewer: napari.Viewer, title: str) -> QWidget:
    """The dock that the manifest lists under a title; opened if it is not open."""
    widget = find_dock(viewer, title)
    if widget is not None:
        return widget
    module, _, name = docks()[title].partition(":")
    dock: QWidget = getattr(import_module(module), name)(viewer)
    viewer.window.add_dock_widget(dock, name=menu_name(title))
    return dock


def typed_dock(viewer: napari.Viewer, title: str, dock_class: type[Dock]) -> Dock:
    """`named_dock` as an object of its class."""
    dock = named_dock(viewer, title)
    assert isinstance(dock, dock_class)
    return dock


def menu_name(title: str) -> str:
    """The name of a dock as napari's Plugins menu opens it, by which the menu finds it again."""
    from npe2 import PluginManager

    return f"{title} ({PluginManager.instance().get_manifest(PLUGIN).display_name})"


def docks() -> dict[str, str]:
    """The titles of the plugin's docks, and the dotted names of their classes."""
    from npe2 import PluginManager

    contributions = PluginManager.instance().get_manifest(PLUGIN).contributions
    names = {command.id: str(command.python_name) for command in contributions.commands or ()}
    return {
        widget_item.display_name: names[widget_item.command]
        for widget_item in contributions.widgets or ()
    }


def manifest_keys() -> dict[str, str]:
    """The keys of the manifest and the dotted names of what they do."""
    from npe2 import PluginManager

    contributions = PluginManager.instance().get_manifest(PLUGIN).contributions
    names = {command.id: command.python_name for command in contributions.commands or ()}
    return {bound.key: str(names[bound.command]) for bound in contributions.keybindings or ()}


def bind_keys(target: object, viewer: napari.Viewer, module: str) -> None:
    """Bind the manifest's keys on a viewer.

    Only those of commands that stand in ``module``: each dock binds its own.
    """
    for key, run in bound_commands(viewer, module).items():
        target.bind_key(key, run, overwrite=True)  # type: ignore[attr-defined]


def bound_commands(viewer: napari.Viewer, module: str) -> dict[str, Callable[[object], None]]:
    """What the manifest's keys for the commands of a module do, by key as napari writes it."""
    return {
        key.replace("+", "-"): _bound(name, viewer)
        for key, name in manifest_keys().items()
        if name.partition(":")[0] == module
    }


def _bound(name: str, viewer: napari.Viewer) -> Callable[[object], None]:
    module, _, function = name.partition(":")

    def run(_: object) -> None:
        getattr(import_module(module), function)(viewer)

    run.__doc__ = getattr(import_module(module), function).__doc__
    return run
