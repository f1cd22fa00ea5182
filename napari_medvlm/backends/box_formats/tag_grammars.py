"""Grammars with tags and tokens of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from napari_medvlm.backends.box_formats.collector import BoxCollector
from napari_medvlm.backends.box_formats.list_grammars import NUMBER, add_listed
from napari_medvlm.backends.box_formats.parsed import Flaw

_TWO_CORNERS = re.compile(
    rf"\s*+\(\s*+({NUMBER})\s*+,\s*+({NUMBER})\s*+\)\s*+,"
    rf"\s*+\(\s*+({NUMBER})\s*+,\s*+({NUMBER})\s*+\)\s*+"
)
_BARE_CORNERS = re.compile(
    rf"(?<![\d)])(?:,\s*+)?\(\s*+({NUMBER})\s*+,\s*+({NUMBER})\s*+\)\s*+,"
    rf"\s*+\(\s*+({NUMBER})\s*+,\s*+({NUMBER})\s*+\)(?:<\|box_(?:end|start)\|>)?"
)
_SPACED = re.compile(rf"\s*+{NUMBER}(?:\s++{NUMBER})*\s*+")
_PATCHES = re.compile(r"\s*+(?:<patch_index_\d++>\s*+)*")
_NEXT_OBJECT = "</delimiter_of_multi_objects/>"
_PATCH = re.compile(r"<patch_index_(\d++)>")
_MAIRA_BINS = re.compile(r"\s*+(?:<[xy]\d++>\s*+)*")
_MAIRA_BIN = re.compile(r"<([xy])(\d++)>")
_FLORENCE_RUN = re.compile(r"(?:<loc_\d++>)+")
_PALIGEMMA_RUN = re.compile(r"((?:<loc\d++>)+|(?=<seg))\s*+((?:<seg\d++>)*)[^\S\n]*+([^;<\n]*+)")
_DIGITS = re.compile(r"\d++")
_SPECIAL = re.compile(r"</?s>|<pad>|<eos>|<bos>")
_POINT = re.compile(r'<points?\b((?:\s++\w++\s*+=\s*+"[^"<]*+")*)\s*+>([^<]*+)')
_POINT_OPENING = re.compile(r"<points?\b")
_ATTRIBUTE = re.compile(r'\b(\w++)\s*+=\s*+"([^"]*+)"')
_NUMBER = re.compile(NUMBER)
_SEGMENT = re.compile(r"(?:<p>([^<]*+)</p>\s*+)?\[SEG\]|<p>([^<]*+)</p>")


class _Tagged(NamedTuple):
    before: str
    """What stands between the piece before and this one."""
    content: str
    piece: str


def read_qwen2(text: str, reading: BoxCollector) -> None:
    """``<|object_ref_start|>label<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)<|box_end|>``."""
    label = ""
    for tagged in _tagged(text, "<|box_start|>", "<|box_end|>", reading):
        label = _label(tagged.before, "<|object_ref_start|>", "<|object_ref_end|>", label)
        if match := _TWO_CORNERS.fullmatch(tagged.content):
            reading.add_box(label, [float(n) for n in match.groups()], tagged.piece)
        else:
            reading.refuse_numbers(tagged.content)


def read_medseq(text: str, reading: BoxCollector) -> None:
    """``(x1,y1),(x2,y2)``, in Qwen2-VL's tags or not: servers may leave special tokens out.

    The authors ask for ``<|box_start|>`` at both ends, and so it is read as an end as well.
    """
    label = ""
    position = 0
    for match in reading.limited(_BARE_CORNERS.finditer(text)):
        before = text[position : match.start()].removesuffix("<|box_start|>")
        label = _label(before, "<|object_ref_start|>", "<|object_ref_end|>", label)
        position = match.end()
        reading.add_box(label, [float(n) for n in match.groups()], match.group())
    if "<|box_start|>" in text and not position:
        reading.note(Flaw.BROKEN, text[text.find("<|box_start|>") :][:400], "Not two corners.")


def read_ref_box(text: str, reading: BoxCollector) -> None:
    """``<ref>label</ref><box>[[x1, y1, x2, y2], ...]</box>``; other text around is left out."""
    label = ""
    for tagged in _tagged(text, "<box>", "</box>", reading):
        label = _label(tagged.before, "<ref>", "</ref>", label)
        add_listed(label, tagged.content.strip(), reading)


def read_minicpm(text: str, reading: BoxCollector) -> None:
    """``<box>x1 y1 x2 y2</box>``, with ``<ref>label</ref>`` before it or not."""
    label = ""
    for tagged in _tagged(text, "<box>", "</box>", reading):
        label = _label(tagged.before, "<ref>", "</ref>", label)
        if _SPACED.fullmatch(tagged.content):
            reading.add_box(label, [float(n) for n in tagged.content.split()], tagged.piece)
        else:
            reading.refuse_numbers(tagged.content)


def read_maira2(text: str, reading: BoxCollector) -> None:
    """``<obj>finding<box><x10><y20><x30><y40></box></obj>``; a finding may have no box."""
    for tagged in _tagged(text, "<obj>", "</obj>", reading):
        reading.recognised = True
        label = tagged.content.partition("<box>")[0].strip()
        for box in _tagged(tagged.content, "<box>", "</box>", reading, 1):
            bins = _MAIRA_BIN.findall(box.content)
            axes = "".join(axis for axis, _ in bins)
            if not _MAIRA_BINS.fullmatch(box.content) or (len(bins) == 4 and axes != "xyxy"):
                reading.note(Flaw.BROKEN, box.piece, "Not the bins <x><y><x><y>.")
            else:
                reading.add_box(label, [float(n) for _, n in bins], box.piece)


def read_kosmos2(text: str, reading: BoxCollector) -> None:
    """``<phrase>label</phrase><object><patch_index_0044><patch_index_0863></object>``.

    As in Kosmos-2's own processor, a box runs from centre to centre of its two patches, and round
    whole patches where both lie in one row or in one column.
    """
    label = ""
    for tagged in _tagged(text, "<object>", "</object>", reading):
        label = _label(tagged.before, "<phrase>", "</phrase>", label)
        for box in reading.limited(tagged.content.split(_NEXT_OBJECT), 1):
            patches = [int(n[:9]) for n in _PATCH.findall(box)]
            if not _PATCHES.fullmatch(box):
                reading.note(Flaw.BROKEN, tagged.piece, "Only patches are expected here.")
            elif len(patches) != 2:
                message = f"{len(patches)} patches instead of 2."
                reading.note(Flaw.ODD_COUNT, tagged.piece, message)
            else:
                reading.add_box(label, _patch_corners(*patches), tagged.piece)


def read_florence2(text: str, reading: BoxCollector) -> None:
    """``label<loc_x1><loc_y1><loc_x2><loc_y2>``; eight in a row are two boxes of one label."""
    position = 0
    for match in reading.limited(_FLORENCE_RUN.finditer(text)):
        before = text[position : match.start()]
        position = match.end()
        _refuse_cut(before, "<loc", reading)
        numbers = [float(n) for n in _DIGITS.findall(match.group())]
        label = _SPECIAL.sub("", before).strip(" \t\r\n.,;")
        step = len(numbers) if len(numbers) % 4 else 4  # of seven, nobody knows which are a box
        for start in reading.limited(range(0, len(numbers), step), 1):
            reading.add_box(label, numbers[start : start + step], match.group())
    _refuse_cut(text[position:], "<loc", reading)


def read_paligemma(text: str, reading: BoxCollector) -> None:
    """Four ``<loc0123>`` and a label, parted by ``;``; a mask has 16 ``<seg000>`` between them."""
    position = 0
    for match in reading.limited(_PALIGEMMA_RUN.finditer(text)):
        _refuse_cut(text[position : match.start()], "<loc", reading)
        position = match.end()
        places, codes = (_DIGITS.findall(group) for group in match.group(1, 2))
        numbers, label = [float(n) for n in places], match.group(3).strip()
        if codes:
            _add_paligemma_mask(label, numbers, [int(n[:9]) for n in codes], match.group(), reading)
        else:
            reading.add_box(label, numbers, match.group())
    _refuse_cut(text[position:], "<loc", reading)


def read_molmo(text: str, reading: BoxCollector) -> None:
    """``<point x= y= alt=>`` and ``<points x1= y1= x2= y2= alt=>``."""
    count = 0
    for match in reading.limited(_POINT.finditer(text)):
        count += 1
        values = dict(_ATTRIBUTE.findall(match.group(1)))
        label = values.pop("alt", match.group(2)).strip()
        _add_molmo_points(label, values, match.group(), reading)
    if len(_POINT_OPENING.findall(text)) > count and not reading.stopped:
        message = "A point is not closed or not well-formed."
        reading.note(Flaw.BROKEN, text[text.rfind("<point") :], message)


def read_seg_tokens(text: str, reading: BoxCollector) -> None:
    """``<p>phrase</p>[SEG]``, or ``[SEG]`` alone."""
    for match in reading.limited(_SEGMENT.finditer(text)):
        if match.group(2) is None:
            reading.add_mask((match.group(1) or "").strip(), (), None, match.group())
        else:
            reading.note(Flaw.BROKEN, match.group(), "No mask follows the phrase.")


def _tagged(
    text: str, opening: str, closing: str, reading: BoxCollector, counted: int = 0
) -> Iterator[_Tagged]:
    """The closed pieces between two tags, at most so many; others are refused."""
    return reading.limited(_pieces(text, opening, closing, reading), counted)


def _pieces(text: str, opening: str, closing: str, reading: BoxCollector) -> Iterator[_Tagged]:
    position = 0
    while (start := text.find(opening, position)) >= 0:
        stop = text.find(closing, start)
        if stop < 0:
            reading.note(Flaw.BROKEN, text[start:][:400], f"{opening} is never closed.")
            return
        inner = text.rfind(opening, start, stop)
        if inner > start:
            message = f"{opening} comes again before it is closed."
            reading.note(Flaw.BROKEN, text[start:inner][:400], message)
        end = stop + len(closing)
        content = text[inner + len(opening) : stop]
        yield _Tagged(text[position:inner], content, text[inner:end])
        position = end
    if closing in text[position:]:
        reading.note(Flaw.BROKEN, text[position:][:400], f"{closing} was never opened.")


def _label(before: str, opening: str, closing: str, last: str) -> str:
    """The label right before a box; boxes that follow each other directly share one."""
    before = before.rstrip()
    if not before.strip(" ,;\n"):
        return last
    if not before.endswith(closing):
        return ""
    return before[: -len(closing)].rpartition(opening)[2].strip()


def _patch_corners(first: int, last: int) -> tuple[float, float, float, float]:
    (y0, x0), (y1, x1) = divmod(first, 32), divmod(last, 32)
    if max(y0, y1) > 31:
        return float(x0), float(y0), float(x1), float(y1) + 1  # past the scale: refused as such
    if x1 < x0 or y1 < y0:
        return float(x0), float(y0), float(x1), float(y1)
    if x0 == x1 or y0 == y1:
        return float(x0), float(y0), x1 + 1.0, y1 + 1.0
    return x0 + 0.5, y0 + 0.5, x1 + 0.5, y1 + 0.5


def _add_paligemma_mask(
    label: str, numbers: list[float], codes: list[int], piece: str, reading: BoxCollector
) -> None:
    if len(codes) != 16:
        reading.note(Flaw.ODD_COUNT, piece, f"{len(codes)} codewords instead of 16.")
    elif max(codes) > 127:
        reading.note(Flaw.OUT_OF_SCALE, piece, f"Codeword {max(codes)} is past 127.")
    elif box := reading.box(label, numbers, piece):
        reading.add_mask(label, tuple(codes), box, piece)


def _add_molmo_points(
    label: str, values: dict[str, str], piece: str, reading: BoxCollector
) -> None:
    suffixes = [key[1:] for key in values if key[0] == "x"]
    if not suffixes or values.keys() != {axis + suffix for suffix in suffixes for axis in "xy"}:
        reading.note(Flaw.ODD_COUNT, piece, "The numbers of x and y differ.")
        return
    for suffix in reading.limited(suffixes, 1):
        pair = values["x" + suffix], values["y" + suffix]
        if all(_NUMBER.fullmatch(n) for n in pair):
            reading.add_point(label, [float(n) for n in pair], piece)
        else:
            reading.note(Flaw.BROKEN, piece, f"{pair} are not two numbers.")


def _refuse_cut(between: str, token: str, reading: BoxCollector) -> None:
    if token in between and not reading.stopped:
        piece = between[between.find(token) :]
        reading.note(Flaw.BROKEN, piece, f"{token} begins a token that does not end.")
