"""A banner that names the server when the model is not on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QMessageBox

from napari_medvlm.backends.openai_server.connection import leads_outside
from napari_medvlm.data.errors import MedVLMError
from napari_medvlm.settings import allowed_hosts
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.plain_text import PlainLabel, plain
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import in_background

ASKED = (
    "Images of this patient would be sent there. Header fields are not sent, but text "
    "burned into the pixels is.\n\nAllow from now on?"
)


@dataclass(frozen=True)
class ServerReach:
    """Where a server is, and whether images may go there.

    ``problem`` is why that is not known; ``passed_on`` the model whose questions the server
    passes on to others outside.
    """

    origin: str = ""
    here: bool = True
    private: bool = True
    allowed: bool = False
    problem: str = ""
    passed_on: str = ""


def reach(model: str | None) -> ServerReach:
    """Where the server of a model is, written ``http://host:port/v1#name``; may take seconds."""
    if model is None or "://" not in model:
        return ServerReach()
    address, _, name = model.partition("#")
    passed_on = name if leads_outside(name) else ""
    try:
        origin = allowed_hosts.origin(address)
        return ServerReach(
            origin,
            not passed_on and allowed_hosts.is_this_machine(address),
            not passed_on and allowed_hosts.is_private(address),
            origin in allowed_hosts.allowed(),
            passed_on=passed_on,
        )
    except MedVLMError as error:
        return ServerReach(address, False, False, False, str(error))


class ServerBanner(QFrame):
    """Hidden as long as nothing leaves this machine.

    Parameters
    ----------
    sent
        What is sent to the server.
    asked
        The question whether it may be sent outside, which is shown before it.

    Attributes
    ----------
    allowed_changed
        The person let it go to a server outside.
    """

    allowed_changed = Signal()

    def __init__(self, sent: str = "Images", asked: str = ASKED) -> None:
        super().__init__()
        self._sent, self._asked = sent, asked
        self._model: str | None = None
        self.reach = ServerReach()
        self.text = PlainLabel()
        self.text.setWordWrap(True)
        self.allow = button("Allow…", "Allow sending to this server (asks for confirmation).")
        on_click(self.allow, self._confirm)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.allow)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.hide()

    def look_up(self, model: str | None) -> None:
        """Find out where a model is, off the window's thread, and show it."""
        self._model = model
        if model is None or "://" not in model:
            self._show(ServerReach())
            return
        in_background(lambda: (model, reach(model)), guarded(self._on_reached))

    def _on_reached(self, result: tuple[str, ServerReach]) -> None:
        model, there = result
        if model == self._model:
            self._show(there)

    def _show(self, there: ServerReach) -> None:
        self.reach = there
        self.text.setText(_words(there, self._sent))
        self.allow.setVisible(_needs_word(there))
        self.setVisible(not there.here)

    def _confirm(self) -> None:
        asked = plain(f"{_outside(self.reach)}\n\n{self._asked}")
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.warning(
            self, f"{self._sent}: send outside?", asked, buttons.Yes | buttons.No, buttons.No
        )
        if answer == buttons.Yes:
            allowed_hosts.allow(self.reach.origin)
            self.look_up(self._model)
            self.allowed_changed.emit()


def _needs_word(there: ServerReach) -> bool:
    return not (there.here or there.private or there.allowed or there.problem)


def _words(there: ServerReach, sent: str) -> str:
    if there.problem:
        return f"⚠ {there.problem}"
    if there.private:
        return f"⚠ {sent} are sent to {there.origin}, another computer on your network."
    if there.allowed:
        return f"⚠ {sent} are forwarded. {_outside(there)} You allowed it."
    return f"⚠ {_outside(there)} Nothing is sent there until you allow it."


def _outside(there: ServerReach) -> str:
    if there.passed_on:
        return (
            f"{there.origin} forwards questions for {there.passed_on} "
            "to servers outside your network."
        )
    return f"{there.origin} is outside your network."
