"""MedImageInsight, a model of medical images of 14 domains and texts.

Codella et al. 2024, https://arxiv.org/abs/2410.06542. Files and steps:
https://huggingface.co/lion-ai/MedImageInsights, ``medimageinsightmodel.py``,
``MedImageInsight/UniCLModel.py`` and ``config.yaml``, MIT. The DaViT of Florence-2, a transformer
without causal mask, and a projection for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.families.towers import file_with, filled
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.florence2 import DAVIT_RULES
from napari_medvlm.backends.layouts.recipes import renamed
from napari_medvlm.backends.layouts.weight_files import WeightFiles
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

CONFIG = "config.yaml"
NAMES = (("image_projection", "lang_projection"), ("vision_projection", "text_projection"))
"""Names of weights, now and in older checkpoints."""
TEXT_MODEL = "openai/clip-vit-base-patch32"
"""The hub id of the model whose tokenizer is used."""
EPSILON = 1e-12
"""Of the normalizations of the text encoder."""
RULES = (
    (r"^visual\.", "image_encoder."),
    (r"^text\.", "lang_encoder."),
    (r"^vision_projection$", "image_projection"),
    (r"^text_projection$", "lang_projection"),
    *DAVIT_RULES,
    (r"^(lang_encoder)\.resblocks\.", r"\1.layers."),
    (r"^(lang_encoder\.layers\.\d+)\.attn\.", r"\1.self_attn."),
    (r"^(lang_encoder\.layers\.\d+)\.ln_", r"\1.norm"),
    (r"^(lang_encoder\.layers\.\d+)\.mlp\.c_fc\.", r"\1.linear1."),
    (r"^(lang_encoder\.layers\.\d+)\.mlp\.c_proj\.", r"\1.linear2."),
    (r"^lang_encoder\.ln_final\.", "lang_encoder.norm."),
)
"""From the authors' names to those of transformers and torch."""


@dataclass(frozen=True)
class MedImageInsightFiles:
    """The files of MedImageInsight.

    Parameters
    ----------
    folder
        The folder with ``config.yaml``.
    checkpoint
        The weights.
    """

    folder: Path
    checkpoint: Path


def medimageinsight_files(folder: Path) -> MedImageInsightFiles | None:
    """The files of MedImageInsight in a folder or in the one folder of a release in it."""
    for config in (folder / CONFIG, *sorted(folder.glob(f"*/{CONFIG}"))):
        folders = [f for f in (config.parent, config.parent / "vision_model") if f.is_dir()]
        files = [file_with(own, *names) for own in folders for names in NAMES]
        checkpoint = next(filter(None, files), None)
        if config.is_file() and checkpoint is not None:
            return MedImageInsightFiles(config.parent, checkpoint)
    return None


