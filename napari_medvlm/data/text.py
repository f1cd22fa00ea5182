"""Texts from outside, so that they can be encoded as UTF-8."""

from __future__ import annotations


def joined_surrogates(text: str) -> str:
    """The text with pairs of UTF-16 surrogates joined and lone ones replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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
