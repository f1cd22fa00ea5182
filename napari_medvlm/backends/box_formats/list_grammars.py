"""Grammars of numbers in running text: bracketed lists, bare runs, pairs of corners."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from napari_medvlm.backends.box_formats.collector import MAX_PIECES, BoxCollector
from napari_medvlm.backends.box_formats.parsed import Flaw

NUMBER = r"-?\d++(?:\.\d++)?(?:[eE][-+]?\d{1,3})?"
_DIGIT = re.compile(r"\d")
_BRACKET = re.compile(r"[\[\]]")
_LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
_MEANT_AS_NUMBERS = re.compile(r"\d[^,]*+,")
_RUN = re.compile(rf"(?<![\d.\w-]){NUMBER}(?:\s*+,\s*+{NUMBER})+")
_TRIPLE = re.compile(rf"[(\[]\s*+({NUMBER})\s*+,\s*+({NUMBER})\s*+,\s*+({NUMBER})\s*+[)\]]")
_BETWEEN_CORNERS = re.compile(r"[\s,;]*+\Z")
_BRACKETED_NUMBERS = re.compile(rf"[(\[]\s*+({NUMBER}(?:\s*+,\s*+{NUMBER})*)\s*+,?\s*+[)\]]")


def read_bracketed(text: str, reading: BoxCollector) -> None:
    """``[x1, y1, x2, y2]``, or a list of such, anywhere in the text. Labels are empty."""
    for group in reading.limited(bracket_groups(text, reading)):
        if _MEANT_AS_NUMBERS.search(group):
            add_listed("", group, reading)


def read_cogvlm(text: str, reading: BoxCollector) -> None:
    """Like `read_bracketed`; numbers have leading zeros, and a semicolon separates boxes."""
    for group in reading.limited(bracket_groups(_LEADING_ZEROS.sub("", text), reading)):
        if _MEANT_AS_NUMBERS.search(group):
            add_listed("", group.replace(";", "],["), reading)


def read_gemex(text: str, reading: BoxCollector) -> None:
    """The bracketed lists behind the last ``<location>``."""
    _, marker, location = text.rpartition("<location>")
    if marker:
        read_bracketed(location, reading)


def read_runs(text: str, reading: BoxCollector) -> None:
    """Four numbers parted by commas, in brackets or not; each run of numbers is one box."""
    for match in reading.limited(_RUN.finditer(text)):
        run = match.group()
        reading.add_box("", [float(number) for number in run.split(",")], run)


def read_corners(text: str, reading: BoxCollector) -> None:
    """Pairs of corners ``(x, y, z)`` in round or square brackets, the near one first.

    Both are taken as edges, so the far one is not inside. The size of the image is not consulted,
    because a volume's third side is not known here.
    """
    waiting: re.Match[str] | None = None
    for match in reading.limited(_BRACKETED_NUMBERS.finditer(text)):
        if not _TRIPLE.fullmatch(match.group()):
            reading.refuse_numbers(match.group(), 3)
        elif waiting and _BETWEEN_CORNERS.match(text[waiting.end() : match.start()]):
            numbers = [float(n) for m in (waiting, match) for n in m.group(1).split(",")]
            reading.add_voxel_box("", numbers, text[waiting.start() : match.end()])
            waiting = None
        else:
            _refuse_single(waiting, reading)
            waiting = match
    _refuse_single(waiting, reading)


def add_listed(label: str, group: str, reading: BoxCollector) -> None:
    """Add the boxes of one bracketed group: a list of four numbers, or a list of such lists."""
    try:
        value = _DECODER.decode(group)
    except (ValueError, RecursionError):
        reading.refuse_numbers(group)
        return
    for numbers in number_lists(value, group, reading):
        reading.add_box(label, numbers, group)


def number_lists(value: object, piece: str, reading: BoxCollector) -> list[list[float]]:
    """The flat lists of numbers in a value: itself, or its items; else a finding and none."""
    reading.recognised = True
    if not isinstance(value, list):
        reading.note(Flaw.BROKEN, piece, "A list of numbers is missing.")
        return []
    kinds = set(map(type, value))
    if kinds <= {float}:
        return [value] if value else []
    if kinds == {list} and all(set(map(type, item)) <= {float} for item in value):
        return list(reading.limited(value, 1))
    if list in kinds:
        reading.note(Flaw.MIXED_DEPTH, piece, "Lists are nested too deeply or unevenly.")
    else:
        reading.note(Flaw.BROKEN, piece, "The list has an item that is not a number.")
    return []


def bracket_groups(text: str, reading: BoxCollector) -> Iterator[str]:
    """The outermost bracketed pieces of a text; of one that is never closed, those within it."""
    opened: list[int] = []
    done: list[tuple[int, int]] = []
    for index, match in enumerate(_BRACKET.finditer(text)):
        if index == 4 * MAX_PIECES:
            reading.stop(text[match.start() :][:400])
            break
        if match.group() == "[":
            opened.append(match.start())
        elif opened:
            start = opened.pop()
            while done and done[-1][0] > start:
                done.pop()
            done.append((start, match.end()))
    if opened and not reading.stopped and _DIGIT.search(text, opened[0]):
        reading.note(Flaw.BROKEN, text[opened[0] :][:400], "A list is never closed.")
    for start, stop in done:
        yield text[start:stop]


def _refuse_single(match: re.Match[str] | None, reading: BoxCollector) -> None:
    if match:
        message = "A box needs two corners; one is missing."
        reading.note(Flaw.ODD_COUNT, match.group(), message)


def no_number(name: str) -> float:
    """Raise `ValueError` for ``NaN`` and ``Infinity``."""
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_int=float, parse_constant=no_number)
