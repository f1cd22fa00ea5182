"""One interface to models of transformers and of open_clip with one space for images and texts.

How a patch gets a place in that space, which the models were trained for whole images only: the
last attention that mixes patches is given each patch alone. It then has nothing else to attend to,
so what it gives is its value path; all that follows is done as for the whole image. This is
MaskCLIP (Zhou et al. 2022, https://arxiv.org/abs/2112.01071). That attention is the last block of
CLIP's vision tower and of others that read out a class token or a mean, and SigLIP's pooling head.

Nothing is downloaded, and no code of a model's folder is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.families.table import load_family
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.models import adapters
from napari_medvlm.backends.models.transformers_loader import local_config, refuse_kernels
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

INSTALL = "Install what is needed with: pip install 'napari-medvlm[clip]'"
DOWNLOAD = (
    "Download a model such as google/medsiglip-448 or "
    "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224, and choose its folder."
)
TOKENIZER_OPTIONS = frozenset({"clean", "language", "reduction_mask", "strip_sep_token"})
"""What a folder may set for its tokenizer."""


class ClipModel(Protocol):
    """A space with images and texts in it.

    Attributes
    ----------
    logit_scale
        What cosines are multiplied by to become logits.
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


def load_model(folder: Path, device: str) -> ClipModel:
    """The model in a folder, whichever library it is for.

    Raises
    ------
    BackendUnavailable
        If there is no such folder or model, something is not installed, or the device is not there.
    """
    _check_device(device)
    if not folder.is_dir():
        raise BackendUnavailable(f"There is no folder {folder}.", DOWNLOAD)
    try:
        if (folder / "open_clip_config.json").is_file():
            return OpenClipModel(folder, device)
        return load_family(folder, device) or TransformersModel(folder, device)
    except ImportError as error:
        raise BackendUnavailable(f"{folder.name} cannot be loaded: {error}.", INSTALL) from error
    except DAMAGED as error:
        raise BackendUnavailable(
            f"{folder.name} cannot be loaded: {str(error) or type(error).__name__}.", DOWNLOAD
        ) from error


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
        self.logit_scale = model.logit_scale.exp().item()
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
        """Unit vectors ``(B, h, w, D)`` of patches, as the module's docstring describes."""
        vision = self._model.vision_model

        def patches(pixels: Any) -> Any:
            run = _run(vision, pixels)
            if self.logit_bias is not None:
                return vision.head(_singles(_captured_inputs(vision.head, run)))
            block = vision.encoder.layers[-1]
            out = block(_singles(_captured_inputs(block, run)[:, 1:]), attention_mask=None)[:, 0]
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
        self.logit_scale = self._model.logit_scale.exp().item()
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
        """Unit vectors ``(B, h, w, D)`` of patches, as the module's docstring describes."""
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
    inputs = _captured_inputs(block, _run(visual, pixels))
    return visual.ln_post(block(_singles(inputs[:, 1:]))[:, 0]) @ visual.proj


def _timm_patches(visual: Any, pixels: Any) -> Any:
    trunk = visual.trunk
    run = _run(visual, pixels)
    if trunk.attn_pool is not None:
        out = trunk.attn_pool(_singles(_captured_inputs(trunk.attn_pool, run)))
    else:
        block = trunk.blocks[-1]
        inputs = _captured_inputs(block, run)[:, trunk.num_prefix_tokens :]
        out = trunk.norm(block(_singles(inputs)))[:, 0]
    return visual.head(trunk.head(trunk.fc_norm(out)))


def _run(module: Any, pixels: Any) -> Callable[[], Any]:
    return lambda: module(pixels)


def _captured_inputs(module: Any, run: Callable[[], Any]) -> Any:
    """The tokens ``(B, N, C)`` that a part of a model is given while the model runs."""
    inputs: list[Any] = []
    hook = module.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    try:
        run()
    finally:
        hook.remove()
    return inputs[0]


def _singles(tokens: Any) -> Any:
    """Tokens ``(B, N, C)`` as sequences of one, ``(B * N, 1, C)``."""
    return tokens.reshape(-1, 1, tokens.shape[-1])


def _check_device(device: str) -> None:
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise BackendUnavailable(
            f"There is no device called {device}.", "Choose the device cpu."
        ) from error
    counts = {"cuda": torch.cuda.device_count, "mps": torch.mps.device_count}
    if wanted.type in counts and (wanted.index or 0) >= counts[wanted.type]():
        raise BackendUnavailable(
            f"There is no {device} on this computer.", "Choose the device cpu."
        )