class MedImageInsightModel:
    """See `napari_medvlm.backends.clip.models.ClipModel`.

    A patch is encoded as an image whose features are the same everywhere. Labels are sent as they
    are typed, as in the authors' example.

    Raises
    ------
    BackendUnavailable
        If weights are missing or do not fit, or the tokenizer is not there.
    """

    logit_bias: float | None = None
    covered = (1.0, 1.0)
    wording = Wording(("{}",))

    def __init__(self, files: MedImageInsightFiles, device: str) -> None:
        config = _Config.read(files.folder / CONFIG)
        weights = WeightFiles(files.checkpoint)
        state = {renamed(name, RULES): weights.tensor(name).float() for name in weights.shapes}
        self._device = device
        self._size, self._longest = config.size, config.longest
        self._mean, self._std = config.mean, config.std
        vision = filled(config.vision(), _below(state, "image_encoder."), "image encoder")
        self._vision = vision.to(device)
        self._norm = _norm(_below(state, "image_encoder.norms.")).to(device)
        own = _below(state, "lang_encoder.")
        self._text = filled(config.text(), own, "text encoder").to(device)
        self._words, self._positions, self._image_projection, self._text_projection = (
            _needed(state, name).to(device)
            for name in (
                "lang_encoder.token_embedding.weight",
                "lang_encoder.positional_embedding",
                "image_projection",
                "lang_projection",
            )
        )
        self._tokenizer = _tokenizer(files.folder)
        self.logit_scale = self.patch_scale = float(np.exp(_needed(state, "logit_scale").item()))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``."""
        return text_vectors(texts, self._text_vector)

    encode_phrases = encode_text

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        return len(self._tokenizer(text, verbose=False)["input_ids"]) > self._longest

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)``."""
        return unit_vectors(lambda: self._projected(self._features(images).permute(0, 2, 3, 1)))

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return unit_vectors(lambda: self._projected(self._features(images).mean(dim=(2, 3))))

    def _features(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        """Features ``(B, C, h, w)``."""
        import torch
        from torchvision import transforms as t  # type: ignore[import-untyped]  # it has no types

        bicubic = t.InterpolationMode.BICUBIC
        steps = t.Compose(
            [
                t.ToPILImage(),
                t.Resize(self._size, interpolation=bicubic),
                t.ToTensor(),
                t.Normalize(self._mean, self._std),
            ]
        )
        pixels = torch.stack([steps(image) for image in images])
        return self._vision(pixels.to(self._device)).last_hidden_state

    def _text_vector(self, text: str) -> Any:
        tokens = self._tokenizer(
            [text], truncation=True, max_length=self._longest, return_tensors="pt"
        )["input_ids"].to(self._device)
        embedded = self._words[tokens] + self._positions[: tokens.shape[1]]
        return self._text(embedded)[:, -1] @ self._text_projection

    def _projected(self, features: Any) -> Any:
        """Features ``(..., C)`` of images as projections ``(..., D)``."""
        return self._norm(features) @ self._image_projection


class _Config:
    """What ``config.yaml`` states of the network.

    Parameters
    ----------
    stated
        Its content.
    """

    def __init__(self, stated: Mapping[str, Any]) -> None:
        image, text = stated["IMAGE_ENCODER"], stated["LANG_ENCODER"]
        self._spec: Mapping[str, Any] = image["SPEC"]
        self._lang: Mapping[str, Any] = text
        width, height = image["IMAGE_SIZE"]
        self.size = (int(height), int(width))
        self.mean, self.std = image["IMAGE_MEAN"], image["IMAGE_STD"]
        self.longest = int(text["CONTEXT_LENGTH"])
        cropped = stated["TEST"]["CENTER_CROP"]
        if text["AUTOGRESSIVE"] or cropped or not self._spec.get("STANDPARAM", True):
            raise ValueError("it is of another network")

    @classmethod
    def read(cls, file: Path) -> _Config:
        """The configuration in a file."""
        import yaml

        try:
            return cls(yaml.safe_load(file.read_text("utf-8")))
        except (*DAMAGED, yaml.YAMLError) as error:
            raise BackendUnavailable(
                f"{file} cannot be used: {type(error).__name__}: {error}.",
                "Put the config.yaml that the authors publish beside the weights.",
            ) from error

    def vision(self) -> Any:
        """The image encoder of transformers with random weights."""
        from transformers.models.florence2.modeling_florence2 import (
            Florence2VisionBackbone,
            Florence2VisionConfig,
        )

        spec = self._spec
        same = ("depths", "num_groups", "num_heads", "window_size")
        patch = ("patch_padding", "patch_prenorm", "patch_size", "patch_stride")
        config = Florence2VisionConfig(
            embed_dim=spec["DIM_EMBED"], **{key: spec[key.upper()] for key in (*same, *patch)}
        )
        return Florence2VisionBackbone(config)

    def text(self) -> Any:
        """The layers of the text encoder with random weights."""
        from torch import nn
        from transformers.activations import QuickGELUActivation

        width, layers = self._lang["WIDTH"], self._lang["LAYERS"]
        layer = nn.TransformerEncoderLayer(
            width, self._lang["HEADS"], 4 * width, activation=QuickGELUActivation(),
            layer_norm_eps=EPSILON, batch_first=True, norm_first=True,
        )  # fmt: skip
        norm = nn.LayerNorm(width, eps=EPSILON)
        return nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)


def _below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The weights whose names begin with a prefix, by the rest of their names."""
    return {n.removeprefix(prefix): w for n, w in state.items() if n.startswith(prefix)}


def _norm(state: Mapping[str, Any]) -> Any:
    """The normalization of the mean features of an image."""
    from torch import nn

    return filled(nn.LayerNorm(len(state.get("weight", (0,)))), state, "image encoder")


def _needed(state: Mapping[str, Any], name: str) -> Any:
    if name not in state:
        raise BackendUnavailable(
            f"The checkpoint of MedImageInsight has no weight {name}.",
            "Choose the checkpoint that the authors publish, downloaded in full.",
        )
    return state[name]


def _tokenizer(folder: Path) -> Any:
    """The tokenizer of CLIP in a folder, in its ``language_model``, or on this computer."""
    import transformers

    folders = (folder, *sorted(folder.glob("language_model/*")))
    own = next((f for f in folders if (f / "vocab.json").is_file()), None)
    return transformers.CLIPTokenizer.from_pretrained(
        own or base_folder(TEXT_MODEL), local_files_only=True, trust_remote_code=False
    )
