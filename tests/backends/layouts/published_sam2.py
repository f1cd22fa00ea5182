"""Small trackers of transformers, and the same as their authors publish them."""

from __future__ import annotations

import re
from pathlib import Path

import torch
import transformers as hf

from tests.backends.layouts.published import LICENCE
from tests.backends.sam.tiny_sam2 import MEMORY, PYRAMID, SIDE

FILLED = {
    **MEMORY,
    "memory_attention_rope_feat_sizes": [SIDE // 16, SIDE // 16],
}
MLPS = "iou_prediction_head|pred_obj_score_head|object_pointer_proj|output_hypernetworks_mlps"
LAYER_OF = {"proj_in": 0, "layers.0": 1, "proj_out": 2}
OTHERS = (
    ("vision_encoder.backbone.patch_embed.projection", "image_encoder.trunk.patch_embed.proj"),
    ("vision_encoder.backbone.timm_model", "image_encoder.trunk.body"),
    ("vision_encoder.backbone", "image_encoder.trunk"),
    ("vision_encoder.neck", "image_encoder.neck"),
    ("prompt_encoder.shared_embedding.positional_embedding",
     "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"),
    ("prompt_encoder.mask_embed.conv1", "sam_prompt_encoder.mask_downscaling.0"),
    ("prompt_encoder.mask_embed.layer_norm1", "sam_prompt_encoder.mask_downscaling.1"),
    ("prompt_encoder.mask_embed.conv2", "sam_prompt_encoder.mask_downscaling.3"),
    ("prompt_encoder.mask_embed.layer_norm2", "sam_prompt_encoder.mask_downscaling.4"),
    ("prompt_encoder.mask_embed.conv3", "sam_prompt_encoder.mask_downscaling.6"),
    ("prompt_encoder.no", "sam_prompt_encoder.no"),
    ("mask_decoder.upscale_conv1", "mask_decoder.output_upscaling.0"),
    ("mask_decoder.upscale_layer_norm", "mask_decoder.output_upscaling.1"),
    ("mask_decoder.upscale_conv2", "mask_decoder.output_upscaling.3"),
    ("mask_decoder.", "sam_mask_decoder."),
    ("object_pointer_proj", "obj_ptr_proj"),
    ("temporal_positional_encoding_projection_layer", "obj_ptr_tpos_proj"),
    ("no_object_pointer", "no_obj_ptr"),
    ("occlusion_spatial_embedding_parameter", "no_obj_embed_spatial"),
    ("no_memory_embedding", "no_mem_embed"),
    ("no_memory_positional_encoding", "no_mem_pos_enc"),
    ("memory_temporal_positional_encoding", "maskmem_tpos_enc"),
    ("memory_encoder.projection", "memory_encoder.out_proj"),
    ("feature_projection", "pix_feat_proj"),
    ("memory_fuser", "fuser"), ("depthwise_conv", "dwconv"), ("pointwise_conv", "pwconv"),
    ("mask_downsampler.final_conv", "mask_downsampler.encoder.12"),
    ("spatial_perceiver.latents_1d", "spatial_perceiver.latents"),
    ("spatial_perceiver.layer_norm.", "spatial_perceiver.norm."),
    ("layer_norm_input", "attn.norm_x"), ("layer_norm_latents", "attn.norm_latents"),
    ("layer_norm_self", "self_attn.norm"), ("cross_attention", "attn"),
    ("self_attention", "self_attn"),
    ("layer_norm", "norm"), ("o_proj", "out_proj"),
)  # fmt: skip


def sam2() -> hf.Sam2VideoModel:
    """SAM 2.1 with the blocks, windows and heads of its tiny version, and narrow layers."""
    widths = [8, 16, 32, 64]
    backbone = hf.Sam2HieraDetConfig(
        hidden_size=8, image_size=[SIDE, SIDE], embed_dim_per_stage=widths,
        blocks_per_stage=[1, 2, 7, 2], num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[8, 4, 14, 7], global_attention_blocks=[5, 7, 9],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = hf.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=widths[::-1], **PYRAMID
    )
    return hf.Sam2VideoModel(
        hf.Sam2VideoConfig(
            vision_config=vision, prompt_encoder_config={"hidden_size": 128, "image_size": SIDE},
            image_size=SIDE, **DEFAULTS,
        )
    )  # fmt: skip


DEFAULTS = {
    name: value for name, value in FILLED.items() if name != "max_object_pointers_in_encoder"
}
DEFAULTS["mask_decoder_config"] = {
    "hidden_size": 128, "mlp_dim": 64, "iou_head_hidden_dim": 128,
}  # fmt: skip


def edgetam() -> hf.EdgeTamVideoModel:
    """EdgeTAM with its own image encoder, which comes in one size, and small other parts."""
    backbone = {
        "model_type": "timm_wrapper", "architecture": "repvit_m1", "num_classes": 2,
        "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
    }  # fmt: skip
    vision = {
        "model_type": "edgetam_vision_model", "backbone_config": backbone,
        "backbone_channel_list": [384, 192, 96, 48], **PYRAMID,
    }  # fmt: skip
    sizes = {k: v for k, v in DEFAULTS.items() if "feed_forward" not in k}
    return hf.EdgeTamVideoModel(
        hf.EdgeTamVideoConfig(
            vision_config=vision, prompt_encoder_config={"hidden_size": 128, "image_size": SIDE},
            image_size=SIDE, memory_attention_rope_k_sizes=[4, 4], perceiver_resampler_num_layers=1,
            perceiver_resampler_num_latents=16, perceiver_resampler_num_latents_2d=16,
            memory_attention_mlp_hidden_size=64, enable_occlusion_spatial_embedding=False,
            enable_temporal_pos_encoding_for_object_pointers=False, **sizes,
        )
    )  # fmt: skip


def authors_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights of a tracker under the names of its authors."""
    weights: dict[str, torch.Tensor] = {}
    state = model.state_dict()
    for name, weight in state.items():
        if name == "prompt_encoder.point_embed.weight":
            for number, row in enumerate(weight):
                weights[f"sam_prompt_encoder.point_embeddings.{number}.weight"] = row[None].clone()
        elif name.startswith("spatial_perceiver.") and ".k_proj" in name:
            both = torch.cat([weight, state[name.replace(".k_proj", ".v_proj")]])
            weights[_theirs(name.replace(".k_proj", ".to_kv"))] = both
        elif not name.startswith("shared_image_embedding") and not (
            name.startswith("spatial_perceiver.") and ".v_proj" in name
        ):
            weights[_theirs(name)] = weight.clone()
    return weights


def _theirs(name: str) -> str:
    """The name that the authors give a weight."""
    name = re.sub(
        rf"(({MLPS})(\.\d+)?)\.(proj_in|layers\.0|proj_out)\.",
        lambda match: f"{match[1]}.layers.{LAYER_OF[match[4]]}.",
        name,
    )
    name = re.sub(
        r"mask_downsampler\.layers\.(\d)\.(conv|layer_norm)\.",
        lambda match: f"mask_downsampler.encoder.{3 * int(match[1]) + (match[2] == 'layer_norm')}.",
        name,
    )
    if name.startswith("spatial_perceiver"):
        for ours, theirs in (("q_proj", "to_q"), ("o_proj", "to_out"), ("mlp.layer_norm", "ff.0"),
                             ("mlp.up_proj", "ff.1"), ("mlp.down_proj", "ff.3")):  # fmt: skip
            name = name.replace(ours, theirs)
    name = name.replace("mlp.up_proj", "linear1").replace("mlp.down_proj", "linear2")
    name = name.replace("mlp.proj_in", "mlp.layers.0").replace("mlp.proj_out", "mlp.layers.1")
    name = re.sub(r"(neck\.convs\.\d)\.", r"\1.conv.", name)
    name = re.sub(r"(fuser\.layers\.\d)\.scale", r"\1.gamma", name)
    for ours, theirs in OTHERS:
        if "timm_model" not in name or "vision_encoder" in ours:
            name = name.replace(ours, theirs)
    return name


def published(model: torch.nn.Module, file: Path) -> Path:
    """The file of a tracker as its authors publish it, with the licence next to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": authors_weights(model)}, file)
    (file.parent / "LICENSE").write_text(LICENCE)
    return file
