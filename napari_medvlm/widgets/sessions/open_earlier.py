"""List the sessions of an image, and open a session in the dock of its task."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from napari_medvlm.io.journal_files import discard_deleted
from napari_medvlm.layers import volume_of
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.earlier import RESUMED_TASKS, EarlierSession, earlier_sessions
from napari_medvlm.widgets.commands import named_dock
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import in_background
from napari_medvlm.widgets.sessions.dialog import DOCKS, SessionsDialog

if TYPE_CHECKING:
    from napari import Viewer
    from napari.layers import Image
    from qtpy.QtWidgets import QWidget

    from napari_medvlm.widgets.dock import SessionDock


def list_sessions(viewer: Viewer, layer: Image, parent: QWidget | None = None) -> SessionsDialog:
    """Show the sessions of an image; they are read on another thread.

    Parameters
    ----------
    viewer, layer
        The viewer, and its image.
    parent
        The widget whose window the dialog belongs to.
    """
    dialog = SessionsDialog(None if parent is None else parent.window(), layer.name)
    dialog.opened.connect(guarded(partial(open_earlier, viewer, layer)))
    dialog.open()

    def show(sessions: list[EarlierSession]) -> None:
        if not dialog.is_closed:
            dialog.show_sessions(sessions)

    in_background(partial(_sessions_of, layer), guarded(show))
    return dialog


def open_earlier(viewer: Viewer, layer: Image, session: EarlierSession) -> None:
    """Continue a session in the dock of its task, which is opened if it is not open."""
    dock = cast("SessionDock[object]", named_dock(viewer, DOCKS[session.task]))
    dock.when_open(lambda: dock.resume_session(session), layer)


def _sessions_of(layer: Image) -> list[EarlierSession]:
    image = ImageReference.of(volume_of(layer))
    for task in RESUMED_TASKS:
        discard_deleted(task)
    return list(earlier_sessions(image, with_open=True))
