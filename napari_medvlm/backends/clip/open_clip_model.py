"""Models of open_clip with one space for images and texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.models import DOWNLOAD
from napari_medvlm.backends.clip.patch_tokens import captured_inputs, deferred_run, singles
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.models.transformers_loader import refuse_kernels
from napari_medvlm.data.errors import BackendUnavailable

TOKENIZER_OPTIONS = frozenset({"clean", "language", "reduction_mask", "strip_sep_token"})
"""What a folder may set for its tokenizer."""


class OpenClipModel:
    """Models of open_clip: BiomedCLIP, UniMed-CLIP and others; see `ClipModel`."""

    wording = Wording()

    def __init__(self, folder: Path, device: str) -> None:
        import open_clip

        if not any(path.suffix in (".safetensors", ".bin", ".pth") for path in folder.iterdir()):
            raise BackendUnavailable(f"There are no weights in {folder}.", DOWNLOAD)
        source = f"local-dir:{folder}"
        text, options = _local_text(folder), _tokenizer_options(folder)
        self._model, self._preprocess = open_clip.create_model_from_pretrained(
            source, device=device, image_resize_mode="squash", weights_only=True, **text
        )
        self._model.eval()
        self._tokenizer = open_clip.get_tokenizer(source, **options)
        self._device = device
        bias = self._model.logit_bias
        self.logit_scale = self.patch_scale = self._model.logit_scale.exp().item()
        self.logit_bias = None if bias is None else bias.item()
        self._grid, self.covered = _grid(self._model.visual)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)``."""
        return text_vectors(
            texts, lambda text: self._model.encode_text(self._tokenizer([text]).to(self._device))
        )

    encode_phrases = encode_text

    def is_cut(self, text: str) -> bool:
        """Whether a text has more tokens than the model reads."""
        length = int(self._tokenizer.context_length)
        # With room for twice as many, only tokens of fill stand behind a text that fits.
        behind = self._tokenizer([text], context_length=2 * length)[0, length:].tolist()
        return len(set(behind)) > 1

    def encode_patches(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, h, w, D)`` of patches, as `patch_tokens` describes."""
        visual = self._model.visual
        patches = _timm_patches if hasattr(visual, "trunk") else _built_in_patches
        if self._grid is None:
            raise BackendUnavailable(
                f"The model's vision tower ({type(visual).__name__}) is not a vision transformer "
                "whose patches can be compared with texts.",
                "Use it for labels, or choose another model.",
            )
        flat = unit_vectors(lambda: patches(visual, self._pixels(images)))
        return flat.reshape(len(images), *self._grid, -1)

    def encode_images(self, images: Sequence[NDArray[np.uint8]]) -> Vectors:
        """Unit vectors ``(B, D)``."""
        return unit_vectors(lambda: self._model.encode_image(self._pixels(images)))

    def _pixels(self, images: Sequence[NDArray[np.uint8]]) -> Any:
        import torch
        from PIL import Image

        batch = [self._preprocess(Image.fromarray(image)) for image in images]
        return torch.stack(batch).to(self._device)


def _local_text(folder: Path) -> dict[str, Any]:
    """Patch that makes open_clip read a text tower's configuration from a folder."""
    from huggingface_hub import try_to_load_from_cache

    model = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    if ":" in model["vision_cfg"].get("timm_model_name", ""):
        raise BackendUnavailable(
            f"{folder.name} asks for the vision tower {model['vision_cfg']['timm_model_name']}, "
            "which would be downloaded.",
            DOWNLOAD,
        )
    name = model["text_cfg"].get("hf_model_name")
    if not name:
        return {}
    own = folder / "config.json"
    config = own if own.is_file() else try_to_load_from_cache(name, "config.json")
    if not isinstance(config, str | Path):
        raise BackendUnavailable(
            f"{folder.name} lacks the configuration of its text tower, {name}.",
            f"Put the file config.json of {name} into {folder}.",
        )
    refuse_kernels(Path(config).parent)
    parent = str(Path(config).parent)
    return {
        "text_cfg": {**model["text_cfg"], "hf_model_name": parent, "hf_model_pretrained": False}
    }


def _tokenizer_options(folder: Path) -> dict[str, Any]:
    """Options of the tokenizer that win over those of the folder: no code, and local files only.

    Raises
    ------
    BackendUnavailable
        If the folder asks for options other than those in `TOKENIZER_OPTIONS`.
    """
    model = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    other = sorted(set(model["text_cfg"].get("tokenizer_kwargs") or ()) - TOKENIZER_OPTIONS)
    if other:
        raise BackendUnavailable(
            f"open_clip_config.json of {folder.name} sets {', '.join(other)} for its tokenizer, "
            "which is not allowed.",
            "Remove it from tokenizer_kwargs if the model works without.",
        )
    if not model["text_cfg"].get("hf_tokenizer_name"):
        return {}
    return {"local_files_only": True, "trust_remote_code": False}


def _grid(visual: Any) -> tuple[tuple[int, int] | None, tuple[float, float]]:
    """Rows and columns of patches, if they are known how to compare, and what part they cover."""
    from open_clip.transformer import VisionTransformer
    from timm.models.vision_transformer import VisionTransformer as TimmTransformer

    if isinstance(visual, VisionTransformer) and visual.attn_pool is None:
        grid, patch, size = visual.grid_size, visual.patch_size, visual.image_size
    elif isinstance(getattr(visual, "trunk", None), TimmTransformer):
        embed = visual.trunk.patch_embed
        grid, patch, size = embed.grid_size, embed.patch_size, embed.img_size
    else:
        return None, (1.0, 1.0)
    covered = [n * p / s for n, p, s in zip(grid, patch, size, strict=True)]
    return (int(grid[0]), int(grid[1])), (covered[0], covered[1])


def _built_in_patches(visual: Any, pixels: Any) -> Any:
    block = visual.transformer.resblocks[-1]
    inputs = captured_inputs(block, deferred_run(visual, pixels))
    return visual.ln_post(block(singles(inputs[:, 1:]))[:, 0]) @ visual.proj


def _timm_patches(visual: Any, pixels: Any) -> Any:
    trunk = visual.trunk
    run = deferred_run(visual, pixels)
    if trunk.attn_pool is not None:
        out = trunk.attn_pool(singles(captured_inputs(trunk.attn_pool, run)))
    else:
        block = trunk.blocks[-1]
        inputs = captured_inputs(block, run)[:, trunk.num_prefix_tokens :]
        out = trunk.norm(block(singles(inputs)))[:, 0]
    return visual.head(trunk.head(trunk.fc_norm(out)))
