"""Where answers are read: a conversation, and the regions of the answer that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from napari_medvlm.data.conversation import Mark, SentImage, Turn
from napari_medvlm.layers.answer_layers import AnswerLayers, show_slice
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.widgets.ask.transcript import Transcript
from napari_medvlm.widgets.checks.fold import show_checks_in_card
from napari_medvlm.widgets.other_docks import ground_backend, send_to_segment
from napari_medvlm.widgets.parts.buttons import button, on_click
from napari_medvlm.widgets.parts.layer_combo import LayerChoice
from napari_medvlm.widgets.runtime.notify import guarded
from napari_medvlm.widgets.runtime.threads import MainThreadQueue

if TYPE_CHECKING:
    from napari import Viewer

STREAM_MS = 50
"""Between two times that text which comes is written."""


class ConversationView(QWidget):
    """The transcript of a session's active conversation, linked with the picture both ways.

    Parameters
    ----------
    viewer
        Where the answer's regions are shown.
    image
        The layer that is asked about.

    Attributes
    ----------
    shown
        Number of the exchange that is shown in full; its regions are in the picture.
    signals
        Those of the transcript.
    """

    def __init__(self, viewer: Viewer, image: LayerChoice) -> None:
        super().__init__()
        self.shown: int | None = None
        self._viewer = viewer
        self._image = image
        self._session: AskSession | None = None
        self._layers: AnswerLayers | None = None
        self._drawn: tuple[object, ...] = ()
        self.transcript = Transcript()
        self.signals = self.transcript.signals
        self.in_picture = QCheckBox("Show in viewer")
        self.segment_button = button(
            "Send to Segment",
            "Create objects from the regions of this sentence, to refine by clicks.",
        )
        self._text_received = MainThreadQueue(lambda _: self._on_text(), self)
        self._stream_due = QTimer(self)
        self._lay_out()
        self._connect()

    # Actions.

    def choose(self, exchange: int, claim: int | None) -> None:
        """Light up a sentence and its regions, and go there."""
        self.show_exchange(exchange)
        if self._layers is not None:
            self._layers.choose(claim)
            self._on_lit()

    def step(self, by: int) -> None:
        """Choose the next sentence of the answer that is shown, or the one before."""
        exchange = self.exchange
        if exchange is None or exchange.answer is None or not exchange.answer.claims:
            return
        count = len(exchange.answer.claims)
        first = 0 if by > 0 else count - 1
        self.choose(exchange.id, first if self.chosen is None else (self.chosen + by) % count)
        self.transcript.bring(self.shown, self.chosen)

    def show_exchange(self, exchange: int) -> None:
        """Show an answer in full."""
        if exchange != self.shown:
            self.shown = exchange
            self.refresh()

    # What is there.

    @property
    def chosen(self) -> int | None:
        """The number of the sentence that is lit up, from 0."""
        return None if self._layers is None else self._layers.chosen

    @property
    def exchange(self) -> Turn | None:
        """The exchange that is shown in full."""
        if self._session is None:
            return None
        return next((e for e in self._session.active.turns if e.id == self.shown), None)

    # How it follows a session.

    def bind(self, session: AskSession) -> AnswerLayers:
        """Follow a session; the layers are to be closed with it."""
        self._session = session
        self._layers = AnswerLayers(self._viewer, session.volume, guarded(self._on_region))
        self._layers.visible = self.in_picture.isChecked()
        session.delta.connect(self._text_received)
        return self._layers

    def leave(self) -> None:
        """Follow no session."""
        self._session = self._layers = self.shown = None
        self._drawn = ()
        self.refresh()

    def refresh(self) -> None:
        """Show the active conversation, and one of its answers in the picture."""
        exchanges = () if self._session is None else self._session.active.turns
        if self.shown not in [exchange.id for exchange in exchanges]:
            self.shown = exchanges[-1].id if exchanges else None
        self.transcript.show_exchanges(exchanges, self.shown)
        for key, card in self.transcript.cards.items():
            show_checks_in_card(card, self._viewer, self._session, key, in_full=key == self.shown)
        self._draw()

    def _draw(self) -> None:
        """Show the regions of the answer that is shown, unless they are there."""
        shown = self.exchange
        there = () if shown is None else (shown.id, shown.answer, shown.steps, shown.evidence)
        if self._layers is None or there == self._drawn:
            return
        chosen = self.chosen if self._drawn[:1] == there[:1] else None
        self._drawn = there
        self._layers.show(shown)
        self._layers.choose(chosen, go=False)
        self._on_lit()

    def _on_lit(self) -> None:
        self.transcript.light(self.shown, self.chosen)
        self.segment_button.setEnabled(self.chosen is not None)

    def _on_region(self, claim: int) -> None:
        if self._layers is not None:
            self._layers.choose(claim, go=False)
            self._on_lit()
            self.transcript.bring(self.shown, claim)

    def _on_text(self) -> None:
        if not self._stream_due.isActive():
            self._stream_due.start()

    def _stream(self) -> None:
        running = None if self._session is None else self._session.running
        if self._session is not None and running is not None:
            self.transcript.stream(running, self._session.turn(running).partial)

    # Signals of the cards.

    def _mark(self, exchange: int, claim: int, mark: Mark | None) -> None:
        verdict, note = (None, "") if mark is None else (mark.verdict, mark.note)
        if self._session is not None:
            self._session.mark(exchange, claim, verdict, note)

    def _go_to(self, sent: SentImage) -> None:
        if self._session is not None and not sent.of:
            show_slice(self._viewer, self._session.volume, sent.slice)

    def _find(self, exchange: int, claim: int) -> None:
        if self._session is not None:
            self._session.ground_claim(exchange, claim, *ground_backend(self._viewer))

    def _explain(self, exchange: int, picture: int) -> None:
        if self._session is not None:
            self._session.explain(exchange, picture)
            self._go_to(self._session.turn(exchange).sent[picture])

    def _send_to_segment(self) -> None:
        if self._session is not None:
            volume = self._session.volume
            send_to_segment(self._viewer, self._image.layer, volume, self.exchange, self.chosen)

    def _show_in_picture(self, visible: bool) -> None:
        if self._layers is not None:
            self._layers.visible = visible

    # Wiring.

    def _lay_out(self) -> None:
        self.in_picture.setChecked(True)
        self.in_picture.setToolTip(
            "Show the answer's regions, numbers and labels in the viewer. (Shift+A)"
        )
        row = QHBoxLayout()
        row.addWidget(self.in_picture, 1)
        row.addWidget(self.segment_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.transcript, 1)
        layout.addLayout(row)

    def _on_stream_due(self) -> None:
        guarded(self._stream)()

    def _connect(self) -> None:
        self._stream_due.setSingleShot(True)
        self._stream_due.setInterval(STREAM_MS)
        self._stream_due.timeout.connect(self._on_stream_due)
        self.in_picture.toggled.connect(guarded(self._show_in_picture))
        on_click(self.segment_button, self._send_to_segment)
        signals = self.signals
        signals.turn_chosen.connect(guarded(self.show_exchange))
        signals.claim_chosen.connect(guarded(self.choose))
        signals.find_requested.connect(guarded(self._find))
        signals.marked.connect(guarded(self._mark))
        signals.image_chosen.connect(guarded(self._go_to))
        signals.evidence_requested.connect(guarded(self._explain))
