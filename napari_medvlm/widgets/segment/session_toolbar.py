"""Undo and redo, and the files of a session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction, QShowEvent
from qtpy.QtWidgets import QApplication, QGridLayout, QMenu, QPushButton, QWidget

from napari_medvlm.data.errors import InvalidImage, InvalidPrompt
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.export.masks import write_objects
from napari_medvlm.sessions.export.session_report import write_page
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.widgets.parts import dialogs
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import plain
from napari_medvlm.widgets.runtime.notify import guarded, show_message
from napari_medvlm.widgets.runtime.threads import in_background

COLUMNS = 3
PLUGIN = "Medical VLM"
KEYS = {"Undo": "Ctrl+Z", "Redo": "Ctrl+Shift+Z"}
MENU = "napari/layers"
"""Name of the menu with the entries of undo and redo, in napari and as an object of Qt."""


class OtherEdits(Protocol):
    """Edits of another dock, undone in turn with those of the session; titles as of `Ledger`."""

    @property
    def undo_title(self) -> str | None:
        """What undo takes back; `None`: an edit of the session is undone first, or nothing."""

    @property
    def redo_title(self) -> str | None:
        """What redo brings back; `None`: an edit of the session is redone first, or nothing."""

    def undo(self) -> None:
        """Take back the last edit."""

    def redo(self) -> None:
        """Bring back the edit that was taken back last."""


class SessionRow(QWidget):
    """Buttons for what is done with a session as a whole.

    Attributes
    ----------
    opened
        The `Ledger` of the session file that a person chose.
    other_edits
        Edits of another dock that come before the session's where they were made after them.
    rulers
        Returns the distances and angles that the page lists.
    """

    opened = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.other_edits: OtherEdits | None = None
        self.rulers: Callable[[], Sequence[Ruler]] = tuple
        self._session: SegmentationSession | None = None
        self._menu: QMenu | None = None
        self._buttons: dict[str, QPushButton] = {}
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        actions: tuple[tuple[str, str, Callable[[], None]], ...] = (
            ("Undo", "Undo the last edit. (Ctrl+Z)", self.undo),
            ("Redo", "Redo the last undone edit. (Ctrl+Shift+Z)", self.redo),
            ("Open session", "Resume a saved session of this image.", self.open_session),
            ("Save masks", "Save the objects' masks to a file.", self.save_mask),
            ("Save session", "Save all prompts, to resume or replay later.", self.save_session),
            (
                "Save report",
                "Save a web page with objects, measurements and images.",
                self.save_report,
            ),
        )
        for number, (text, tooltip, action) in enumerate(actions):
            action_button = button(text, tooltip)
            on_click(action_button, action)
            layout.addWidget(action_button, *divmod(number, COLUMNS))
            self._buttons[text] = action_button

    def bind(self, session: SegmentationSession | None) -> None:
        """Take another session; `None`: there is none."""
        self._session = session
        self.refresh()
        if session is None:
            self._name_menu_entries()

    def refresh(self) -> None:
        """Name in tooltips what undo and redo change; disable them without an edit."""
        for verb, title in self._titles().items():
            self._buttons[verb].setEnabled(title is not None)
            edit = f"Nothing to {verb.lower()}." if title is None else f"{verb}: {title}."
            self._buttons[verb].setToolTip(plain(f"{edit} ({KEYS[verb]})"))

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  # Qt's name
        """Name the entries of the window's menu whenever it opens."""
        super().showEvent(event)
        menu = self.window().findChild(QMenu, MENU)
        if menu is not None and menu is not self._menu:
            self._menu = menu
            menu.aboutToShow.connect(self._name_menu_entries)

    def _name_menu_entries(self) -> None:
        for verb, title in self._titles().items():
            _set_menu_text(verb, title)

    def _titles(self) -> dict[str, str | None]:
        """Titles of the edits that undo and redo change, by verb."""
        ledger = None if self._session is None else self._session.ledger
        others = self.other_edits
        undo = None if others is None else others.undo_title
        redo = None if others is None else others.redo_title
        return {
            "Undo": undo or (None if ledger is None else ledger.undo_title),
            "Redo": redo or (None if ledger is None else ledger.redo_title),
        }

    def undo(self) -> None:
        """Take back the last gesture."""
        if self.other_edits is not None and self.other_edits.undo_title is not None:
            self.other_edits.undo()
            return
        self._open_session().undo()

    def redo(self) -> None:
        """Bring back the gesture that was taken back last."""
        if self.other_edits is not None and self.other_edits.redo_title is not None:
            self.other_edits.redo()
            return
        self._open_session().redo()

    def save_mask(self) -> None:
        """Ask for a file and write the objects."""
        session = self._open_session()
        if not session.now.objects:
            raise InvalidPrompt("There is no object to save.", "Add prompts to segment one first.")
        name, kinds = dialogs.proposed_masks(session.volume)
        path = dialogs.ask_where_to_save(self, "Save masks", name, kinds)
        if path is not None:
            in_background(
                lambda: write_objects(session, path),
                guarded(
                    lambda written: show_message("Saved: " + ", ".join(p.name for p in written))
                ),
            )

    def save_session(self) -> None:
        """Ask for a file and write all prompts."""
        session = self._open_session()
        name = f"{session.volume.name}_session.json"
        path = dialogs.ask_where_to_save(self, "Save session", name, dialogs.SESSION)
        if path is not None:
            session.ledger.save(path)
            show_message(f"Saved: {path.name}")

    def save_report(self) -> None:
        """Ask for a file and write a page about the objects."""
        session = self._open_session()
        name = f"{session.volume.name}_report.html"
        path = dialogs.ask_where_to_save(self, "Save report", name, dialogs.PAGES)
        if path is not None:
            rulers = self.rulers()
            in_background(
                lambda: write_page(path, session, rulers),
                guarded(lambda written: show_message(f"Saved: {written.name}")),
            )

    def open_session(self) -> None:
        """Ask for a session file of this image and go on with it."""
        self._open_session()
        path = dialogs.ask_what_to_open(self, "Open session", dialogs.SESSIONS)
        if path is not None:
            self.opened.emit(Ledger.load(path))

    def _open_session(self) -> SegmentationSession:
        if self._session is None:
            raise InvalidImage("No image is open.", "Open an image and choose it in the dock.")
        return self._session


def _set_menu_text(verb: str, title: str | None) -> None:
    """Name an edit in the menu entry, which all windows share; napari adds the plugin's name."""
    text = f"{verb} edit" if title is None else f"{verb}: {title}"
    text = f"{text} ({PLUGIN})"
    application = QApplication.instance()
    name = f"napari-medvlm.{verb.lower()}"
    for action in [] if application is None else application.findChildren(QAction, name):
        action.setText(text.replace("&", "&&"))
