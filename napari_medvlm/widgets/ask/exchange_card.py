"""A question and its answer: the answer first, what led to it folded away."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtGui import QGuiApplication, QMouseEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from napari_medvlm.backends.vlm.reasoning import split_reasoning
from napari_medvlm.data.answer import Answer
from napari_medvlm.data.conversation import State, Turn
from napari_medvlm.data.tool_call import ToolResult, ToolRound
from napari_medvlm.layers.answer_layers import colors_of
from napari_medvlm.widgets.ask.evidence_button import EvidenceButton
from napari_medvlm.widgets.ask.sent_images import PictureStrip, covered
from napari_medvlm.widgets.ask.sentence_rows import ClaimRows
from napari_medvlm.widgets.ask.transcript_signals import TranscriptSignals
from napari_medvlm.widgets.parts.buttons import button
from napari_medvlm.widgets.parts.collapsible import Collapsible
from napari_medvlm.widgets.parts.markdown_view import MarkdownView
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

WORDS = {State.WAITING: "waiting", State.RUNNING: "answering…", State.STOPPED: "stopped"}


class ExchangeCard(QFrame):
    """What was asked, what was sent, what came of it; all of it only on the card that is shown.

    Parameters
    ----------
    exchange
        The turn of the conversation.
    signals
        Emitted when the card, a sentence, an image or a button is clicked.
    """

    def __init__(self, exchange: Turn, signals: TranscriptSignals) -> None:
        super().__init__()
        self.exchange = exchange
        self._signals = signals
        self.question, self.state, self.coverage = WrappedLabel(), WrappedLabel(), WrappedLabel()
        self.strip = PictureStrip()
        self.choice, self.problem, self.notes = WrappedLabel(), WrappedLabel(), WrappedLabel()
        self.steps_text, self.thinking_text = MarkdownView(), MarkdownView()
        self.steps = Collapsible("Steps", "Tool calls made before the answer.", self.steps_text)
        self.thinking = Collapsible(
            "Thinking", "The model's reasoning before the answer.", self.thinking_text
        )
        self.text = MarkdownView()
        self.claims = ClaimRows(exchange.id, signals)
        self.copy = button("Copy", "Copy question and answer as text.")
        self.again = button("Ask again", "Ask again; this answer is replaced.")
        self.edit = button("Edit", "Edit the question; later turns are removed.")
        self.evidence = EvidenceButton()
        self._lay_out()
        self._connect()

    def show_exchange(self, exchange: Turn, *, in_full: bool) -> None:
        """Show how far it is; in short if another card is the one shown."""
        self.exchange = exchange
        answer = exchange.answer
        self.question.setText(exchange.question)
        self.state.setText(_state(exchange))
        self.problem.show_text(exchange.problem)
        self.stream(exchange.partial if answer is None else "")
        if answer is not None:
            self.text.show_markdown(_short_of(answer))
            self.thinking_text.show_markdown(answer.thinking)
        shows_claims = in_full and answer is not None and _shown_by_claims(answer)
        self.text.setVisible(not shows_claims and bool(self.text.toPlainText()))
        self._show_rest(answer, in_full)

    def stream(self, partial: str) -> None:
        """Show what the model has written so far."""
        if not partial:
            return
        thinking, text = split_reasoning(partial)
        self.text.show_markdown(text or ("*Thinking…*" if thinking else ""))
        self.text.setVisible(bool(text or thinking))
        if thinking:
            self.thinking_text.show_markdown(thinking)
            self.thinking.setVisible(True)

    def light(self, claim: int | None) -> None:
        """Frame one sentence and no other."""
        self.claims.light(claim)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802  # Qt's name
        """Choose the card."""
        super().mousePressEvent(event)
        self._choose()

    def _choose(self) -> None:
        self._signals.turn_chosen.emit(self.exchange.id)

    def _show_rest(self, answer: Answer | None, in_full: bool) -> None:
        exchange = self.exchange
        self.strip.show_sent(exchange.sent if in_full else ())
        coverage = covered(exchange.covered, len(exchange.sent)) if in_full else ""
        self.coverage.show_text(coverage)
        self.choice.show_text("" if answer is None else _choice(exchange, answer))
        notes = answer.notes if answer is not None and in_full else ()
        self.notes.show_text("\n".join(f"⚠ {note}" for note in notes))
        self.steps_text.show_markdown(_steps(exchange.steps))
        self.steps.setText(_counted(len(exchange.steps)))
        self.steps.setVisible(in_full and bool(exchange.steps))
        thought = bool(self.thinking_text.toPlainText())
        self.thinking.setVisible(thought and (in_full or answer is None))
        claims = answer.claims if answer is not None and in_full else ()
        self.claims.show_claims(claims, colors_of(claims), exchange.marks)
        self.claims.setVisible(bool(claims))
        done = exchange.state not in (State.WAITING, State.RUNNING)
        for widget in (self.copy, self.again, self.edit):
            widget.setVisible(in_full)
            widget.setEnabled(done)
        self.evidence.setVisible(in_full and bool(exchange.sent))
        self.evidence.offer(exchange)

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(as_text(self.exchange))

    def _lay_out(self) -> None:
        self.setFrameShape(QFrame.Shape.StyledPanel)
        font = self.question.font()
        font.setBold(True)
        self.question.setFont(font)
        head = QHBoxLayout()
        head.addWidget(self.state, 1)
        for widget in (self.copy, self.again, self.edit):
            head.addWidget(widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(4)
        seen = QHBoxLayout()
        seen.addWidget(self.coverage, 1)
        seen.addWidget(self.evidence)
        layout.addWidget(self.question)
        layout.addLayout(head)
        layout.addWidget(self.strip)
        layout.addLayout(seen)
        for part in (self.choice, self.text, self.claims):
            layout.addWidget(part)
        for part in (self.problem, self.notes, self.thinking, self.steps):
            layout.addWidget(part)

    def _connect(self) -> None:
        key, signals = self.exchange.id, self._signals
        self.text.pressed.connect(self._choose)
        self.strip.chosen.connect(signals.image_chosen)
        self.copy.clicked.connect(lambda: self._copy())
        self.again.clicked.connect(lambda: signals.regenerate_requested.emit(key))
        self.edit.clicked.connect(lambda: signals.edit_requested.emit(key))
        self.evidence.chosen.connect(lambda image: signals.evidence_requested.emit(key, image))


def as_text(exchange: Turn) -> str:
    """A question and its answer, to paste elsewhere."""
    answer = exchange.answer
    lines = [exchange.question, "", exchange.partial if answer is None else _short_of(answer)]
    if answer is not None and answer.claims:
        for number, claim in enumerate(answer.claims, 1):
            mark = exchange.marks.get(number - 1)
            judged = "" if mark is None else f" [{mark.verdict.value}{_noted(mark.note)}]"
            linked = "" if claim.regions else " (not linked to a region)"
            lines.append(f"{number}. {claim.text}{linked}{judged}")
    return "\n".join(lines).strip()


def _noted(note: str) -> str:
    return f": {note}" if note else ""


def _state(exchange: Turn) -> str:
    if exchange.state is State.FAILED:
        return "failed"
    if exchange.state is State.ANSWERED:
        text = "" if exchange.answer is None or exchange.answer.answered else "not answered · "
        took = f" · {exchange.seconds:.1f} s" if exchange.seconds else ""
        return f"{text}{exchange.backend}{took}"
    return WORDS[exchange.state]


def _short_of(answer: Answer) -> str:
    if answer.answered or not answer.reason or answer.reason in answer.text:
        return answer.text
    return f"{answer.text}\n\n{answer.reason}".strip()


def _shown_by_claims(answer: Answer) -> bool:
    """Whether the sentences say all that the text says."""
    shows_claims = " ".join(claim.text for claim in answer.claims)
    return bool(answer.claims) and shows_claims.split() == answer.text.split()


def _choice(exchange: Turn, answer: Answer) -> str:
    """The option that was chosen, and how likely each one is."""
    if not answer.choice and not answer.probabilities:
        return ""
    lines = [f"→ {answer.choice or 'No option recognised.'}"]
    options = exchange.options or ("yes", "no")
    if len(options) == len(answer.probabilities):
        pairs = zip(options, answer.probabilities, strict=True)
        lines += [f"    {100 * share:.0f} %  {option}" for option, share in pairs]
    return "\n".join(lines)


def _steps(steps: Sequence[ToolRound]) -> str:
    lines = []
    for number, step in enumerate(steps, 1):
        lines.append(f"{number}. {' '.join(step.text.split())[:300]}")
        lines += [f"   - {_called(result)}" for result in step.results]
    return "\n".join(lines)


def _called(result: ToolResult) -> str:
    argument_text = ", ".join(f"{key}={value}" for key, value in result.call.arguments.items())
    failed = "⚠ " if result.failed else ""
    text = " ".join(result.text.split())
    return f"`{result.call.name}({argument_text})` → {failed}{text}"


def _counted(count: int) -> str:
    return "1 tool step" if count == 1 else f"{count} tool steps"
