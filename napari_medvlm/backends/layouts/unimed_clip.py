"""UniMed-CLIP as its authors publish it: one file of weights of their version of open_clip.

Architecture and names: https://github.com/mbzuai-oryx/UniMed-CLIP, ``src/open_clip/model.py`` and
``hf_model.py``: a vision transformer of OpenAI's CLIP, and BiomedBERT with a projection of two
layers as ``text_encoder``, which open_clip calls ``text``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.recipes import rename_all
from napari_medvlm.backends.layouts.vision import CLIP_MEAN, CLIP_STD, numbered
from napari_medvlm.backends.layouts.weight_files import mentioned, weight_files
from napari_medvlm.data.errors import BackendUnavailable

BERT = "microsoft/BiomedNLP-BiomedBERT-{size}-uncased-abstract"
LARGE_WIDTH = 1024
"""Channels of BiomedBERT's large version; the base version has 768."""
CONTEXT = 256
"""Tokens of a text, as in the README of the authors."""
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)
WORDS = "text_encoder.transformer.embeddings.word_embeddings.weight"
UNUSED = (r"position_ids$",)


class UniMedClipLayout(Layout):
    """A file of weights with a vision tower and a text tower of transformers."""

    name = "unimed_clip"
    title = "UniMed-CLIP (one file)"
    backend = "similarity"

    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """By the names of the weights of its only file."""
        files = weight_files(checkpoint.path)
        if len(files) != 1 or (checkpoint.path / "open_clip_config.json").exists():
            return False
        return mentioned(files[0], ("visual.", "logit_scale", "text_encoder.transformer."))

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To a folder that open_clip loads, with the text tower's configuration and tokenizer."""
        shapes = checkpoint.weights.shapes
        size = "large" if shapes[WORDS][1] == LARGE_WIDTH else "base"
        bert = BERT.format(size=size)
        folder = _text_folder(checkpoint, bert)
        config = {
            "embed_dim": shapes["visual.proj"][1],
            "quick_gelu": True,
            "vision_cfg": _vision(shapes),
            "text_cfg": {
                "hf_model_name": bert,
                "hf_tokenizer_name": bert,
                "hf_proj_type": "mlp",
                "hf_pooler_type": "cls_last_hidden_state_pooler",
                "context_length": CONTEXT,
            },
        }
        names = [name for name in shapes if not name.endswith("position_ids")]
        return Conversion(
            "open_clip's CustomTextCLIP",
            None,
            rename_all(names, ((r"^text_encoder\.", "text."),)),
            None,
            unused=UNUSED,
            build=partial(_empty, config, folder),
            write_config=partial(_write_config, config, folder),
            stem="open_clip_model",
            notes=(f"The text tower is {bert}.",),
        )


def _vision(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The configuration of the vision tower from the shapes of its weights."""
    width, _, patch, _ = shapes["visual.conv1.weight"]
    positions = shapes["visual.positional_embedding"][0]
    return {
        "image_size": round((positions - 1) ** 0.5) * patch,
        "layers": numbered(shapes, "visual.transformer.resblocks."),
        "width": width,
        "patch_size": patch,
    }


def _text_folder(checkpoint: Checkpoint, bert: str) -> Path:
    """The folder with the configuration and the tokenizer of the text tower.

    That of the weights if both files are there, else that of the model itself.

    Raises
    ------
    BackendUnavailable
        If neither is on this computer.
    """
    names = ("config.json", "tokenizer_config.json")
    if all((checkpoint.folder / name).is_file() for name in names):
        return checkpoint.folder
    try:
        return base_folder(bert)
    except BackendUnavailable as error:
        raise BackendUnavailable(
            f"The text tower is {bert}, whose configuration and tokenizer are not here.",
            f"Put config.json, tokenizer_config.json and vocab.txt of {bert} (hub) into "
            f"{checkpoint.folder}.",
        ) from error


def _empty(config: Mapping[str, Any], folder: Path) -> Any:
    """The model without weights."""
    from open_clip.model import CustomTextCLIP

    text = {**config["text_cfg"], "hf_model_name": str(folder), "hf_model_pretrained": False}
    return CustomTextCLIP(**{**config, "text_cfg": text})


def _write_config(config: Mapping[str, Any], source: Path, folder: Path) -> None:
    """Write the configuration, and copy that of the text tower and its tokenizer."""
    content = {"model_cfg": config, "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    for name in ("config.json", *TOKENIZER_FILES):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
