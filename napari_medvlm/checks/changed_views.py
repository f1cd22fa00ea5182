"""Pictures that are mirrored or cropped, and the share of answers that stay the same.

Answers to flipped and cropped copies of a picture are compared as in the test-time consistency of
DermoGPT (github.com/mendicant04/DermoGPT). Boxes of a changed picture lie at the right place on
its slice: the picture carries its own orientation and part.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from napari_medvlm.checks.answer_similarity import SAME_LOCATION, region_overlap, same_answer
from napari_medvlm.checks.base import Ask, Check
from napari_medvlm.checks.subject import AGREED, Subject
from napari_medvlm.data.check_result import CheckResult
from napari_medvlm.data.montage import Montage, Tile
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.slice_image import SliceImage

MARGIN = 0.1
"""Share of its width and height that is cut off each side of a picture."""
_SIDE = re.compile(r"\b(?:left|right)(?:ward|wards)?\b", re.I)


class ChangedViews(Check):
    """Whether the answer stays the same for mirrored and cropped pictures."""

    name = "changed views"
    description = "Repeats the question with mirrored and with cropped pictures."
    needs_model = True

    def cost(self, subject: Subject) -> int:
        """One for each changed view."""
        return len(subject.views())

    def run(self, subject: Subject, ask: Ask) -> CheckResult:
        """Measure the share of equal answers and the overlap of their regions."""
        views, first, grid = subject.views(), subject.original, subject.volume.grid
        if not views:
            return self.not_applicable("No pictures were sent that could be mirrored or cropped.")
        answers = [ask(request) for _, request in views]
        alike = [answer for answer in answers if same_answer(first, answer)]
        details: dict[str, Any] = {
            "views": [
                {"view": name, "answer": answer.short}
                for (name, _), answer in zip(views, answers, strict=True)
            ],
            "agreement": len(alike) / len(answers),
        }
        summary = f"{len(alike)} of {len(answers)} answers to changed views agree"
        if len(alike) < AGREED * len(answers):
            return self.flagged(f"{summary}. The answer depends on the framing.", **details)
        if first.regions:
            shared = [region_overlap(first.regions, answer.regions, grid) for answer in alike]
            details["region_overlap"] = [round(value, 4) for value in shared]
            if min(shared) < SAME_LOCATION:
                return self.flagged(f"{summary}, but the regions differ.", **details)
        return self.passed(f"{summary}.", **details)


def names_a_side(*texts: str) -> bool:
    """Return whether a text names left or right, which a mirrored picture exchanges."""
    return any(_SIDE.search(text) for text in texts)


def mirrored(image: SliceImage) -> SliceImage:
    """A picture with its columns reversed; places in it still lead to the same voxels."""
    if isinstance(image, Montage):
        return Montage.of([mirrored(tile.picture) for tile in _drawn(image)])
    rows, columns = image.flipped
    pixels = np.ascontiguousarray(image.pixels[:, ::-1])
    return replace(image, pixels=pixels, flipped=(rows, not columns))


def cropped(image: SliceImage, boxes: Sequence[Box]) -> SliceImage:
    """A picture without its margins; places in it still lead to the same voxels.

    Parameters
    ----------
    boxes
        What stays inside: `MARGIN` is cut off each side, less where a box reaches into it.
    """
    if isinstance(image, Montage):
        return Montage.of([cropped(tile.picture, boxes) for tile in _drawn(image)])
    spans, cuts = [], []
    for side, axis in enumerate((image.rows, image.columns)):
        first, last = image.spans[side]
        margin = int(MARGIN * (last - first))
        bounds = [box.bounds(image.grid) for box in boxes]
        low = max(min([first + margin, *(int(start[axis]) for start, _ in bounds)]), first)
        high = min(max([last - margin, *(int(stop[axis]) for _, stop in bounds)]), last)
        ends = (last - high, last - low) if image.flipped[side] else (low - first, high - first)
        per_voxel = image.size[side] / (last - first)
        spans.append((low, high))
        cuts.append(slice(round(ends[0] * per_voxel), round(ends[1] * per_voxel)))
    pixels = np.ascontiguousarray(image.pixels[cuts[0], cuts[1]])
    return replace(image, pixels=pixels, part=(spans[0], spans[1]))


def _drawn(montage: Montage) -> list[Tile]:
    """The tiles of a montage with its pixels, and with what is drawn onto them."""
    tiles = []
    for tile in montage.tiles:
        x0, y0, x1, y1 = (int(edge) for edge in tile.bounds)
        picture = replace(tile.picture, pixels=montage.pixels[y0:y1, x0:x1])
        tiles.append(replace(tile, picture=picture))
    return tiles
