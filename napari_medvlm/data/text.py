"""Texts from outside, so that they can be encoded as UTF-8."""

from __future__ import annotations


def joined_surrogates(text: str) -> str:
    """The text with pairs of UTF-16 surrogates joined and lone ones replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
