"""Spans of a text that hold boxes in some grammar and are hidden from the user.

What the pieces mean is `box_formats`' to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_JSON = re.compile(
    r"```(?:[jJ][sS][oO][nN])?\s*+(?=[\[{])[\s\S]*?(?:```|\Z)"
    r"|\[\s*+\{[\s\S]*?(?:\}\s*+\]|\Z)"
    r'|\{[^{}]*"(?:bbox_2d|box_2d|point_2d|point|counts?)"[^{}]*+(?:\}|\Z)'
)
_REF_BOX = re.compile(r"<ref>(?P<shown>[^<]*+)(?:</ref>|\Z)|<box>[^<\n]*+(?:</box>)?|</box>|</ref>")
_QWEN2 = re.compile(
    r"<\|object_ref_start\|>(?P<shown>[^<]*+)(?:<\|object_ref_end\|>|\Z)"
    r"|<\|box_start\|>[^<\n]*+(?:<\|box_end\|>)?|<\|(?:box|object_ref)_end\|>"
)
_MEDSEQ = re.compile(
    r"<\|object_ref_start\|>(?P<shown>[^<]*+)(?:<\|object_ref_end\|>|\Z)"
    r"|(?:<\|box_start\|>)?\(\s*-?\d[\d.]*\s*,\s*-?\d[\d.]*\s*\)\s*,\s*"
    r"\(\s*-?\d[\d.]*\s*,\s*-?\d[\d.]*\s*\)(?:<\|box_(?:end|start)\|>)?"
    r"|<\|(?:box|object_ref)_(?:start|end)\|>"
)
_BRACKETS = re.compile(r"(?<!\[)\[++\s*+-?\d[\d.,;\s\[\]-]*\]")
_RUNS = re.compile(r"[(\[]?-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){3}[)\]]?")
_PATTERNS = {
    **dict.fromkeys(("qwen2.5", "qwen3", "gemini", "point-detect-count"), _JSON),
    **dict.fromkeys(("internvl", "medrega", "minicpm"), _REF_BOX),
    "qwen2": _QWEN2,
    "medseq": _MEDSEQ,
    **dict.fromkeys(("llava", "cogvlm"), _BRACKETS),
    **dict.fromkeys(("medvision", "medrpg"), _RUNS),
    "gemex": re.compile(r"</?(?:answer|reason)>|<location>[^<\n]*+"),
    "florence2": re.compile(r"(?:<loc_\d++>)+"),
    "paligemma": re.compile(r"(?:<(?:loc|seg)\d++>\s*+)+"),
    "maira2": re.compile(r"</?obj>|<box>(?:\s*+<[xy]\d++>)*+\s*+(?:</box>)?|</box>"),
    "kosmos2": re.compile(
        r"</?phrase>|<object>(?:[^<]|<patch_index_\d++>|</del[^>]*+>)*+</object>"
    ),
    "molmo": re.compile(r"</?points?\b[^<>]*+>"),
    "seg-token": re.compile(r"</?p>|\[SEG\]"),
}
_SPACES = re.compile(r"[ \t]{2,}")
_BEFORE_STOP = re.compile(r"\s+(?=[.,;:!?](?:\s|\Z))")
_EMPTY = re.compile(r"\(\s*\)|\[\s*\]|`\s*`")


class TextSpan(NamedTuple):
    """A span of text that holds a box, and the text displayed instead."""

    start: int
    stop: int
    shown: str


def pieces(text: str, grammar: str) -> tuple[TextSpan, ...]:
    """The pieces of a text that say places, well-formed or not; none in an unknown grammar."""
    pattern = _PATTERNS.get(grammar)
    if pattern is None:
        return ()
    return tuple(
        TextSpan(*match.span(), match.groupdict().get("shown") or "")
        for match in pattern.finditer(text)
    )


def separated(text: str, grammar: str) -> str:
    """A text with each finding of a MAIRA-2 report, ``<obj>...</obj>``, in a line of its own."""
    return re.sub(r"</obj>\s*<obj>", "</obj>\n<obj>", text) if grammar == "maira2" else text


def without(text: str, spans: Sequence[TextSpan], start: int = 0, stop: int | None = None) -> str:
    """The displayed text between `start` and `stop`."""
    stop = len(text) if stop is None else stop
    own = [piece for piece in spans if start <= piece.start and piece.stop <= stop]
    if not own:
        return text[start:stop]
    parts, at = [], start
    for piece in own:
        parts += [text[at : piece.start], piece.shown]
        at = piece.stop
    plain = _EMPTY.sub("", "".join([*parts, text[at:stop]]))
    return _BEFORE_STOP.sub("", _SPACES.sub(" ", plain)).strip()
