"""Vocabularies of SentencePiece (``tokenizer.model``), read without its library.

The file is a protocol buffer: ``sentencepiece_model.proto`` of
https://github.com/google/sentencepiece, encoded as
https://protobuf.dev/programming-guides/encoding describes. Only pieces are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_medvlm.data.errors import BackendUnavailable

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types of protocol buffers."""
PIECES, TEXT, SCORE = 1, 1, 2
"""Numbers of the fields of the model and of a piece."""


@dataclass(frozen=True)
class Piece:
    """A piece of the vocabulary and its score; the higher, the earlier it is merged."""

    text: str
    score: float


def read_pieces(file: Path) -> list[Piece]:
    """The pieces of a vocabulary in the order of their token numbers.

    Raises
    ------
    BackendUnavailable
        If the file is no vocabulary of SentencePiece.
    """
    try:
        fields = _fields(file.read_bytes())
        pieces = [_piece(value) for number, value in fields if number == PIECES]
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise BackendUnavailable(
            f"{file} cannot be read as a vocabulary: {type(error).__name__}.",
            "Download the tokenizer's files again.",
        ) from error
    if not pieces:
        raise BackendUnavailable(f"{file} has no vocabulary.", "Download it again.")
    return pieces


def merges_of(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """The pairs of pieces that byte-pair encoding merges, the first merged first.

    Every split of a piece into two others is a merge; its rank is the score of the piece.
    """
    numbers = {piece.text: number for number, piece in enumerate(pieces)}
    merges = []
    for number, piece in enumerate(pieces):
        for cut in range(1, len(piece.text)):
            left, right = piece.text[:cut], piece.text[cut:]
            if left in numbers and right in numbers:
                rank = (-piece.score, number, numbers[left], numbers[right])
                merges.append((rank, left, right))
    return [(left, right) for _, left, right in sorted(merges)]


def _piece(message: bytes) -> Piece:
    text, score = "", 0.0
    for number, value in _fields(message):
        if number == TEXT:
            text = value.decode("utf-8")
        elif number == SCORE:
            (score,) = struct.unpack("<f", value)
    return Piece(text, score)


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each field of a message; whole numbers have no content."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind, size = key & 7, 0
        if kind == BYTES:
            size, at = _varint(message, at)
        elif kind == VARINT:
            _, at = _varint(message, at)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(message):
            raise ValueError("the message ends early")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A whole number and the position behind it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
