"""Published checkpoints, by their files and the shapes of their weights, fit their new models.

The shapes are those of the public code and configurations of LLaVA-Med 1.5, InternVL 2.5 and
MedSAM2. The first two are files without content: only their tables of contents are read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import transformers as hf

from napari_medvlm.backends.layouts.convert import convert, plan
from napari_medvlm.backends.layouts.layout import Checkpoint
from napari_medvlm.backends.sam.sam2 import SAM2Backend
from napari_medvlm.data.errors import BackendUnavailable
from tests.backends.layouts.published_internvl import SPECIAL
from tests.backends.layouts.test_tokenizers import folder_with
from tests.backends.tiny_models import _chat_tokenizer

Shapes = dict[str, tuple[int, ...]]


def empty_file(file: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A safetensors file of weights in half precision whose content takes no space on the disk."""
    table, end = {}, 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        table[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(table).encode()
    with file.open("wb") as opened:
        opened.write(len(header).to_bytes(8, "little") + header)
        opened.truncate(8 + len(header) + end)


def sharded(folder: Path, shapes: Shapes, count: int) -> None:
    """Shards and their index, as transformers saves them."""
    names = sorted(shapes)
    size = -(-len(names) // count)
    weight_map = {}
    for number in range(count):
        own = names[number * size : (number + 1) * size]
        file = f"model-{number + 1:05}-of-{count:05}.safetensors"
        empty_file(folder / file, {name: shapes[name] for name in own})
        weight_map |= dict.fromkeys(own, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Shapes:
    """Weight and bias of a linear layer."""
    weight = {f"{name}.weight": (rows, columns)}
    return {**weight, f"{name}.bias": (rows,)} if bias else weight


def norm(name: str, width: int) -> Shapes:
    """Weight and bias of a normalization."""
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def mlp(name: str, *widths: int) -> Shapes:
    """Numbered linear layers of a perceptron of SAM 2."""
    pairs = zip(widths[1:], widths, strict=False)
    return {
        key: shape
        for number, (rows, columns) in enumerate(pairs)
        for key, shape in linear(f"{name}.layers.{number}", rows, columns).items()
    }


def llava_med() -> Shapes:
    """Mistral 7B, two layers, and CLIP ViT-L/14 for 336 pixels."""
    shapes: Shapes = {
        "model.embed_tokens.weight": (32000, 4096), "lm_head.weight": (32000, 4096),
        "model.norm.weight": (4096,),
        **linear("model.mm_projector.0", 4096, 1024), **linear("model.mm_projector.2", 4096, 4096),
    }  # fmt: skip
    for n in range(32):
        layer = f"model.layers.{n}."
        rows = {"q": 4096, "k": 1024, "v": 1024, "o": 4096}
        shapes |= {f"{layer}self_attn.{k}_proj.weight": (r, 4096) for k, r in rows.items()}
        shapes |= {f"{layer}mlp.{k}_proj.weight": (14336, 4096) for k in ("gate", "up")}
        shapes[f"{layer}mlp.down_proj.weight"] = (4096, 14336)
        shapes |= {f"{layer}{k}_layernorm.weight": (4096,) for k in ("input", "post_attention")}
    tower = "model.vision_tower.vision_tower.vision_model."
    shapes |= {
        f"{tower}embeddings.class_embedding": (1024,),
        f"{tower}embeddings.patch_embedding.weight": (1024, 3, 14, 14),
        f"{tower}embeddings.position_embedding.weight": (577, 1024),
        **norm(f"{tower}pre_layrnorm", 1024), **norm(f"{tower}post_layernorm", 1024),
    }  # fmt: skip
    for n in range(24):
        layer = f"{tower}encoder.layers.{n}."
        for k in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= linear(f"{layer}self_attn.{k}", 1024, 1024)
        shapes |= {**linear(f"{layer}mlp.fc1", 4096, 1024), **linear(f"{layer}mlp.fc2", 1024, 4096)}
        shapes |= {**norm(f"{layer}layer_norm1", 1024), **norm(f"{layer}layer_norm2", 1024)}
    return shapes


def internvl_8b() -> Shapes:
    """InternViT 300M, a projector, and InternLM 2.5 7B."""
    shapes: Shapes = {
        "vision_model.embeddings.class_embedding": (1, 1, 1024),
        "vision_model.embeddings.position_embedding": (1, 1025, 1024),
        "vision_model.embeddings.patch_embedding.weight": (1024, 3, 14, 14),
        "vision_model.embeddings.patch_embedding.bias": (1024,),
        **norm("mlp1.0", 4096), **linear("mlp1.1", 4096, 4096), **linear("mlp1.3", 4096, 4096),
        "language_model.model.tok_embeddings.weight": (92553, 4096),
        "language_model.output.weight": (92553, 4096), "language_model.model.norm.weight": (4096,),
    }  # fmt: skip
    for n in range(24):
        layer = f"vision_model.encoder.layers.{n}."
        shapes |= {
            **linear(f"{layer}attn.qkv", 3072, 1024),
            **linear(f"{layer}attn.proj", 1024, 1024),
        }
        shapes |= {**linear(f"{layer}mlp.fc1", 4096, 1024), **linear(f"{layer}mlp.fc2", 1024, 4096)}
        shapes |= {**norm(f"{layer}norm1", 1024), **norm(f"{layer}norm2", 1024)}
        shapes |= {f"{layer}ls1": (1024,), f"{layer}ls2": (1024,)}
    for n in range(32):
        layer = f"language_model.model.layers.{n}."
        shapes |= {
            f"{layer}attention.wqkv.weight": (6144, 4096),
            f"{layer}attention.wo.weight": (4096, 4096),
            f"{layer}feed_forward.w1.weight": (14336, 4096),
            f"{layer}feed_forward.w2.weight": (4096, 14336),
            f"{layer}feed_forward.w3.weight": (14336, 4096),
            f"{layer}attention_norm.weight": (4096,), f"{layer}ffn_norm.weight": (4096,),
        }  # fmt: skip
    return shapes


def attention(name: str, width: int, inner: int, keys: int = 0) -> Shapes:
    """Projections of an attention of SAM 2."""
    columns = keys or width
    return {
        **linear(f"{name}.q_proj", inner, width), **linear(f"{name}.k_proj", inner, columns),
        **linear(f"{name}.v_proj", inner, columns), **linear(f"{name}.out_proj", width, inner),
    }  # fmt: skip


def medsam2_encoder() -> Shapes:
    """Hiera tiny and its neck."""
    shapes: Shapes = {
        "image_encoder.trunk.pos_embed": (1, 96, 7, 7),
        "image_encoder.trunk.pos_embed_window": (1, 96, 8, 8),
        "image_encoder.trunk.patch_embed.proj.weight": (96, 3, 7, 7),
        "image_encoder.trunk.patch_embed.proj.bias": (96,),
    }
    widths = [96, 192, 192, *[384] * 7, 768, 768]
    before = 96
    for n, width in enumerate(widths):
        block = f"image_encoder.trunk.blocks.{n}"
        shapes |= {**norm(f"{block}.norm1", before), **norm(f"{block}.norm2", width)}
        shapes |= linear(f"{block}.attn.qkv", 3 * width, before)
        shapes |= linear(f"{block}.attn.proj", width, width)
        shapes |= mlp(f"{block}.mlp", width, 4 * width, width)
        if before != width:
            shapes |= linear(f"{block}.proj", width, before)
        before = width
    for n, width in enumerate((768, 384, 192, 96)):
        neck = f"image_encoder.neck.convs.{n}.conv"
        shapes |= {f"{neck}.weight": (256, width, 1, 1), f"{neck}.bias": (256,)}
    return shapes


def medsam2_memory() -> Shapes:
    """Memory attention and memory encoder of SAM 2.1."""
    shapes: Shapes = {
        "maskmem_tpos_enc": (7, 1, 1, 64), "no_mem_embed": (1, 1, 256),
        "no_mem_pos_enc": (1, 1, 256), "no_obj_ptr": (1, 256), "no_obj_embed_spatial": (1, 64),
        "mask_downsample.weight": (1, 1, 4, 4), "mask_downsample.bias": (1,),
        **mlp("obj_ptr_proj", 256, 256, 256, 256), **linear("obj_ptr_tpos_proj", 64, 256),
        **norm("memory_attention.norm", 256),
        "memory_encoder.pix_feat_proj.weight": (256, 256, 1, 1),
        "memory_encoder.pix_feat_proj.bias": (256,),
        "memory_encoder.out_proj.weight": (64, 256, 1, 1), "memory_encoder.out_proj.bias": (64,),
    }  # fmt: skip
    for n in range(4):
        layer = f"memory_attention.layers.{n}"
        shapes |= attention(f"{layer}.self_attn", 256, 256)
        shapes |= attention(f"{layer}.cross_attn_image", 256, 256, 64)
        shapes |= {**linear(f"{layer}.linear1", 2048, 256), **linear(f"{layer}.linear2", 256, 2048)}
        for k in (1, 2, 3):
            shapes |= norm(f"{layer}.norm{k}", 256)
    steps = (1, 4, 16, 64, 256)
    for n in range(4):
        down = f"memory_encoder.mask_downsampler.encoder.{3 * n}"
        shapes |= {
            f"{down}.weight": (steps[n + 1], steps[n], 3, 3),
            f"{down}.bias": (steps[n + 1],),
        }
        shapes |= norm(f"memory_encoder.mask_downsampler.encoder.{3 * n + 1}", steps[n + 1])
    last = "memory_encoder.mask_downsampler.encoder.12"
    shapes |= {f"{last}.weight": (256, 256, 1, 1), f"{last}.bias": (256,)}
    for n in range(2):
        layer = f"memory_encoder.fuser.layers.{n}"
        shapes |= {f"{layer}.dwconv.weight": (256, 1, 7, 7), f"{layer}.dwconv.bias": (256,)}
        shapes |= {**norm(f"{layer}.norm", 256), f"{layer}.gamma": (256,)}
        shapes |= {**linear(f"{layer}.pwconv1", 1024, 256), **linear(f"{layer}.pwconv2", 256, 1024)}
    return shapes


def medsam2_decoder() -> Shapes:
    """Prompt encoder and mask decoder of SAM 2.1."""
    prompts, decoder = "sam_prompt_encoder.", "sam_mask_decoder."
    shapes: Shapes = {f"{prompts}pe_layer.positional_encoding_gaussian_matrix": (2, 128)}
    shapes |= {f"{prompts}point_embeddings.{n}.weight": (1, 256) for n in range(4)}
    shapes |= {f"{prompts}{k}.weight": (1, 256) for k in ("not_a_point_embed", "no_mask_embed")}
    for n, shape in {0: (4, 1, 2, 2), 3: (16, 4, 2, 2), 6: (256, 16, 1, 1)}.items():
        down = f"{prompts}mask_downscaling.{n}"
        shapes |= {f"{down}.weight": shape, f"{down}.bias": shape[:1]}
    shapes |= {
        **norm(f"{prompts}mask_downscaling.1", 4),
        **norm(f"{prompts}mask_downscaling.4", 16),
    }
    shapes |= {
        f"{decoder}iou_token.weight": (1, 256), f"{decoder}mask_tokens.weight": (4, 256),
        f"{decoder}obj_score_token.weight": (1, 256),
        f"{decoder}output_upscaling.0.weight": (256, 64, 2, 2),
        f"{decoder}output_upscaling.0.bias": (64,), **norm(f"{decoder}output_upscaling.1", 64),
        f"{decoder}output_upscaling.3.weight": (64, 32, 2, 2),
        f"{decoder}output_upscaling.3.bias": (32,),
        f"{decoder}conv_s0.weight": (32, 256, 1, 1), f"{decoder}conv_s0.bias": (32,),
        f"{decoder}conv_s1.weight": (64, 256, 1, 1), f"{decoder}conv_s1.bias": (64,),
        **mlp(f"{decoder}iou_prediction_head", 256, 256, 256, 4),
        **mlp(f"{decoder}pred_obj_score_head", 256, 256, 256, 1),
    }  # fmt: skip
    for n in range(4):
        shapes |= mlp(f"{decoder}output_hypernetworks_mlps.{n}", 256, 256, 256, 32)
    for n in range(2):
        layer = f"{decoder}transformer.layers.{n}"
        shapes |= attention(f"{layer}.self_attn", 256, 256)
        shapes |= attention(f"{layer}.cross_attn_token_to_image", 256, 128)
        shapes |= attention(f"{layer}.cross_attn_image_to_token", 256, 128)
        shapes |= mlp(f"{layer}.mlp", 256, 2048, 256)
        for k in (1, 2, 3, 4):
            shapes |= norm(f"{layer}.norm{k}", 256)
    shapes |= attention(f"{decoder}transformer.final_attn_token_to_image", 256, 128)
    return {**shapes, **norm(f"{decoder}transformer.norm_final_attn", 256)}


def test_llava_med_fits(tmp_path):
    folder = folder_with(tmp_path / "llava-med-v1.5-mistral-7b")
    config = {
        "architectures": ["LlavaMistralForCausalLM"], "model_type": "llava_mistral",
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000,
        "max_position_embeddings": 32768, "rope_theta": 1000000.0, "sliding_window": None,
        "image_aspect_ratio": "pad", "mm_projector_type": "mlp2x_gelu", "mm_hidden_size": 1024,
        "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch",
        "mm_vision_tower": "openai/clip-vit-large-patch14-336", "mm_use_im_start_end": False,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    sharded(folder, llava_med(), 4)
    _, conversion = plan(Checkpoint(folder))
    vision = conversion.config.vision_config
    assert (vision.image_size, vision.num_attention_heads, vision.patch_size) == (336, 16, 14)
    assert conversion.config.text_config.rope_parameters["rope_theta"] == 1e6
    assert conversion.config.image_seq_length == 576
    assert conversion.config.image_token_id == 32000
    next(folder.glob("*-00003-of-*")).unlink()
    with pytest.raises(BackendUnavailable, match="lacks 1 of 4 files"):
        plan(Checkpoint(folder))


def test_internvl_of_8_billion_fits(tmp_path):
    folder = tmp_path / "InternVL2_5-8B"
    _chat_tokenizer(SPECIAL).save_pretrained(folder)
    llm = {
        "architectures": ["InternLM2ForCausalLM"], "hidden_size": 4096, "bias": False,
        "intermediate_size": 14336, "num_attention_heads": 32, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "vocab_size": 92553, "rope_theta": 1000000, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 32768, "rope_scaling": {"factor": 2.0, "type": "dynamic"},
        "tie_word_embeddings": False, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 2,
    }  # fmt: skip
    vision = {
        "hidden_size": 1024, "image_size": 448, "intermediate_size": 4096, "patch_size": 14,
        "norm_type": "layer_norm", "num_attention_heads": 16, "num_hidden_layers": 24,
        "qk_normalization": False, "qkv_bias": True, "layer_norm_eps": 1e-6,
    }  # fmt: skip
    config = {
        "architectures": ["InternVLChatModel"], "model_type": "internvl_chat", "llm_config": llm,
        "vision_config": vision, "downsample_ratio": 0.5, "force_image_size": 448,
        "ps_version": "v2", "select_layer": -1, "max_dynamic_patch": 12,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    sharded(folder, internvl_8b(), 4)
    _, conversion = plan(Checkpoint(folder))
    assert conversion.config.image_seq_length == 256
    rope = conversion.config.text_config.rope_parameters
    assert (rope["rope_type"], rope["factor"], rope["rope_theta"]) == ("dynamic", 2.0, 1e6)


def test_medsam2_is_converted_and_loaded(tmp_path):
    shapes = {**medsam2_encoder(), **medsam2_memory(), **medsam2_decoder()}
    assert sum(map(math.prod, shapes.values())) == pytest.approx(38.9e6, rel=0.01)
    torch.manual_seed(15)
    torch.save(
        {"model": {n: torch.randn(s) * 0.02 for n, s in shapes.items()}},
        tmp_path / "MedSAM2_latest.pt",
    )
    folder = convert(tmp_path / "MedSAM2_latest.pt").folder
    backend = SAM2Backend()
    backend.load(str(folder), "cpu")
    assert isinstance(backend._loaded.model, hf.Sam2VideoModel)
    assert backend._loaded.model.config.image_size == 512
