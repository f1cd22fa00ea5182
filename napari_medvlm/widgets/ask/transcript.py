"""A conversation as it is read: a card for each question, the newest below."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from napari_medvlm.data.conversation import Turn
from napari_medvlm.widgets.ask.exchange_card import ExchangeCard
from napari_medvlm.widgets.ask.transcript_signals import TranscriptSignals

LAYOUT_MS = 20
"""After so long new cards have their places."""
EMPTY = (
    "Type a question below or choose one from Templates. Each sentence of an answer is "
    "linked to its region: hover over it to jump there."
)


class Transcript(QScrollArea):
    """The exchanges of a conversation, one of them in full.

    Attributes
    ----------
    cards
        The card of each turn, by its number.
    signals
        What the reader clicked in any of the cards.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signals = TranscriptSignals(self)
        self.cards: dict[int, ExchangeCard] = {}
        self._scroll_target: int | None = None
        # A bound method, not a lambda: a closure in a cycle with a widget that is being deleted may
        # be cleared by the garbage collector before Qt calls it, which crashes the process.
        self._layout_settled = QTimer(self)
        self._layout_settled.setSingleShot(True)
        self._layout_settled.setInterval(LAYOUT_MS)
        self._layout_settled.timeout.connect(self._on_layout_settled)
        self._drawn: dict[int, tuple[Turn, bool]] = {}
        self.empty = QLabel(EMPTY)
        self.empty.setWordWrap(True)
        content = QWidget()
        self._layout = QVBoxLayout(content)
        self._layout.setContentsMargins(2, 2, 2, 2)
        self._layout.addWidget(self.empty)
        self._layout.addStretch(1)
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(160)

    def show_exchanges(self, exchanges: Sequence[Turn], shown: int | None) -> None:
        """Show these exchanges, and one of them in full."""
        at_end = self._is_at_end()
        before = set(self.cards)
        for key in before - {exchange.id for exchange in exchanges}:
            card = self.cards.pop(key)
            del self._drawn[key]
            self._layout.removeWidget(card)
            card.deleteLater()
        is_new = False
        for index, exchange in enumerate(exchanges, 1):
            is_new |= exchange.id == shown and self._is_answered_now(exchange)
            self._show(exchange, index, in_full=exchange.id == shown)
        self.empty.setVisible(not exchanges)
        if shown is not None and (is_new or shown not in before):
            self._scroll_later(shown)
        elif at_end and not before <= set(self.cards):
            self._scroll_later(None)

    def stream(self, exchange: int, partial: str) -> None:
        """Show what has been written so far to a question."""
        card = self.cards.get(exchange)
        if card is None:
            return
        at_end = self._is_at_end()
        card.stream(partial)
        if at_end:
            self._scroll_later(None)

    def light(self, exchange: int | None, claim: int | None) -> None:
        """Frame a sentence and no other."""
        for key, card in self.cards.items():
            card.light(claim if key == exchange else None)

    def bring(self, exchange: int | None, claim: int | None) -> None:
        """Have a sentence in sight."""
        if exchange in self.cards and claim is not None:
            row = self.cards[exchange].claims.rows[claim]
            self.ensureWidgetVisible(row, 0, 8)

    def scroll_to(self, exchange: int) -> None:
        """Have a card's beginning in sight."""
        if exchange in self.cards:
            self.verticalScrollBar().setValue(self.cards[exchange].y())

    def _show(self, exchange: Turn, index: int, *, in_full: bool) -> None:
        card = self.cards.get(exchange.id)
        if card is None:
            card = self._add(exchange, index)
        if self._drawn.get(exchange.id) != (exchange, in_full):
            self._drawn[exchange.id] = (exchange, in_full)
            card.show_exchange(exchange, in_full=in_full)

    def _is_answered_now(self, exchange: Turn) -> bool:
        """Whether it had no answer when it was drawn last, and has one now."""
        drawn = self._drawn.get(exchange.id)
        return drawn is not None and drawn[0].answer is None and exchange.answer is not None

    def _add(self, exchange: Turn, index: int) -> ExchangeCard:
        card = self.cards[exchange.id] = ExchangeCard(exchange, self.signals)
        self._layout.insertWidget(index, card)
        return card

    def _is_at_end(self) -> bool:
        bar = self.verticalScrollBar()
        return bool(bar.value() >= bar.maximum() - 20)

    def _scroll_later(self, exchange: int | None) -> None:
        """Scroll to a card, or to the end, as soon as the layout has settled."""
        self._scroll_target = exchange
        self._layout_settled.start()

    def _on_layout_settled(self) -> None:
        if self._scroll_target is not None:
            self.scroll_to(self._scroll_target)
        else:
            bar = self.verticalScrollBar()
            bar.setValue(bar.maximum())
