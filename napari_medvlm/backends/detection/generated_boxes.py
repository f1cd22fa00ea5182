"""Detections from generated text."""

from __future__ import annotations

from collections.abc import Sequence

from napari_medvlm.backends.box_formats import Parsed, parse
from napari_medvlm.backends.detection.base import Look, Seen
from napari_medvlm.backends.detection.letterbox import Framed
from napari_medvlm.data.slice_image import SliceImage

_SMALLEST = 1e-3
"""Pixels; what reaches less far into the picture lies outside it."""


def look_of(
    text: str,
    phrase: str,
    picture: SliceImage,
    *,
    shown: Framed,
    grammar: str,
    asked: Sequence[str] = (),
    score: float | None = None,
) -> Look:
    """The boxes and points of a text, back in the picture, and what in the text is not.

    Parameters
    ----------
    text
        What the model wrote.
    shown
        The picture as the model saw it.
    asked
        The labels that the text may use; none: any.
    score
        Of the whole text.
    """
    parsed = parse(text, grammar, shown.size, asked)
    seen, outside = seen_in(parsed, phrase, picture, shown, score)
    notes = [*(finding.message for finding in parsed.findings), *outside]
    return Look(tuple(seen), texts=(text,), notes=tuple(f"{phrase!r}: {note}" for note in notes))


def seen_in(
    parsed: Parsed, phrase: str, picture: SliceImage, shown: Framed, score: float | None = None
) -> tuple[list[Seen], list[str]]:
    """The boxes and points of a text back in the picture, and a sentence for each outside it."""
    seen, notes = [], []
    for box in parsed.boxes:
        x0, y0, x1, y1 = shown.box_back((box.x0, box.y0, box.x1, box.y1))
        if _reach(x0, x1, picture.size[1]) and _reach(y0, y1, picture.size[0]):
            seen.append(Seen(phrase, score, (x0, y0, x1, y1), box.label))
        else:
            notes.append("a box lies outside the image, in its margin.")
    for point in parsed.points:
        at = shown.back(point.x, point.y)
        seen.append(Seen(phrase, score, name=point.label, points=(at,)))
    return seen, notes


def joined(looks: Sequence[Look]) -> Look:
    """Combine the detections of several phrases in one image."""
    return Look(
        seen=tuple(seen for look in looks for seen in look.seen),
        texts=tuple(text for look in looks for text in look.texts),
        notes=tuple(note for look in looks for note in look.notes),
    )


def _reach(low: float, high: float, length: int) -> bool:
    return min(high, length) - max(low, 0.0) > _SMALLEST
