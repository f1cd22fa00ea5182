"""One interface to models of transformers and of open_clip with one space for images and texts.

Nothing is downloaded, and no code of a model's folder is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.patch_tokens import captured_inputs, deferred_run, singles
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.models import adapters
from napari_medvlm.backends.models.transformers_loader import local_config
from napari_medvlm.data.errors import BackendUnavailable

DOWNLOAD = (
    "Download a model such as google/medsiglip-448 or "
    "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224, and choose its folder."
)


class ClipModel(Protocol):
    """A space with images and texts in it.

    Attributes
    ----------
    logit_scale
        What cosines are multiplied by to become logits.
    patch_scale
        Likewise cosines of patches.
    logit_bias
        What is then added, by models whose logit is a probability of its own (SigLIP);
        `None` if a logit means something only among others (CLIP).
    covered
        The part of an image's height and width that patches cover, from the upper left; below 1
        where the patch size does not divide the input's.
    wording
        The texts that it is asked for labels by.
    """

    logit_scale: float
    patch_scale: float
    logit_bias: float | None
    covered: tuple[float, float]
    wording: Wording

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``; what is longer than the model reads is cut."""

    def encode_phrases(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)`` that patches are compared with; most are of `encode_text`."""

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)`` of the patches of square images ``(side, side, 3)``.

        Raises
        ------
        BackendUnavailable
            If the vision tower has no patches that can be compared with texts.
        """

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)`` of square images ``(side, side, 3)``."""


class TransformersModel:
    """CLIP and SigLIP of transformers: MedSigLIP and others; see `ClipModel`."""

    wording = Wording()

    def __init__(self, folder: Path, device: str) -> None:
        import torch
        from transformers import AutoModel, AutoProcessor

        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        base = adapters.base_of(folder)
        config = local_config(base)
        kind = config.model_type
        if kind not in ("clip", "siglip"):
            raise BackendUnavailable(
                f"{folder.name} is a model of type {kind}, not clip or siglip.", DOWNLOAD
            )
        model = AutoModel.from_pretrained(base, config=config, dtype=torch.float32, **local)
        model = adapters.merged(model.to(device), folder)
        self._model = model.eval()
        self._processor = AutoProcessor.from_pretrained(adapters.processor_folder(folder), **local)
        self._device = device
        self._size: int = model.config.vision_config.image_size
        self._grid = self._size // model.config.vision_config.patch_size
        self.logit_scale = self.patch_scale = model.logit_scale.exp().item()
        self.logit_bias = model.logit_bias.item() if kind == "siglip" else None
        self.covered = (self._grid * model.config.vision_config.patch_size / self._size,) * 2

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``, padded to full length as SigLIP was trained."""
        length = self._model.config.text_config.max_position_embeddings

        def vector(text: str) -> Any:
            tokens = self._processor.tokenizer(
                [text], padding="max_length", max_length=length, truncation=True,
                return_tensors="pt",
            )  # fmt: skip
            return self._model.get_text_features(**tokens.to(self._device)).pooler_output

        return text_vectors(texts, vector)

    encode_phrases = encode_text

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        length: int = self._model.config.text_config.max_position_embeddings
        return len(self._processor.tokenizer(text, verbose=False)["input_ids"]) > length

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)`` of patches, as `patch_tokens` describes."""
        vision = self._model.vision_model

        def patches(pixels: Any) -> Any:
            run = deferred_run(vision, pixels)
            if self.logit_bias is not None:
                return vision.head(singles(captured_inputs(vision.head, run)))
            block = vision.encoder.layers[-1]
            out = block(singles(captured_inputs(block, run)[:, 1:]), attention_mask=None)[:, 0]
            return self._model.visual_projection(vision.post_layernorm(out))

        flat = unit_vectors(lambda: patches(self._pixels(images)))
        return flat.reshape(len(images), self._grid, self._grid, -1)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return unit_vectors(
            lambda: self._model.get_image_features(self._pixels(images)).pooler_output
        )

    def _pixels(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        """Preprocess images, resized directly to the input size without cropping."""
        batch = self._processor.image_processor(
            images=list(images),
            size={"height": self._size, "width": self._size},
            do_center_crop=False,
            input_data_format="channels_last",
            return_tensors="pt",
        )
        return batch["pixel_values"].to(self._device)
