"""Small trackers with random weights, as the library itself saves them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers as hf

torch.set_num_threads(1)
SIDE = 64
SIZE = {"height": SIDE, "width": SIDE}


def config() -> hf.Sam2VideoConfig:
    """SAM 2's parts, each as small as its shape allows."""
    backbone = hf.Sam2HieraDetConfig(
        hidden_size=8, image_size=[SIDE, SIDE], embed_dim_per_stage=[8, 16, 32, 64],
        blocks_per_stage=[1, 1, 2, 1], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 2], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = hf.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]], fpn_hidden_size=128,
    )  # fmt: skip
    return hf.Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": SIDE},
        mask_decoder_config={
            "hidden_size": 128, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32,
        },
        image_size=SIDE, num_maskmem=3, max_object_pointers_in_encoder=4,
        memory_attention_hidden_size=128, memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=64, memory_attention_rope_feat_sizes=[4, 4],
        memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=64,
    )  # fmt: skip


def tracker(folder: Path, lift: float = 0.0, there: float = 3.0) -> Path:
    """The folder of such a model.

    Parameters
    ----------
    lift
        Added to all logits of masks.
    there
        Added to the logit of the object being there.
    """
    torch.manual_seed(0)
    model = hf.Sam2VideoModel(config())
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.9 * weight[0].numel() ** -0.5)
        decoder = model.mask_decoder
        for mlp in decoder.output_hypernetworks_mlps:
            mlp.proj_out.weight[0], mlp.proj_out.bias[0] = 0, 1
        decoder.upscale_conv2.weight[:, 0], decoder.upscale_conv2.bias[0] = 0, lift
        decoder.conv_s0.weight[0], decoder.conv_s0.bias[0] = 0, 0
        decoder.pred_obj_score_head.proj_out.bias.add_(there)
    model.save_pretrained(folder)
    hf.Sam2VideoProcessor(
        hf.Sam2ImageProcessor(size=SIZE, mask_size={"height": 16, "width": 16}),
        hf.Sam2VideoVideoProcessor(size=SIZE),
    ).save_pretrained(folder)
    return folder
