"""A phrase located in a sequence of images that are shown together, as one question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_medvlm.backends.box_formats import GRAMMARS, PixelBox, write
from napari_medvlm.backends.detection.letterbox import Framed, framed
from napari_medvlm.backends.models.catalog import Row
from napari_medvlm.backends.models.transformers_loader import Loaded
from napari_medvlm.backends.vlm.parse_claims import CitedImages, claims_of
from napari_medvlm.backends.vlm.prompt_inputs import is_cropped, seen_size
from napari_medvlm.data.region import Region
from napari_medvlm.data.slice_image import SliceImage

UNNAMED_IMAGE = "{!r}: the model named no image; its box is taken to lie in the last one."
_BOX = re.compile(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)\s*,\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)")
"""A box of a question, ``(x1,y1),(x2,y2)`` in pixels of the first image."""


@dataclass(frozen=True, eq=False)
class SequencePrompt:
    """The images of a sequence as a model sees them, and the text after them.

    Parameters
    ----------
    pictures, frames
        The images in their order, as the user and as the model sees them.
    text
        The question with the form that the box is to have.
    """

    pictures: tuple[SliceImage, ...]
    frames: tuple[Framed, ...]
    text: str

    @classmethod
    def of(
        cls, loaded: Loaded, row: Row, pictures: Sequence[SliceImage], question: str
    ) -> SequencePrompt:
        """The prompt of a question; boxes in it are written in the form of the model."""
        crop = is_cropped(loaded, row)
        frames = tuple(framed(picture.pixels, row.square, crop) for picture in pictures)
        asked = _BOX.sub(lambda match: _written(match, row, frames[0]), question)
        form = f"Answer in this form: {GRAMMARS[row.grammar].example}"
        return cls(tuple(pictures), frames, f"{asked} {form}")

    def inputs(self, loaded: Loaded, row: Row) -> Any:
        """The inputs that the processor makes of the images, each after its number, and text."""
        from PIL import Image

        parts: list[dict[str, Any]] = []
        for number, frame in enumerate(self.frames, 1):
            if row.numbering:
                parts.append({"type": "text", "text": f"{row.numbered(number)}:"})
            parts.append({"type": "image", "image": Image.fromarray(frame.pixels)})
        parts.append({"type": "text", "text": self.text})
        return loaded.processor.apply_chat_template(
            [{"role": "user", "content": parts}],
            add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip

    def regions(
        self, loaded: Loaded, row: Row, inputs: Any, written: str, phrase: str
    ) -> tuple[tuple[Region, ...], tuple[str, ...]]:
        """The boxes in what the model wrote, each on the image that it names, and notes.

        A box without the name of an image is taken to lie in the last one: sequences ask for the
        region of the last image that corresponds to one of the others.
        """
        cited = [
            CitedImages(picture, replace(frame, seen=seen_size(loaded, inputs, number)))
            for number, (picture, frame) in enumerate(zip(self.pictures, self.frames, strict=True))
        ]
        claims, _ = claims_of(written, row.grammar, cited, row.title)
        notes: tuple[str, ...] = ()
        if not any(claim.regions for claim in claims):
            claims, _ = claims_of(written, row.grammar, cited[-1:], row.title)
            has_box = any(claim.regions for claim in claims)
            notes = (UNNAMED_IMAGE.format(phrase),) if has_box else ()
        problems = tuple(f"{phrase!r}: {text}" for claim in claims for text in claim.problems)
        regions = (region for claim in claims for region in claim.regions)
        return tuple(replace(region, phrase=phrase) for region in regions), (*notes, *problems)


def _written(match: re.Match[str], row: Row, frame: Framed) -> str:
    """A box of the question in the grammar of the model, in pixels of what it sees."""
    x0, y0, x1, y1 = map(float, match.groups())
    return write([PixelBox("region", *frame.box_ahead((x0, y0, x1, y1)))], row.grammar, frame.size)
