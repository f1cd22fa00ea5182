"""Objects of a question as coordinates in the grammar of the model that is asked; pixel sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_medvlm.backends.box_formats import GRAMMARS, PixelBox, write
from napari_medvlm.backends.box_formats.write import WITH_LABELS
from napari_medvlm.backends.detection.letterbox import Framed
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.data.answer import NamedPlaces
from napari_medvlm.data.slice_image import SliceImage, thousandths

IN_THOUSANDTHS = "Places in the pictures (left, upper, right and lower edge in thousandths):"
NOWHERE = "in none of the pictures"


class PlacesText(str):
    """A text with a model's own tokens around coordinates, which are not taken out of it."""

    __slots__ = ()


def written_places(
    places: Sequence[NamedPlaces], row: Row, frames: Sequence[Framed], earlier: int = 0
) -> PlacesText | None:
    """The sentence of a catalogue row and a line for each object; `None` without objects.

    Boxes are in the pixels that the model sees: after the resizing, padding or cropping of its
    image. A model whose row has no grammar of boxes gets thousandths of the width and height.

    Parameters
    ----------
    frames
        The images as the model sees them, in the order of their numbers.
    earlier
        How many of them are of earlier questions and stand before those of the places.
    """
    if not places:
        return None
    grammar = GRAMMARS.get(row.grammar)
    own = row.grammar if grammar is not None and grammar.holds == "boxes" else ""
    lines = [_line(named, own, frames, earlier, row) for named in places]
    return PlacesText("\n".join([row.region if own else IN_THOUSANDTHS, *lines]))


def pixel_sizes(
    pictures: Sequence[SliceImage], row: Row, frames: Sequence[Framed], earlier: int = 0
) -> str:
    """The sentence of a catalogue row on the size of a pixel, for each picture of a question.

    The sizes are those of a pixel that the model sees, as in MedVision: an image of 0.7 mm pixels
    that its processor enlarges twice has pixels of 0.35 mm. Empty for rows without a sentence.

    Parameters
    ----------
    pictures
        The pictures of the question.
    frames
        The images as the model sees them, those of earlier questions first.
    earlier
        How many of them are of earlier questions.
    """
    own = frames[earlier : earlier + len(pictures)]
    if not row.pixel_size or len(own) < len(pictures):
        return ""
    lines = []
    for number, (picture, frame) in enumerate(zip(pictures, own, strict=True), earlier + 1):
        height, width = (
            mm * given / (seen * scale)
            for mm, given, seen, scale in zip(
                picture.pixel_mm, frame.pixels.shape[:2], frame.size, frame.scale[::-1], strict=True
            )
        )
        text = row.pixel_size.replace("{width}", f"{width:.3f}").replace(
            "{height}", f"{height:.3f}"
        )
        lines.append(f"{row.numbered(number)}: {text}" if len(pictures) > 1 else text)
    return "\n".join(lines)


def _line(
    named: NamedPlaces, grammar: str, frames: Sequence[Framed], earlier: int, row: Row
) -> str:
    parts = list(_parts(named, grammar, frames, earlier, row))
    if not parts:
        return f"{named.name}: {NOWHERE}"
    text = "; ".join(parts)
    return text if grammar in WITH_LABELS else f"{named.name}: {text}"


def _parts(
    named: NamedPlaces, grammar: str, frames: Sequence[Framed], earlier: int, row: Row
) -> Iterator[str]:
    """The boxes of an object in each image, with its number where there are several images."""
    for number, frame in enumerate(frames):
        own = (box for picture, box in named.boxes if picture == number - earlier)
        bounds = [frame.box_ahead(box) for box in own]
        boxes = [PixelBox(named.name, *box) for box in bounds if _is_seen(frame, box)]
        if not boxes:
            continue
        before = f"{row.numbered(number + 1)}: " if len(frames) > 1 else ""
        if grammar:
            yield before + write(boxes, grammar, frame.size)
        else:
            edges = [list(thousandths((b.x0, b.y0, b.x1, b.y1), frame.size)) for b in boxes]
            yield before + ", ".join(map(str, edges))


def _is_seen(frame: Framed, box: tuple[float, float, float, float]) -> bool:
    """Whether a part of a box lies in what the model sees; a crop may leave it out."""
    height, width = frame.size
    return box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
