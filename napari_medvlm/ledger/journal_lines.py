"""Lines of a journal: a record as JSON, with its number in the file and a checksum.

A line is the JSON of the record with two more members at its end, ``"line"`` (0: the header) and
``"crc"``, the CRC-32 of all bytes before it as eight hexadecimal digits. A single flipped bit is
corrected. Lines of journals without checksums (up to version 0.2) are read as they are.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_TAIL = len(',"crc":"00000000"}')
_NUMBER = re.compile(rb',"line":(\d{1,15})$')
_POLYNOMIAL = 0xEDB88320
_BLANKS = b"\r\0 \xef\xbb\xbf"
"""Around a line: a byte order mark, other line ends, zeros of a file that was cut off."""
_SEARCHED_BYTES = 2**17
"""How many bytes of the damaged lines of a file are searched for a flipped bit."""
_MISSING = 10_000
"""Most missing lines that are listed in a row."""


@dataclass(frozen=True)
class Line:
    """A line as read.

    Attributes
    ----------
    text
        The JSON of the record; `None` if the line is damaged.
    number
        Its number in the file, `None` if the line has none.
    """

    text: bytes | None
    number: int | None = None


def line_of(record: str, number: int) -> bytes:
    """The line of a record's JSON, with the line end."""
    body = record[:-1].encode() + f',"line":{number}'.encode()
    return body + _tail(body) + b"\n"


def read_line(line: bytes, correct: bool = True) -> Line:
    """Read a line without its end: check the checksum, correct a single flipped bit."""
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if _distance(tail, _tail(body)) > 1:
        if not tail.startswith(b',"crc":"'):
            return Line(line)
        corrected = _corrected(body, tail) if correct else None
        if corrected is None:
            return Line(None)
        body = corrected
    number = _NUMBER.search(body)
    if number is None:
        return Line(line)
    return Line(body[: number.start()] + b"}", int(number[1]))


def read_lines(data: bytes) -> list[bytes | None]:
    """The JSON of the header and of each record of a journal, in the order of their numbers.

    `None` is a line that is damaged or missing. A doubled line is left out. A last line
    without an end was cut off by a crash and is not listed.
    """
    lines: dict[int, bytes | None] = {}
    last, budget = -1, _SEARCHED_BYTES
    for text in data.split(b"\n")[:-1]:
        text = text.strip(_BLANKS)
        if not text:
            continue
        line = read_line(text, correct=len(text) <= budget)
        if line.text is None:
            budget -= len(text)
        last = last + 1 if line.number is None else line.number
        if lines.get(last) is None:
            lines[last] = line.text
    return list(_in_order(lines))


def _in_order(lines: dict[int, bytes | None]) -> Iterator[bytes | None]:
    expected = 0
    for number in sorted(lines):
        yield from [None] * min(number - expected, _MISSING)
        yield lines[number]
        expected = number + 1


def _tail(body: bytes) -> bytes:
    return b',"crc":"%08x"}' % zlib.crc32(body)


def _distance(a: bytes, b: bytes) -> int:
    """The number of bits in which two byte strings differ; at least 2 for other lengths."""
    if len(a) != len(b):
        return 2
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()


def _corrected(body: bytes, tail: bytes) -> bytes | None:
    """The body with the one bit flipped back that the checksum shows; `None` if there is none.

    The CRC is linear: the difference of two checksums of the same length depends only on the bits
    that differ and on their distance from the end.
    """
    digits = tail[len(b',"crc":"') : -2]
    if not re.fullmatch(rb"[0-9a-f]{8}", digits):
        return None
    difference = zlib.crc32(body) ^ int(digits, 16)
    for index, byte_effects in zip(
        range(len(body) - 1, -1, -1), _effects(), strict=False
    ):  # endless
        if difference in byte_effects:
            flipped = bytearray(body)
            flipped[index] ^= 1 << byte_effects.index(difference)
            return bytes(flipped)
    return None


def _effects() -> Iterator[list[int]]:
    """What each flipped bit (0 to 7) of a byte changes in the CRC, from the last byte on."""
    table = [_shifted(value) for value in range(256)]
    effects = [table[1 << bit] for bit in range(8)]
    while True:
        yield effects
        effects = [table[effect & 0xFF] ^ (effect >> 8) for effect in effects]


def _shifted(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value
