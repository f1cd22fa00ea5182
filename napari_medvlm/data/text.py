"""Texts: their encoding as UTF-8, names that are spelled wrong, numbers of things."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def joined_surrogates(text: str) -> str:
    """The text with pairs of UTF-16 surrogates joined and lone ones replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shown_text(text: str, longest: int) -> str:
    """A text for a message: without control characters, its middle left out if it is too long.

    White space becomes a space, but for line ends and tabs; other characters that are not printable
    (escape sequences, changes of the writing direction, lone surrogates) become U+FFFD.
    """
    if len(text) > longest:
        end = longest // 3
        text = f"{text[: longest - end - 3]} … {text[-end:]}"
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" else " " if c.isspace() else "\ufffd"
        for c in joined_surrogates(text)
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``"Did you mean embedded? "`` for a name close to a known one; else empty."""
    spellings = {text.casefold(): text for text in known}
    close = get_close_matches(name.casefold(), spellings, n=1)
    return f"Did you mean {spellings[close[0]]}? " if close else ""


def quantity(number: int, noun: str) -> str:
    """``"1 case"``, ``"2 cases"``, for a noun with a regular plural."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class TextStream:
    """Joins surrogate pairs that were split between two parts of a text."""

    def __init__(self) -> None:
        self._high = ""

    def add(self, part: str) -> str:
        """The part, with the half pair that ended the part before; see `joined_surrogates`."""
        text, self._high = self._high + part, ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._high = text[:-1], text[-1]
        return joined_surrogates(text)

    def end(self) -> str:
        """What is left at the end of the text."""
        return joined_surrogates(self._high)
