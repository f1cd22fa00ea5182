"""Grammars in JSON: objects with a box, points or a count, and a label."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from napari_medvlm.backends.box_formats.collector import BoxCollector
from napari_medvlm.backends.box_formats.list_grammars import no_number, number_lists
from napari_medvlm.backends.box_formats.parsed import Flaw

# Up to the next brace that stands in no string. A string ends at the end of its line at the latest,
# as JSON has it, so that one forgotten quote spoils one line.
_INNARDS = re.compile(r'[^{}"]*+(?:"[^"\\\n]*+(?:\\.[^"\\\n]*+)*"?[^{}"]*+)*')
_NOTHING = re.compile(r"\[\s*+\]")
COUNT_KEYS = ("counts", "count")
"""Point-Detect-Count is trained on the first and writes the second as well."""
_BARE_NUMBERS = re.compile(r"\[\s*+-?\d[^\[\],]*+,[^\[\]]*+\]")


def read_bbox_2d(text: str, reading: BoxCollector) -> None:
    """Qwen's keys: ``bbox_2d``, ``point_2d``, ``counts``, ``label``."""
    _read(text, reading, ("bbox_2d", "point_2d"))


def read_box_2d(text: str, reading: BoxCollector) -> None:
    """Gemini's keys: ``box_2d``, ``point``, ``label``."""
    _read(text, reading, ("box_2d", "point"))


def _read(text: str, reading: BoxCollector, keys: tuple[str, str]) -> None:
    position, between = 0, []
    for before, piece in reading.limited(_objects(text)):
        between.append(before)
        position += len(before) + len(piece)
        _read_object(piece, reading, keys)
    between.append(text[position:])
    _check_outside("".join(between), bool(position), reading, keys[0])


def _objects(text: str) -> Iterator[tuple[str, str]]:
    """The text before each object, and the object, including unclosed ones."""
    position, start = 0, text.find("{")
    while start >= 0:
        stop = _INNARDS.match(text, start + 1).end()  # type: ignore[union-attr]  # matches nothing
        closed = text[stop : stop + 1] == "}"
        yield text[position:start], text[start : stop + closed]
        position = stop + closed
        start = text.find("{", position)


def _read_object(piece: str, reading: BoxCollector, keys: tuple[str, str]) -> None:
    if not piece.endswith("}"):
        message = "An object is not closed before the text ends or the next one begins."
        reading.note(Flaw.BROKEN, piece, message)
        return
    try:
        item = _DECODER.decode(piece)
    except (ValueError, RecursionError):
        reading.note(Flaw.BROKEN, piece, "This is not JSON.")
        return
    label = item.get("label", "")
    if not isinstance(label, str):
        reading.note(Flaw.BROKEN, piece, "The label is not a string.")
    elif item.keys().isdisjoint({*keys, *COUNT_KEYS}):
        reading.note(Flaw.BROKEN, piece, f"It has neither {keys[0]!r} nor {keys[1]!r}.")
    else:
        _add_shapes(item, label.strip(), piece, reading, keys)


def _add_shapes(
    item: dict[str, object], label: str, piece: str, reading: BoxCollector, keys: tuple[str, str]
) -> None:
    box_key, point_key = keys
    if box_key in item:
        for numbers in number_lists(item[box_key], piece, reading):
            reading.add_box(label, numbers, piece)
    if point_key in item:
        for numbers in number_lists(item[point_key], piece, reading):
            reading.add_point(label, numbers, piece)
    for count in (item[key] for key in COUNT_KEYS if key in item):
        if isinstance(count, float) and count.is_integer() and 0 <= count < 1e9:
            reading.add_count(int(count))
        else:
            reading.note(Flaw.BROKEN, piece, "The count is not a whole number.")


def _check_outside(text: str, any_object: bool, reading: BoxCollector, key: str) -> None:
    """Parse the text around the objects: an empty list means that nothing was detected."""
    if reading.stopped:
        return
    if any_object:
        if text.count("[") > text.count("]"):
            reading.note(Flaw.BROKEN, text[text.rfind("[") :], "The list of objects is not closed.")
    elif _NOTHING.search(text):
        reading.recognised = True
    elif bare := _BARE_NUMBERS.search(text):
        reading.note(Flaw.BROKEN, bare.group(), f"Numbers without the key {key!r}.")


def _without_repeated_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    item = dict(pairs)
    if len(item) < len(pairs):
        raise ValueError("A key occurs twice.")
    return item


_DECODER = json.JSONDecoder(
    parse_int=float, parse_constant=no_number, object_pairs_hook=_without_repeated_keys
)
