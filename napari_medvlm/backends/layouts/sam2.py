"""SAM 2, SAM 2.1 and MedSAM2 in the layout of their authors: one file of weights.

Weights: https://github.com/facebookresearch/sam2, ``sam2/modeling``; the sizes that weights do not
show: ``sam2/configs``. MedSAM2 (https://github.com/bowang-lab/MedSAM2) takes images of 512 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from napari_medvlm.backends.layouts.layout import Checkpoint, Conversion, Layout
from napari_medvlm.backends.layouts.recipes import Recipe, rename_all, stacked_rows
from napari_medvlm.backends.layouts.vision import numbered
from napari_medvlm.backends.layouts.weight_files import mentioned, weight_files
from napari_medvlm.data.errors import BackendUnavailable

Shapes = Mapping[str, tuple[int, ...]]
SIDE, MEDSAM2_SIDE = 1024, 512
BLOCKS = "image_encoder.trunk.blocks."
POINTS = "prompt_encoder.point_embed."
PE = "prompt_encoder.shared_embedding.positional_embedding"
TRUNKS: Mapping[tuple[int, ...], tuple[int, tuple[int, ...], tuple[int, ...]]] = {
    (1, 2, 7, 2): (1, (8, 4, 14, 7), (5, 7, 9)),
    (1, 2, 11, 2): (1, (8, 4, 14, 7), (7, 10, 13)),
    (2, 3, 16, 3): (2, (8, 4, 14, 7), (12, 16, 20)),
    (2, 6, 36, 4): (2, (8, 4, 16, 8), (23, 33, 43)),
}
"""Attention heads of the first stage, windows, and blocks with global attention, by the blocks of
the stages: tiny, small, base+ and large."""
_MLP_3 = (
    r"((?:iou_prediction_head|pred_obj_score_head|object_pointer_proj"
    r"|output_hypernetworks_mlps\.\d+))\.layers"
)
COMMON_RULES = (
    (r"^sam_prompt_encoder\.pe_layer\.positional_encoding_gaussian_matrix$", PE),
    (r"^sam_prompt_encoder\.", "prompt_encoder."),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"^sam_mask_decoder\.", "mask_decoder."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"^obj_ptr_proj\.", "object_pointer_proj."),
    (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
    (r"^no_obj_ptr$", "no_object_pointer"),
    (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
    (r"^no_mem_embed$", "no_memory_embedding"),
    (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
    (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
    (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
    (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
    (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv([12])\.", r".pointwise_conv\1."),
    (r"(memory_fuser\.layers\.\d+)\.gamma$", r"\1.scale"),
    *(
        (rf"\.mask_downsampler\.encoder\.{3 * n + k}\.", f".mask_downsampler.layers.{n}.{part}.")
        for n in range(4)
        for k, part in enumerate(("conv", "layer_norm"))
    ),
    (r"\.mask_downsampler\.encoder\.12\.", ".mask_downsampler.final_conv."),
    (rf"{_MLP_3}\.0\.", r"\1.proj_in."),
    (rf"{_MLP_3}\.1\.", r"\1.layers.0."),
    (rf"{_MLP_3}\.2\.", r"\1.proj_out."),
    (r"^(mask_decoder.*\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"^(mask_decoder.*\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"\.out_proj\.", ".o_proj."),
)
"""Renames of SAM 2 and of EdgeTAM."""
RULES = (
    *COMMON_RULES,
    (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"^(vision_encoder\.backbone\.patch_embed)\.proj\.", r"\1.projection."),
    (r"^(vision_encoder.*\.mlp)\.layers\.0\.", r"\1.proj_in."),
    (r"^(vision_encoder.*\.mlp)\.layers\.1\.", r"\1.proj_out."),
    (r"\.norm(?=[\d._])", ".layer_norm"),
)  # fmt: skip


class Sam2Layout(Layout):
    """A checkpoint file of SAM 2, with the tracker's memory."""

    name = "sam2"
    title = "SAM 2 and MedSAM2 (one .pt file)"
    backend = "sam2"
    marks = ("sam_mask_decoder.", "maskmem_tpos_enc", "image_encoder.trunk.blocks")

    def recognizes(self, checkpoint: Checkpoint) -> bool:
        """By the names of the weights of its only file."""
        if checkpoint.config.get("model_type"):
            return False
        files = weight_files(checkpoint.path)
        return len(files) == 1 and mentioned(files[0], self.marks)

    def conversion(self, checkpoint: Checkpoint) -> Conversion:
        """To `Sam2VideoModel`, its sizes read from the weights."""
        shapes = checkpoint.weights.shapes
        side = image_side(checkpoint)
        recipes = with_shared_parts(rename_all(shapes, RULES))
        return Conversion(
            "Sam2VideoModel",
            _config(shapes, side),
            recipes,
            tracker_processor(side),
            notes=(f"Images are taken in {side} x {side} pixels.",),
        )


def image_side(checkpoint: Checkpoint) -> int:
    """Side of the images in pixels: as the user states it, 512 for MedSAM2, else 1024.

    Raises
    ------
    BackendUnavailable
        If it is no multiple of 16.
    """
    name = checkpoint.weights.files[0].name.lower()
    usual = MEDSAM2_SIDE if "medsam2" in name or "512" in name else SIDE
    side = int(checkpoint.options.get("image_size", usual))
    if side <= 0 or side % 16:
        raise BackendUnavailable(
            f"Images of {side} pixels cannot be divided into patches of 16.",
            "Choose the --image-size of the authors' configuration, such as 512 or 1024.",
        )
    return side


