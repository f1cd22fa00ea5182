"""The commands of the Ask dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.ask.dock import AskDock


def ask_dock_of(viewer: napari.Viewer) -> AskDock:
    """The Ask dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.ask.dock import AskDock

    return typed_dock(viewer, "Ask", AskDock)


@guarded
def write_question(viewer: napari.Viewer) -> None:
    """Go to the question box."""
    ask_dock_of(viewer).box.edit.setFocus()


@guarded
def next_sentence(viewer: napari.Viewer) -> None:
    """Choose the next sentence of the answer."""
    ask_dock_of(viewer).reading.step(1)


@guarded
def previous_sentence(viewer: napari.Viewer) -> None:
    """Choose the sentence before."""
    ask_dock_of(viewer).reading.step(-1)


@guarded
def toggle_answer(viewer: napari.Viewer) -> None:
    """Show or hide the answer in the picture."""
    ask_dock_of(viewer).reading.in_picture.toggle()


@guarded
def stop_answer(viewer: napari.Viewer) -> None:
    """Stop the answer that is being written."""
    ask_dock_of(viewer).stop()
