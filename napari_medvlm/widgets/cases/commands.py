"""The commands of the Cases dock, for menus, the command palette and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import napari

from napari_medvlm.widgets.commands import typed_dock
from napari_medvlm.widgets.runtime.notify import guarded

if TYPE_CHECKING:
    from napari_medvlm.widgets.cases.dock import CasesDock


def cases_dock_of(viewer: napari.Viewer) -> CasesDock:
    """The Cases dock of a viewer, opened if it is not open."""
    from napari_medvlm.widgets.cases.dock import CasesDock

    return typed_dock(viewer, "Cases", CasesDock)


@guarded
def next_case(viewer: napari.Viewer) -> None:
    """Open the next case of those that are shown."""
    cases_dock_of(viewer).step(1)


@guarded
def previous_case(viewer: napari.Viewer) -> None:
    """Open the case before."""
    cases_dock_of(viewer).step(-1)


@guarded
def case_done(viewer: napari.Viewer) -> None:
    """Write the results of the case that is open, which is then done."""
    cases_dock_of(viewer).finish()


@guarded
def reject_case(viewer: napari.Viewer) -> None:
    """Ask why the case that is open is rejected."""
    cases_dock_of(viewer).ask_to_reject()
