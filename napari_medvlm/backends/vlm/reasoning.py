"""Split the reasoning from the answer, of a complete or a streamed text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Markers = Sequence[tuple[str, str]]
"""What opens and what closes a thought."""

THINKING = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<unused94>", "<unused95>"),
)
"""How models mark their thoughts; MedGemma's by the last."""

_ANSWER = ("<answer>", "</answer>")
_FINAL = re.compile(r"(?:^|(?<=\s))[*_#\s]*final answer[*_]*\s*:[*_]*", re.IGNORECASE)
_LEADING_THOUGHT = re.compile(r"\Athought\s*\n")


class ReasonedText(NamedTuple):
    """A text in two: what was thought, and the answer."""

    thinking: str
    answer: str


def split_reasoning(text: str, markers: Markers = THINKING) -> ReasonedText:
    """Split a text into reasoning and answer.

    A thought that is never closed reaches to the end; one that was opened by the question has only
    its end. Where an answer is marked (``<answer>``, or ``Final Answer:``), what stands before it
    is a thought too.
    """
    thoughts, rest = _without_thoughts(text, markers)
    opening, closing = _ANSWER
    before, opened, after = rest.partition(opening)
    if opened:
        inside, _, behind = after.partition(closing)
        thoughts.append(before)
        rest = f"{inside.strip()}\n{behind.strip()}"
    rest = rest.replace(closing, "")
    finals = list(_FINAL.finditer(rest))
    if finals and rest[finals[-1].end() :].strip():
        thoughts.append(rest[: finals[-1].start()])
        rest = rest[finals[-1].end() :]
    stripped = (_LEADING_THOUGHT.sub("", thought).strip() for thought in thoughts)
    return ReasonedText("\n\n".join(thought for thought in stripped if thought), rest.strip())


def _without_thoughts(text: str, markers: Markers) -> tuple[list[str], str]:
    """The thoughts, and the text without them."""
    thoughts: list[str] = []
    for opening, closing in markers:
        parts = []
        *closed, last = text.split(closing)
        for number, piece in enumerate(closed):
            before, opened, thought = piece.partition(opening)
            if opened or number == 0:
                parts.append(before if opened else "")
                thoughts.append(thought if opened else piece)
            else:
                parts.append(piece)
        before, _, unclosed = last.partition(opening)
        thoughts.append(unclosed)
        text = "".join([*parts, before])
    return thoughts, text


class Stream:
    """A text as it comes: what may be shown now, with thoughts and calls of tools held apart.

    Parameters
    ----------
    markers
        As in `split_reasoning`.
    inside
        Whether the question has opened a thought already.
    hidden
        More of what is opened and closed and not shown, such as calls of tools.
    """

    def __init__(
        self, markers: Markers = THINKING, *, inside: bool = False, hidden: Markers = ()
    ) -> None:
        self.text = ""
        """All that came."""
        self.thinking = ""
        """What came of thoughts."""
        self._thoughts = tuple(markers)
        self._pairs = (*markers, *hidden)
        self._open: tuple[str, str] | None = self._thoughts[0] if inside else None
        self._waiting = ""
        self._begun = False

    def feed(self, piece: str) -> str:
        """Take more of the text; what of the answer may be shown now."""
        self.text += piece
        self._waiting += piece
        return self._shown("".join(self._moved()))

    def end(self) -> str:
        """No more comes: what of the answer was still held back."""
        rest, self._waiting = self._waiting, ""
        return self._shown("".join(self._status_deltas(rest)))

    @property
    def is_thinking(self) -> bool:
        """Whether the text so far ends within the reasoning."""
        return self._open is not None

    def _moved(self) -> Iterator[str]:
        """The buffered text that cannot be the start of a marker."""
        while marker_position := self._next():
            at, marker = marker_position
            before, self._waiting = self._waiting[:at], self._waiting[at + len(marker) :]
            yield from self._status_deltas(before)
            opened = [pair for pair in self._pairs if pair[0] == marker]
            self._open = opened[0] if opened else None
        held = max((self._held(marker) for marker in self._markers()), default=0)
        cut = len(self._waiting) - held
        before, self._waiting = self._waiting[:cut], self._waiting[cut:]
        yield from self._status_deltas(before)

    def _markers(self) -> tuple[str, ...]:
        """Markers that may follow."""
        if self._open is not None:
            return (self._open[1],)
        closing = tuple(pair[1] for pair in self._thoughts)
        return (*(pair[0] for pair in self._pairs), *closing, *_ANSWER)

    def _next(self) -> tuple[int, str] | None:
        positions = ((self._waiting.find(marker), marker) for marker in self._markers())
        return min((position for position in positions if position[0] >= 0), default=None)

    def _held(self, marker: str) -> int:
        """Number of final characters that may start a marker."""
        longest = min(len(marker) - 1, len(self._waiting))
        return next((n for n in range(longest, 0, -1) if self._waiting.endswith(marker[:n])), 0)

    def _status_deltas(self, text: str) -> Iterator[str]:
        if self._open is None:
            yield text
        elif self._open in self._thoughts:
            self.thinking += text

    def _shown(self, text: str) -> str:
        """Without the white space that an answer begins with."""
        text = text if self._begun else text.lstrip()
        self._begun = self._begun or bool(text)
        return text
