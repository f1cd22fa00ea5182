"""Configurations of vision towers, read from the shapes of their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
"""Mean and standard deviation of the channels of CLIP's images, from 0 to 1."""
HEAD_WIDTH = 64
"""Channels of an attention head of all published vision transformers of CLIP."""


def numbered(names: Mapping[str, Any], prefix: str) -> int:
    """How many numbered parts have a name prefix."""
    return len({n[len(prefix) :].split(".")[0] for n in names if n.startswith(prefix)})


def clip_config(
    shapes: Mapping[str, tuple[int, ...]], base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The configuration of a CLIP vision tower as ``clip_vision_model`` of transformers.

    Parameters
    ----------
    shapes
        Of its weights, by their names in the tower.
    base
        The configuration of the model that it comes from; sizes in the weights go before it.

    Raises
    ------
    KeyError
        If a weight is missing that states a size.
    """
    width, _, patch, _ = shapes["embeddings.patch_embedding.weight"]
    positions = shapes["embeddings.position_embedding.weight"][0]
    stated = {
        key: (base or {})[key]
        for key in ("num_attention_heads", "hidden_act", "layer_norm_eps", "projection_dim")
        if key in (base or {})
    }
    return {
        "model_type": "clip_vision_model",
        "num_attention_heads": max(width // HEAD_WIDTH, 1),
        "hidden_act": "quick_gelu",
        "projection_dim": 768,
        **stated,
        "hidden_size": width,
        "intermediate_size": shapes["encoder.layers.0.mlp.fc1.weight"][0],
        "num_hidden_layers": numbered(shapes, "encoder.layers."),
        "patch_size": patch,
        "image_size": round((positions - 1) ** 0.5) * patch,
    }
