"""One file of weights of open_clip or of OpenAI's CLIP, with the name of its architecture.

Architectures: the configurations that open_clip (https://github.com/mlfoundations/open_clip)
brings. PubMedCLIP's authors publish such files.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.recipes import rename_all
from napari_medvlm.backends.layouts.vision import CLIP_MEAN, CLIP_STD
from napari_medvlm.backends.layouts.weight_files import mentioned, weight_files
from napari_medvlm.data.errors import BackendUnavailable

UNUSED = (r"^(input_resolution|context_length|vocab_size)$", r"attn_mask$", r"position_ids$")
TEXT_PARTS = r"^(text_projection|positional_embedding|token_embedding|transformer|ln_final)\b"
"""Names of the text tower's parts, which some architectures put below ``text``."""


class OpenClipLayout(Layout):
    """A file of weights with a vision and a text tower, and a scale of their cosines."""

    name = "open_clip"
    title = "open_clip, CLIP (one file)"
    backend = "similarity"

    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """By the names of the weights of its only file, without a configuration next to it."""
        folder = checkpoint.path
        if checkpoint.config or (folder / "open_clip_config.json").exists():
            return False
        files = weight_files(folder)
        return len(files) == 1 and (
            mentioned(files[0], ("visual.", "logit_scale", "token_embedding.weight"))
        )

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To a folder that open_clip loads."""
        import open_clip

        name = _architecture(checkpoint, open_clip.list_models())
        config = open_clip.get_model_config(name)
        text, vision = config["text_cfg"], config["vision_cfg"]
        if text.get("hf_model_name") or ":" in vision.get("timm_model_name", ""):
            raise BackendUnavailable(
                f"The architecture {name} takes parts of other models, which no file here has.",
                "Choose a folder with open_clip_config.json and the tokenizer.",
            )
        names = [n for n in checkpoint.weights.shapes if not _is_unused(n)]
        below = config.get("custom_text") and not any(n.startswith("text.") for n in names)
        rules = ((TEXT_PARTS, r"text.\1"),) if below else ()
        return Conversion(
            f"open_clip's {name}",
            None,
            rename_all(names, rules),
            None,
            unused=UNUSED,
            build=partial(_empty, name),
            write_config=partial(_write_config, config),
            stem="open_clip_model",
            notes=(f"The architecture is {name}.",),
        )


def _is_unused(name: str) -> bool:
    return name in ("input_resolution", "context_length", "vocab_size") or name.endswith(
        ("attn_mask", "position_ids")
    )


def _architecture(checkpoint: Checkpoint, known: list[str]) -> str:
    """The architecture that the user names, or the longest that the file's name contains.

    Raises
    ------
    BackendUnavailable
        If none is, or open_clip does not have it.
    """
    stated = checkpoint.options.get("architecture", "")
    file = checkpoint.weights.files[0].name
    plain = file.lower().replace("_", "-")
    if not stated:
        named = [name for name in known if name.lower().replace("_", "-") in plain]
        stated = max(named, key=len, default="")
    if stated in known:
        return stated
    what = f"open_clip has no architecture {stated}." if stated else f"{file} names none."
    raise BackendUnavailable(
        f"The architecture of the weights is needed: {what}",
        "Name the one that the authors state with --architecture, such as ViT-B-16, "
        "ViT-B-32-quickgelu (OpenAI's weights) or ViT-L-14-336-quickgelu.",
    )


def _empty(name: str) -> Any:
    """The model of an architecture without weights."""
    import open_clip

    return open_clip.create_model(
        name, load_weights=False, pretrained_image=False, pretrained_text=False, device="meta"
    )


def _write_config(config: dict[str, Any], folder: Path) -> None:
    content = {"model_cfg": config, "preprocess_cfg": {"mean": CLIP_MEAN, "std": CLIP_STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(content, indent=2) + "\n", "utf-8")
