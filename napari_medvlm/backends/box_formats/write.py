"""Writing boxes the way a family of models does, for regions in questions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence

from napari_medvlm.backends.box_formats.grammars import Grammar, grammar_of
from napari_medvlm.backends.box_formats.parsed import PixelBox


def write(boxes: Sequence[PixelBox], grammar: str, size: tuple[int, int]) -> str:
    """The boxes as the family would write them.

    Edges are cut to the image. Bins and patches are those that an edge lies in; other numbers are
    rounded to the nearest that the family writes: whole ones, or with its count of decimals. So a
    box read back lies within one step of the scale of the one written. Labels are written as they
    are: they must not hold the grammar's own tags.

    Parameters
    ----------
    size
        ``(height, width)`` of the image that the model sees.

    Raises
    ------
    ValueError
        The grammar is not known, or holds no boxes in the plane.
    """
    row = grammar_of(grammar)
    if row.holds != "boxes":
        raise ValueError(f"{row.title} writes {row.holds}, not boxes in an image.")
    numbers = [_numbers(box, row, size) for box in boxes]
    labels = [box.label for box in boxes]
    return _WRITERS[grammar](list(zip(labels, numbers, strict=True)))


_Items = list[tuple[str, list[str]]]


def _numbers(box: PixelBox, grammar: Grammar, size: tuple[int, int]) -> list[str]:
    """The four numbers of a box in the order of the grammar, as they are written."""
    height, width = size
    y0, y1 = (height - box.y1, height - box.y0) if grammar.origin == "lower" else (box.y0, box.y1)
    x0, y0, x1, y1 = (
        min(max(edge / side, 0.0), 1.0) * (grammar.scale or side)
        for edge, side in zip((box.x0, y0, box.x1, y1), (width, height) * 2, strict=True)
    )
    if grammar.name == "kosmos2":
        corners = (math.floor(y0), math.floor(x0)), (math.ceil(y1) - 1, math.ceil(x1) - 1)
        return [f"{32 * y + x:04d}" for y, x in corners]
    if grammar.order == "cxcywh":
        ordered = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
    else:
        ordered = [y0, x0, y1, x1] if grammar.order == "yxyx" else [x0, y0, x1, y1]
    return [_number(n, grammar) for n in ordered]


def _number(number: float, grammar: Grammar) -> str:
    if grammar.offset:
        number = math.floor(number)
    if grammar.highest is not None:
        number = min(number, grammar.highest)
    return f"{number:.{grammar.decimals}f}"


def _qwen2(items: _Items) -> str:
    return "".join(
        f"<|object_ref_start|>{label}<|object_ref_end|>"
        f"<|box_start|>({n[0]},{n[1]}),({n[2]},{n[3]})<|box_end|>"
        for label, n in items
    )


def _json(key: str) -> Callable[[_Items], str]:
    def as_json(items: _Items) -> str:
        return json.dumps([{key: [int(n) for n in ns], "label": label} for label, ns in items])

    return as_json


def _counted(items: _Items) -> str:
    labels = dict.fromkeys(label for label, _ in items)
    boxes = {at: [[int(n) for n in ns] for label, ns in items if label == at] for at in labels}
    return json.dumps(
        [{"counts": len(boxes[at]), "bbox_2d": boxes[at], "label": at} for at in labels]
    )


def _ref_box(items: _Items) -> str:
    return "".join(f"<ref>{label}</ref><box>[[{', '.join(n)}]]</box>" for label, n in items)


def _minicpm(items: _Items) -> str:
    return "".join(f"<ref>{label}</ref><box>{' '.join(n)}</box>" for label, n in items)


def _bracketed(items: _Items) -> str:
    return " ".join(f"[{', '.join(n)}]" for _, n in items)


def _gemex(items: _Items) -> str:
    return "<location> [" + ", ".join(f"[{', '.join(n)}]" for _, n in items) + "]"


def _decimals(items: _Items) -> str:
    return "\n".join(", ".join(n) for _, n in items)


def _centred(items: _Items) -> str:
    return "\n".join(f"({', '.join(n)})" for _, n in items)


def _cogvlm(items: _Items) -> str:
    return "[[" + ";".join(",".join(n.zfill(3) for n in ns) for _, ns in items) + "]]"


def _florence2(items: _Items) -> str:
    return "".join(label + "".join(f"<loc_{n}>" for n in ns) for label, ns in items)


def _paligemma(items: _Items) -> str:
    rows = ("".join(f"<loc{n.zfill(4)}>" for n in ns) + f" {label}" for label, ns in items)
    return " ; ".join(rows)


def _maira2(items: _Items) -> str:
    return "".join(
        f"<obj>{label}<box><x{n[0]}><y{n[1]}><x{n[2]}><y{n[3]}></box></obj>" for label, n in items
    )


def _kosmos2(items: _Items) -> str:
    return "".join(
        f"<phrase>{label}</phrase><object><patch_index_{n[0]}><patch_index_{n[1]}></object>"
        for label, n in items
    )


WITH_LABELS = frozenset(
    {
        *("qwen2", "medseq", "qwen2.5", "qwen3", "internvl", "medrega", "minicpm"),
        *("florence2", "paligemma", "maira2", "gemini", "kosmos2", "point-detect-count"),
    }
)
"""Grammars that write the label of a box next to it."""
_WRITERS: Mapping[str, Callable[[_Items], str]] = {
    "qwen2": _qwen2,
    "medseq": _qwen2,
    "qwen2.5": _json("bbox_2d"),
    "qwen3": _json("bbox_2d"),
    "internvl": _ref_box,
    "medrega": _ref_box,
    "minicpm": _minicpm,
    "llava": _bracketed,
    "gemex": _gemex,
    "medvision": _decimals,
    "medrpg": _centred,
    "cogvlm": _cogvlm,
    "florence2": _florence2,
    "paligemma": _paligemma,
    "maira2": _maira2,
    "gemini": _json("box_2d"),
    "kosmos2": _kosmos2,
    "point-detect-count": _counted,
}
