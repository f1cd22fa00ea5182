"""SAM 3 asked by words: every instance of a concept on a slice or picture, as a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from napari_medvlm.backends.base import BackendInfo, Task
from napari_medvlm.backends.detection.base import Look, Seen
from napari_medvlm.backends.detection.catalogued import CataloguedBackend
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.slice_image import PixelBounds, SliceImage

_SMALLEST = 1e-3
"""Pixels; a box that reaches less far into the image has no area."""


class SAM3Backend(CataloguedBackend):
    """Masks, boxes and scores of the instances that SAM 3 segments for each phrase.

    The score of an instance is the product of its own probability and of the probability that the
    concept is in the image; masks are cut at a probability of 0.5, both as in
    ``Sam3Processor.post_process_instance_segmentation``. The features of an image are computed
    once for all phrases.

    Source: Carion et al., "SAM 3: Segment Anything with Concepts", arXiv 2511.16719.
    """

    info = BackendInfo(
        name="sam3",
        title="SAM 3 by words",
        code_licence="BSD-3-Clause",
        tasks=frozenset({Task.GROUND}),
        weights_licence="SAM License",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=5000,
    )
    auto = "Sam3Model"
    processor = "Sam3Processor"
    example = "facebook/sam3"
    batch = 1
    half = False
    """Half precision moves boxes by whole pixels."""
    threshold: ClassVar[float] = 0.05
    """Instances of lower scores are left out; low, so that the user can filter without a new run.

    The authors show those from 0.5 on.
    """
    most = 20
    """Maximum number of instances of a phrase on a slice, those of the highest scores."""

    def class_for(self, kind: str) -> str:
        """The library's class of a model type: SAM 3 or SAM 3 with the smaller text encoder."""
        return "Sam3LiteTextModel" if kind == "sam3_lite_text" else self.auto

    def look(self, slice_images: Sequence[SliceImage], query: GroundQuery) -> list[Look]:
        """The instances of each phrase in each image, and the best score of each phrase."""
        texts = {phrase: self.text_for(phrase, query) for phrase in query.phrases}
        encoded = {phrase: self._encoded(phrase, text) for phrase, text in texts.items()}
        return [self._in_image(slice_image, encoded) for slice_image in slice_images]

    def _encoded(self, phrase: str, text: str) -> Any:
        """The tokens of a text.

        Raises
        ------
        InvalidPrompt
            If the model's text encoder reads fewer tokens.
        """
        longest = self._loaded.model.config.text_config.max_position_embeddings
        tokens = self._loaded.processor(text=text, return_tensors="pt")
        count = int(tokens["attention_mask"].sum())
        if count > longest:
            raise InvalidPrompt(
                f"The text for {phrase!r} has {count} tokens; the model reads {longest}.",
                "Use fewer words.",
            )
        return tokens.to(self._loaded.device)

    def _in_image(self, slice_image: SliceImage, encoded: dict[str, Any]) -> Look:
        import torch

        loaded = self._loaded
        pixels = loaded.processor(images=np.array(slice_image.pixels), return_tensors="pt")
        look = Look(best={})
        with torch.inference_mode():
            features = loaded.model.get_vision_features(
                pixel_values=loaded.inputs(pixels)["pixel_values"]
            )
            for phrase, tokens in encoded.items():
                self.tick()
                outputs = loaded.model(vision_embeds=features, **tokens)
                look = self._with(look, phrase, outputs, slice_image)
        return look

    def _with(self, look: Look, phrase: str, outputs: Any, slice_image: SliceImage) -> Look:
        """The detections extended by the instances of another phrase."""
        scores = outputs.pred_logits.sigmoid() * outputs.presence_logits.sigmoid()
        order = scores[0].argsort(descending=True, stable=True)
        good = int((scores[0] > self.threshold).sum())
        # Only the masks of these are resized: there are 200 queries.
        best = order[: min(good, self.most)]
        (result,) = self._loaded.processor.post_process_instance_segmentation(
            SimpleNamespace(
                pred_logits=outputs.pred_logits[:, best],
                pred_boxes=outputs.pred_boxes[:, best],
                pred_masks=outputs.pred_masks[:, best],
                presence_logits=outputs.presence_logits,
            ),
            threshold=self.threshold,
            target_sizes=[slice_image.size],
        )
        instances = zip(result["scores"], result["boxes"], result["masks"], strict=True)
        seen = [
            _seen(phrase, float(score), box.tolist(), mask.cpu().numpy().astype(bool), slice_image)
            for score, box, mask in instances
        ]
        note = f"Of {phrase!r} only the best {self.most} instances per slice are used."
        return replace(
            look,
            seen=(*look.seen, *seen),
            best={**(look.best or {}), phrase: float(scores.max())},
            notes=(*look.notes, note) if good > self.most else look.notes,
        )


def _seen(
    phrase: str, score: float, box: Sequence[float], mask: np.ndarray, slice_image: SliceImage
) -> Seen:
    """An instance with its box cut at the border of the image; of a box outside, that of the mask.

    Parameters
    ----------
    box
        Left, upper, right and lower edge in pixels of the image.
    mask
        ``(height, width)`` of the image.
    """
    height, width = slice_image.size
    x0, y0, x1, y1 = np.clip(box, 0, (width, height, width, height)).tolist()
    valid = min(x1 - x0, y1 - y0) > _SMALLEST
    bounds: PixelBounds | None = (x0, y0, x1, y1) if valid else None
    return Seen(phrase, score, bounds, mask=mask)
