"""EdgeTAM in the layout of its authors: one file of weights.

Weights: https://github.com/facebookresearch/EdgeTAM, ``sam2/modeling``; its image encoder is
RepViT-M1 of timm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion
from napari_medvlm.backends.layouts.recipes import Recipe, rename_all, rows
from napari_medvlm.backends.layouts.sam2 import (
    COMMON_RULES,
    Sam2Layout,
    feature_sizes,
    image_side,
    memory_config,
    tracker_processor,
    with_shared_parts,
)
from napari_medvlm.backends.layouts.vision import numbered

TRUNK = "repvit_m1"
PERCEIVER = r"^(spatial_perceiver\.layers\.\d+)"
RULES = (
    *COMMON_RULES,
    (r"^image_encoder\.trunk\.body\.", "vision_encoder.backbone.timm_model."),
    (r"^(memory_attention\..*)\.linear1\.", r"\1.mlp.up_proj."),
    (r"^(memory_attention\..*)\.linear2\.", r"\1.mlp.down_proj."),
    (r"^spatial_perceiver\.latents$", "spatial_perceiver.latents_1d"),
    (r"^spatial_perceiver\.norm\.", "spatial_perceiver.layer_norm."),
    (PERCEIVER + r"\.attn\.norm_x\.", r"\1.layer_norm_input."),
    (PERCEIVER + r"\.attn\.norm_latents\.", r"\1.layer_norm_latents."),
    (PERCEIVER + r"\.self_attn\.norm\.", r"\1.layer_norm_self."),
    (PERCEIVER + r"\.attn\.", r"\1.cross_attention."),
    (PERCEIVER + r"\.self_attn\.", r"\1.self_attention."),
    (r"\.to_q\.", ".q_proj."),
    (r"\.to_out\.", ".o_proj."),
    (PERCEIVER + r"\.(self_)?ff\.0\.", r"\1.\2mlp.layer_norm."),
    (PERCEIVER + r"\.(self_)?ff\.1\.", r"\1.\2mlp.up_proj."),
    (PERCEIVER + r"\.(self_)?ff\.3\.", r"\1.\2mlp.down_proj."),
    (r"^((?:memory_attention|mask_decoder|memory_encoder)\..*|memory_attention)"
     r"\.norm(?=[\d._])", r"\1.layer_norm"),
)  # fmt: skip


class EdgeTamLayout(Sam2Layout):
    """A checkpoint file of EdgeTAM."""

    name = "edgetam"
    title = "EdgeTAM (one .pt file)"
    marks = ("sam_mask_decoder.", "maskmem_tpos_enc", "spatial_perceiver.")

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To `EdgeTamVideoModel`."""
        shapes = checkpoint.weights.shapes
        side = image_side(checkpoint)
        recipes: dict[str, Recipe] = {}
        for name, recipe in with_shared_parts(rename_all(shapes, RULES)).items():
            if ".to_kv." in name:
                (source,) = recipe.sources
                half = shapes[source][0] // 2
                for letter, start in (("k", 0), ("v", half)):
                    new = name.replace(".to_kv.", f".{letter}_proj.")
                    recipes[new] = Recipe(recipe.sources, rows(start, start + half))
            else:
                recipes[name] = recipe
        config, processor = _config(shapes, side), tracker_processor(side)
        return Conversion("EdgeTamVideoModel", config, recipes, processor)


def _config(shapes: Mapping[str, tuple[int, ...]], side: int) -> Any:
    import transformers

    neck = "image_encoder.neck.convs."
    channels = [shapes[f"{neck}{n}.conv.weight"][1] for n in range(numbered(shapes, neck))]
    vision = {
        "model_type": "edgetam_vision_model",
        "backbone_config": {
            "model_type": "timm_wrapper",
            "architecture": TRUNK,
            "num_classes": 2,
            "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
        },
        "backbone_channel_list": channels,
        "backbone_feature_sizes": feature_sizes(side),
        "fpn_hidden_size": shapes[f"{neck}0.conv.weight"][0],
    }
    latents = shapes["spatial_perceiver.latents_2d"][0]
    return transformers.EdgeTamVideoConfig(
        vision_config=vision,
        memory_attention_mlp_hidden_size=shapes["memory_attention.layers.0.linear1.weight"][0],
        memory_attention_rope_k_sizes=[round(latents**0.5)] * 2,
        perceiver_resampler_num_latents=shapes["spatial_perceiver.latents"][0],
        perceiver_resampler_num_latents_2d=latents,
        perceiver_resampler_hidden_size=shapes["spatial_perceiver.latents"][1],
        perceiver_resampler_num_layers=numbered(shapes, "spatial_perceiver.layers."),
        **memory_config(shapes, side),
    )
