"""Text with boxes: what a model wrote, as boxes in the pixels of the image that it saw.

Every family of models writes boxes in its own way; `GRAMMARS` has one row for each. `parse` takes
any text without ever raising: what is well-formed is kept, what is not becomes a `ParseIssue`, and
nothing is repaired or guessed. It knows no layers: an adapter maps the boxes back through its own
resizing and padding.

Decisions that hold for all grammars:

- Numbers are edges on a continuous axis: ``x2`` of a box is where it ends, half-open, and nothing
  is added to it, also where a family writes whole pixels. Nothing is rounded.
- A number is divided by the scale that its family documents: 1000 for Qwen, InternVL, MiniCPM,
  Gemini and CogVLM (which writes at most 999), 999 for MedRegA. PaliGemma's token n is
  ``n / 1024``. Florence-2 and MAIRA-2 name bins, whose centres ``(n + 0.5) / 1000`` and
  ``(n + 0.5) / 100`` are meant.
- A label is compared with those of the question in lower case, with spaces and a final stop or
  colon left out of account. A place without a label is never refused as not asked for.
- Thoughts (``<think>``, ``<unused94>``) are not read, nor are code fences and text around places.
- A place that stands there twice with the same label is kept once.
- A list that says there is nothing, ``[]``, is an answer and no flaw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from napari_medvlm.backends.box_formats import json_grammars, list_grammars
from napari_medvlm.backends.box_formats import tag_grammars as tags
from napari_medvlm.backends.box_formats.collector import BoxCollector
from napari_medvlm.backends.box_formats.grammars import GRAMMARS, Grammar, grammar_of
from napari_medvlm.backends.box_formats.parsed import (
    Flaw,
    MaskTokens,
    Parsed,
    ParseIssue,
    PixelBox,
    PixelPoint,
    VoxelBox,
)
from napari_medvlm.backends.box_formats.write import write

__all__ = [
    "GRAMMARS",
    "Flaw",
    "Grammar",
    "MaskTokens",
    "ParseIssue",
    "Parsed",
    "PixelBox",
    "PixelPoint",
    "VoxelBox",
    "parse",
    "write",
]

MAX_CHARACTERS = 100_000
_THOUGHTS = (("<think>", "</think>"), ("<unused94>", "<unused95>"))
_ENDLESS = re.compile(r"\d{21,}+|([\[\](){}<>])\1{15,}+")
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"

_READERS: Mapping[str, Callable[[str, BoxCollector], None]] = MappingProxyType(
    {
        "qwen2": tags.read_qwen2,
        "medseq": tags.read_medseq,
        "qwen2.5": json_grammars.read_bbox_2d,
        "qwen3": json_grammars.read_bbox_2d,
        "internvl": tags.read_ref_box,
        "medrega": tags.read_ref_box,
        "minicpm": tags.read_minicpm,
        "llava": list_grammars.read_bracketed,
        "gemex": list_grammars.read_gemex,
        "medvision": list_grammars.read_runs,
        "medrpg": list_grammars.read_runs,
        "cogvlm": list_grammars.read_cogvlm,
        "florence2": tags.read_florence2,
        "paligemma": tags.read_paligemma,
        "maira2": tags.read_maira2,
        "gemini": json_grammars.read_box_2d,
        "kosmos2": tags.read_kosmos2,
        "molmo": tags.read_molmo,
        "point-detect-count": json_grammars.read_bbox_2d,
        "seg-token": tags.read_seg_tokens,
        "corners3d": list_grammars.read_corners,
    }
)


def parse(text: str, grammar: str, size: tuple[int, int], asked: Sequence[str] = ()) -> Parsed:
    """Read the places in a text; what is not well-formed becomes findings.

    Parameters
    ----------
    grammar
        A name in `GRAMMARS`.
    size
        ``(height, width)`` of the image that the model saw, in pixels.
    asked
        The labels of the question: others are refused. Empty means that any label may come.

    Raises
    ------
    ValueError
        The grammar is not known. No text raises.
    """
    reading = BoxCollector(grammar_of(grammar), size, asked)
    _READERS[grammar](_answer(text, reading), reading)
    return reading.parsed(text)


def _answer(text: str, reading: BoxCollector) -> str:
    """The text without thoughts and endless repetitions."""
    if len(text) > MAX_CHARACTERS:
        message = f"Only {MAX_CHARACTERS:,} of {len(text):,} characters were parsed."
        reading.note(Flaw.RUNAWAY, text[MAX_CHARACTERS:][:400], message)
        text = text[:MAX_CHARACTERS]
    for opening, closing in _THOUGHTS:
        text = _without_thoughts(text, opening, closing, reading)
    runs = list(reading.limited(_ENDLESS.finditer(text)))
    for run in runs:
        message = f"{run.group()[:8]!r} and so on for {len(run.group())} characters."
        reading.note(Flaw.RUNAWAY, run.group(), message)
    return _ENDLESS.sub(_UNREADABLE, text) if runs else text


def _without_thoughts(text: str, opening: str, closing: str, reading: BoxCollector) -> str:
    """The text without its thoughts; the first may have been opened by the question already."""
    *thoughts, last = text.split(closing)
    before = [piece.partition(opening)[0] if opening in piece else "" for piece in thoughts]
    last, unclosed, rest = last.partition(opening)
    if unclosed:
        reading.note(
            Flaw.BROKEN, opening + rest[:400], "The text ends within the model's thoughts."
        )
    return "".join([*before, last])
