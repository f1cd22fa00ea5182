"""CLIP-like models: similarity of patches and phrases as heatmaps, and labels without training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import BackendInfo, Progress, Task
from napari_medvlm.backends.clip.families.concept_clip import ConceptClipModel, ConceptScores
from napari_medvlm.backends.clip.families.merlin import MerlinModel, merlin_file
from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.backends.clip.models import ClipModel
from napari_medvlm.backends.clip.vectors import Vectors
from napari_medvlm.backends.clip.zero_shot import ZeroShotClassifier, sigmoid
from napari_medvlm.backends.detection.base import Look, Seen, SlicewiseBackend
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.data.classification import ClassificationResult, LabelQuery
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.grounding import Grounding, GroundQuery
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import PixelBounds, SliceImage, picture_of
from napari_medvlm.data.window_presets import default_window

EXAMPLE = "google/medsiglip-448"
"""The hub id of a model, for users."""

NEUTRAL = "an image"
"""What a phrase is compared with."""

MIN_VALUE = 0.5
"""A phrase is seen where some place is at least as near to it as to `NEUTRAL`."""

MARGIN = 0.1
"""What is left around a region, as a part of its longer side."""

FULL_COVER = (1.0, 1.0)


class SimilarityBackend(SlicewiseBackend):
    """Compares images with texts in the space that a CLIP-like model has for both.

    Notes
    -----
    *Heatmaps.* A patch's value is the softmax over the phrase and `NEUTRAL` of their cosines with
    the patch times the model's own scale for patches (a bias, the same for both, falls out). It
    depends on no other patch or phrase: values of different images can be compared, and an image
    without the thing gets no bright place made up. Between the patches' centres, values are
    interpolated. The score is the highest value; the box is around all values of at least half of
    it.

    *Labels* are judged by `napari_medvlm.backends.clip.zero_shot.ZeroShotClassifier`.

    *Images* are put into the middle of a black square, so that models that crop see all of them.
    """

    info = BackendInfo(
        name="similarity",
        title="Similarity maps (CLIP, SigLIP)",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND, Task.LABEL}),
        weights_licence="that of the model chosen",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=5120,
    )
    _device = "cpu"
    _merlin: MerlinModel | None = None

    def load(self, model: str | None, device: str) -> None:
        """Load the model from its folder; nothing is downloaded."""
        folder = transformers_loader.model_folder(model, self.info.title, EXAMPLE)
        self._merlin = None
        merlin = merlin_file(folder)
        if merlin is not None:
            transformers_loader.torch_device(device)
            self._merlin = MerlinModel(folder, merlin, device)
            return
        self._model: ClipModel = load_model(folder, device)
        self._device = device
        self._texts: dict[str, Vectors] = {}
        self._phrases: dict[str, Vectors] = {}
        self.batch = 1 if device == "cpu" else 4  # more is no faster there, and a cancel would wait

    def ground(self, query: GroundQuery, progress: Progress) -> Grounding:
        """Search the slices of the scope, and merge regions of neighbouring slices.

        Raises
        ------
        BackendUnavailable
            If the model gives no heatmaps.
        """
        if self._merlin is not None:
            raise BackendUnavailable(
                "Merlin judges whole volumes and gives no heatmaps.", "Use it for labels."
            )
        grounding = super().ground(query, progress)
        notes = (*grounding.notes, *self._cut_notes(map(query.prompt_of, query.phrases)))
        return replace(grounding, notes=notes, ran_on=f"{self._device}, float32")

    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """Heatmaps of the phrases in each image."""
        model = self._model
        texts = [query.prompt_of(phrase) for phrase in query.phrases]
        *phrases, neutral = (self._phrase_vector(text) for text in (*texts, NEUTRAL))
        patches = model.encode_patches([squared(p.pixels, model.covered) for p in slice_images])
        values = sigmoid(model.patch_scale * (patches @ (np.stack(phrases) - neutral).T))
        return [
            _look(
                {
                    phrase: unsquared(of_image[..., k], slice_image.size, model.covered)
                    for k, phrase in enumerate(query.phrases)
                }
            )
            for slice_image, of_image in zip(slice_images, values, strict=True)
        ]

    def label(self, query: LabelQuery, progress: Progress) -> ClassificationResult:
        """Classify labels from the scope's slices, or from a region in them."""
        if self._merlin is not None:
            return self._merlin.label(self._volume, query, progress)
        window = query.window or (None if self._volume.is_color else default_window(self._volume))
        slices = self._slices(query)
        local = ConceptScores(self._model) if isinstance(self._model, ConceptClipModel) else None
        encode = self._model.encode_images if local is None else local.encode_images
        images: list[Vectors] = []
        for start in range(0, len(slices), self.batch):
            batch = slices[start : start + self.batch]
            progress(start / len(slices), f"slice {start + 1} of {len(slices)}")
            parts = [_part(picture_of(self._volume, ref, window), query.region) for ref in batch]
            images.append(encode([squared(part) for part in parts]))

        def vector(text: str) -> Vectors:
            progress(1.0, "comparing with labels")
            return self._vector(text)

        model = self._model
        judge = ZeroShotClassifier(
            np.concatenate(images), vector, model.logit_scale, model.logit_bias, model.wording,
            local,
        )  # fmt: skip
        probabilities, descriptors = judge.judge(query)
        return ClassificationResult(
            probabilities,
            descriptors,
            slices,
            window,
            judge.prompts,
            (*_notes(query), *self._cut_notes(query.labels)),
        )

    def _cut_notes(self, texts: Iterable[str]) -> Iterator[str]:
        """A note for each text of which the model reads the beginning only."""
        for text in texts:
            if self._model.is_cut(text):
                yield f"{text!r} is too long: the model reads its beginning only. Use fewer words."

    def _vector(self, text: str) -> Vectors:
        """The cached unit vector ``(D,)`` of a text."""
        if text not in self._texts:
            self._texts[text] = self._model.encode_text([text])[0]
        return self._texts[text]

    def _phrase_vector(self, phrase: str) -> Vectors:
        """The cached unit vector ``(D,)`` that patches are compared with for a phrase."""
        if phrase not in self._phrases:
            self._phrases[phrase] = self._model.encode_phrases([phrase])[0]
        return self._phrases[phrase]

    def _slices(self, query: LabelQuery) -> tuple[SliceRef, ...]:
        """The slices of the scope that the region touches."""
        slices = query.scope.slices(self._volume.grid)
        if query.region is None:
            return slices
        start, stop = query.region.bounds(self._volume.grid)
        axis, inside = query.scope.axis, bool((stop > start).all())
        touched = tuple(s for s in slices if inside and start[axis] <= s.index < stop[axis])
        if not touched:
            raise InvalidPrompt(
                f"The region is on none of the {len(slices)} selected slices.",
                "Choose slices that contain it, or another region.",
            )
        return touched