def with_shared_parts(recipes: Mapping[str, Recipe]) -> dict[str, Recipe]:
    """Join the embeddings of points, and repeat the position encoding for images."""
    points = sorted(name for name in recipes if name.startswith(POINTS))
    joined = {name: recipe for name, recipe in recipes.items() if name not in points}
    sources = tuple(recipes[name].sources[0] for name in points)
    joined[f"{POINTS}weight"] = Recipe(sources, stacked_rows)
    joined["shared_image_embedding.positional_embedding"] = recipes[PE]
    return joined


def memory_config(shapes: Shapes, side: int) -> dict[str, Any]:
    """The sizes of memory and decoder, which SAM 2 and EdgeTAM share."""
    decoder, memory = "sam_mask_decoder.", "memory_encoder."
    width = shapes[f"{decoder}iou_token.weight"][1]
    return {
        "image_size": side,
        "num_maskmem": shapes["maskmem_tpos_enc"][0],
        "memory_attention_hidden_size": shapes["memory_attention.norm.weight"][0],
        "memory_attention_num_layers": numbered(shapes, "memory_attention.layers."),
        "memory_attention_rope_feat_sizes": [side // 16, side // 16],
        "memory_encoder_hidden_size": shapes[f"{memory}pix_feat_proj.weight"][0],
        "memory_encoder_output_channels": shapes[f"{memory}out_proj.weight"][0],
        "mask_downsampler_embed_dim": shapes[f"{memory}mask_downsampler.encoder.12.weight"][0],
        "memory_fuser_embed_dim": shapes[f"{memory}fuser.layers.0.dwconv.weight"][0],
        "memory_fuser_intermediate_dim": shapes[f"{memory}fuser.layers.0.pwconv1.weight"][0],
        "memory_fuser_num_layers": numbered(shapes, "memory_encoder.fuser.layers."),
        "enable_temporal_pos_encoding_for_object_pointers": "obj_ptr_tpos_proj.weight" in shapes,
        "enable_occlusion_spatial_embedding": "no_obj_embed_spatial" in shapes,
        "prompt_encoder_config": {
            "hidden_size": width,
            "image_size": side,
            "mask_input_channels": shapes["sam_prompt_encoder.mask_downscaling.3.weight"][0],
        },
        "mask_decoder_config": {
            "hidden_size": width,
            "mlp_dim": shapes[f"{decoder}transformer.layers.0.mlp.layers.0.weight"][0],
            "num_hidden_layers": numbered(shapes, f"{decoder}transformer.layers."),
            "num_multimask_outputs": shapes[f"{decoder}mask_tokens.weight"][0] - 1,
            "iou_head_hidden_dim": shapes[f"{decoder}iou_prediction_head.layers.0.weight"][0],
        },
    }  # fmt: skip


def feature_sizes(side: int) -> list[list[int]]:
    """Rows and columns of the encoder's three feature maps."""
    return [[side // stride] * 2 for stride in (4, 8, 16)]


def tracker_processor(side: int) -> Any:
    """The processor of a tracker of images of a side."""
    import transformers

    size = {"height": side, "width": side}
    masks = {"height": side // 4, "width": side // 4}
    return transformers.Sam2VideoProcessor(
        transformers.Sam2ImageProcessor(size=size, mask_size=masks),
        transformers.Sam2VideoVideoProcessor(size=size),
    )


def _config(shapes: Shapes, side: int) -> Any:
    import transformers

    widths = [shapes[f"{BLOCKS}{n}.attn.proj.weight"][0] for n in range(numbered(shapes, BLOCKS))]
    stages = [(width, len(list(group))) for width, group in groupby(widths)]
    blocks = tuple(count for _, count in stages)
    if blocks not in TRUNKS:
        raise BackendUnavailable(
            f"The image encoder has stages of {', '.join(map(str, blocks))} blocks, which is none "
            "of the published sizes of SAM 2.",
            "Choose a checkpoint of the tiny, small, base+ or large SAM 2.",
        )
    heads, windows, everywhere = TRUNKS[blocks]
    trunk = transformers.Sam2HieraDetConfig(
        hidden_size=widths[0],
        num_attention_heads=heads,
        image_size=[side, side],
        window_positional_embedding_background_size=list(
            shapes["image_encoder.trunk.pos_embed"][2:]
        ),
        blocks_per_stage=list(blocks),
        embed_dim_per_stage=[width for width, _ in stages],
        num_attention_heads_per_stage=[heads * 2**k for k in range(len(stages))],
        window_size_per_stage=list(windows),
        global_attention_blocks=list(everywhere),
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=trunk,
        backbone_channel_list=[width for width, _ in reversed(stages)],
        backbone_feature_sizes=feature_sizes(side),
        fpn_hidden_size=shapes["image_encoder.neck.convs.0.conv.weight"][0],
    )
    return transformers.Sam2VideoConfig(
        vision_config=vision,
        memory_attention_feed_forward_hidden_size=shapes["memory_attention.layers.0.linear1.weight"][0],
        **memory_config(shapes, side),
    )  # fmt: skip
