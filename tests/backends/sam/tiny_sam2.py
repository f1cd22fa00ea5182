"""Small trackers with random weights, as the library itself saves them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf

torch.set_num_threads(1)
SIDE, SIDE_3 = 64, 56
MEMORY = {
    "num_maskmem": 3, "max_object_pointers_in_encoder": 4, "memory_attention_hidden_size": 128,
    "memory_attention_num_layers": 1, "memory_attention_feed_forward_hidden_size": 64,
    "memory_attention_rope_feat_sizes": [4, 4], "memory_encoder_hidden_size": 128,
    "memory_encoder_output_channels": 64, "mask_downsampler_embed_dim": 128,
    "memory_fuser_embed_dim": 128, "memory_fuser_intermediate_dim": 64,
    "mask_decoder_config": {
        "hidden_size": 128, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32,
    },
}  # fmt: skip
"""Sizes of the parts that all trackers share."""
PYRAMID = {"backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]], "fpn_hidden_size": 128}


def sam2() -> hf.Sam2VideoModel:
    """SAM 2, each of its parts as small as its shape allows."""
    backbone = hf.Sam2HieraDetConfig(
        hidden_size=8, image_size=[SIDE, SIDE], embed_dim_per_stage=[8, 16, 32, 64],
        blocks_per_stage=[1, 1, 2, 1], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = hf.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], **PYRAMID
    )
    prompts = {"hidden_size": 128, "image_size": SIDE}
    return hf.Sam2VideoModel(
        hf.Sam2VideoConfig(
            vision_config=vision, prompt_encoder_config=prompts, image_size=SIDE, **MEMORY
        )
    )


def edgetam() -> hf.EdgeTamVideoModel:
    """EdgeTAM; its backbone comes in one size."""
    backbone = {
        "model_type": "timm_wrapper", "architecture": "repvit_m0_9", "num_classes": 2,
        "model_args": {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
    }  # fmt: skip
    vision = {
        "model_type": "edgetam_vision_model", "backbone_config": backbone,
        "backbone_channel_list": [384, 192, 96, 48], **PYRAMID,
    }  # fmt: skip
    return hf.EdgeTamVideoModel(
        hf.EdgeTamVideoConfig(
            vision_config=vision, prompt_encoder_config={"hidden_size": 128, "image_size": SIDE},
            image_size=SIDE, memory_attention_rope_k_sizes=[4, 4], perceiver_resampler_num_layers=1,
            perceiver_resampler_num_latents=16, perceiver_resampler_num_latents_2d=16, **MEMORY,
        )
    )  # fmt: skip


def sam3() -> hf.Sam3TrackerVideoModel:
    """The tracker of SAM 3."""
    backbone = {
        "model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIDE_3,
        "pretrain_image_size": SIDE_3, "window_size": 2, "global_attn_indexes": [1],
    }  # fmt: skip
    vision = hf.Sam3VisionConfig(backbone_config=backbone, **PYRAMID)
    prompts = {"hidden_size": 128, "image_size": SIDE_3}
    return hf.Sam3TrackerVideoModel(
        hf.Sam3TrackerVideoConfig(
            vision_config=vision, prompt_encoder_config=prompts, image_size=SIDE_3, **MEMORY
        )
    )


def scattered(model, there: float = 3.0):
    """A tracker with weights large enough for its masks to differ from slice to slice."""
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.9 * weight[0].numel() ** -0.5)
        model.mask_decoder.pred_obj_score_head.proj_out.bias.add_(there)
    return model


def saved(model, folder: Path, side: int = SIDE) -> Path:
    """The folder of a tracker as its makers publish it."""
    size, masks = {"height": side, "width": side}, {"height": 16, "width": 16}
    film = hf.Sam2VideoVideoProcessor(size=size)
    model.save_pretrained(folder)
    if isinstance(model, hf.Sam3TrackerVideoModel):
        pictures = hf.Sam3ImageProcessor(size=size, mask_size=masks)
        hf.Sam3TrackerVideoProcessor(pictures, film).save_pretrained(folder)
    else:
        pictures = hf.Sam2ImageProcessor(size=size, mask_size=masks)
        hf.Sam2VideoProcessor(pictures, film).save_pretrained(folder)
    return folder


def tracker(folder: Path, lift: float = 0.0, there: float = 3.0) -> Path:
    """The folder of a SAM 2 whose masks depend on slices, prompts and memory.

    Parameters
    ----------
    lift
        Added to all logits of masks.
    there
        Added to the logit of the object being there.
    """
    model = scattered(sam2(), there)
    with torch.no_grad():
        decoder = model.mask_decoder
        for mlp in decoder.output_hypernetworks_mlps:
            mlp.proj_out.weight[0], mlp.proj_out.bias[0] = 0, 1
        decoder.upscale_conv2.weight[:, 0], decoder.upscale_conv2.bias[0] = 0, lift
        decoder.conv_s0.weight[0], decoder.conv_s0.bias[0] = 0, 0
    return saved(model, folder)