def squared(
    pixels: NDArray[np.uint8], covered: tuple[float, float] = FULL_COVER
) -> NDArray[np.uint8]:
    """An image in the middle of the part of a black square that is ``covered`` by patches."""
    height, width = pixels.shape[:2]
    side, top, left = _placed((height, width), covered)
    square = np.zeros((side, side, 3), np.uint8)
    square[top : top + height, left : left + width] = pixels
    return square


def unsquared(
    values: NDArray[Any], size: tuple[int, int], covered: tuple[float, float] = FULL_COVER
) -> NDArray[np.float32]:
    """Values ``(h, w)`` of the patches of a `squared` image, on the pixels that it had.

    Linear between the patches' centres, constant beyond the outermost.
    """
    from scipy import ndimage

    side, *offsets = _placed(size, covered)
    at = [
        (np.arange(n) + 0.5 + offset) * patches / (side * part) - 0.5
        for n, offset, patches, part in zip(size, offsets, values.shape, covered, strict=True)
    ]
    result: NDArray[np.float32] = ndimage.map_coordinates(
        values.astype(np.float32), np.meshgrid(*at, indexing="ij"), order=1, mode="nearest"
    )
    return result


def _placed(size: tuple[int, int], covered: tuple[float, float]) -> tuple[int, int, int]:
    """The side of the square, and the image's first row and column in it."""
    side = max(math.ceil(n / part) for n, part in zip(size, covered, strict=True))
    top, left = (int(side * part - n) // 2 for n, part in zip(size, covered, strict=True))
    return side, top, left


def _look(values: dict[str, NDArray[np.float32]]) -> Look:
    """Detections from the values ``(height, width)`` of each phrase on an image."""
    scores = {phrase: float(on_image.max()) for phrase, on_image in values.items()}
    seen = [
        Seen(phrase, scores[phrase], _around(on_image), heatmap=on_image)
        for phrase, on_image in values.items()
        if scores[phrase] >= MIN_VALUE
    ]
    note = f"A value of {MIN_VALUE} in a heatmap is as near to the phrase as to “{NEUTRAL}”."
    return Look(tuple(seen), best=scores, notes=(note,))


def _around(values: NDArray[np.float32]) -> PixelBounds:
    """Edges around the values of at least half of the highest."""
    inside = values >= values.max() / 2
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _part(slice_image: SliceImage, region: Box | None) -> NDArray[np.uint8]:
    """The pixels of a region with a margin around it, cut to the image; all of them if `None`."""
    if region is None:
        return slice_image.pixels
    xy = slice_image.pixel_of(region.corners())
    low, high = xy.min(axis=0), xy.max(axis=0)
    margin = MARGIN * (high - low).max()
    height, width = slice_image.size
    x0, y0 = np.clip(np.floor(low - margin), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(np.ceil(high + margin), (x0 + 1, y0 + 1), (width, height)).astype(int)
    return np.ascontiguousarray(slice_image.pixels[y0:y1, x0:x1])


def _notes(query: LabelQuery) -> tuple[str, ...]:
    if query.region is None:
        return ()
    return (f"Slices were cut to the region with {MARGIN:.0%} of its longer side around it.",)
