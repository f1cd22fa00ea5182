"""Pictures, and what the libraries of CLIP-like models say of them, called by hand."""

import numpy as np
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from napari_medvlm.backends.clip.backend import NEUTRAL, SimilarityBackend
from napari_medvlm.backends.clip.load import load_model
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.volume import Volume, Window

torch.set_num_threads(1)  # models this small only wait for threads on a busy computer

PHRASES = ("left lung", "a mass", "heart", "tube", "effusion at the base", "rib", "0123", "Spine!")
SHAPES = {"square": (40, 40), "portrait": (56, 36), "landscape": (30, 64)}
GREY = Window(128, 256)
KINDS = ["clip", "siglip", "vit", "timm", "timm_map"]


def loaded(folder, volume):
    backend = SimilarityBackend()
    backend.load(str(folder), "cpu")
    backend.set_volume(volume)
    return backend


def go_on(fraction, message=""):
    pass


def axial(size, slices=1, seed=0):
    """Smooth noise, a pixel a millimetre: its axial pictures are its slices."""
    noise = np.random.default_rng(seed).integers(0, 256, (slices, *(n // 4 + 1 for n in size)))
    data = np.kron(noise, np.ones((1, 4, 4)))[:, : size[0], : size[1]]
    return Volume(data.astype(np.uint8), np.eye(4))


def sagittal():
    """An oblique volume with long voxels, and the place of a sagittal slice in it."""
    affine = np.eye(4)
    turn = Rotation.from_euler("xyz", [20, -15, 10], degrees=True).as_matrix()
    affine[:3, :3] = turn * (2.0, 1.0, 1.5)
    data = np.random.default_rng(3).integers(0, 256, (16, 30, 12)).astype(np.uint8)
    return Volume(data, affine), SliceRef(2, 5)


def by_hand_square(pixels):
    height, width = pixels.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    around = ((top, side - height - top), (left, side - width - left), (0, 0))
    return Image.fromarray(np.pad(pixels, around))


# The libraries by hand: vectors of the texts (N, D) and of the patches (h, w, D), not yet of length
# 1. What a block's attention gives for a patch alone is its value path.


def by_hand_clip(folder, picture, texts):
    from transformers import CLIPModel, CLIPProcessor

    model, processor = CLIPModel.from_pretrained(folder), CLIPProcessor.from_pretrained(folder)
    inputs = processor(images=picture, text=texts, padding=True, return_tensors="pt")
    seen = model.vision_model(inputs["pixel_values"], output_hidden_states=True)
    block = model.vision_model.encoder.layers[-1]
    x = seen.hidden_states[-2][0, 1:]
    attention = block.self_attn
    x = x + attention.out_proj(attention.v_proj(block.layer_norm1(x)))
    x = x + block.mlp(block.layer_norm2(x))
    vectors = model.visual_projection(model.vision_model.post_layernorm(x))
    return model(**inputs).text_embeds, vectors.reshape(4, 4, -1), model.logit_scale.exp()


def by_hand_siglip(folder, picture, texts):
    from transformers import SiglipModel, SiglipProcessor

    model, processor = SiglipModel.from_pretrained(folder), SiglipProcessor.from_pretrained(folder)
    inputs = processor(images=picture, text=texts, padding="max_length", return_tensors="pt")
    head, x = model.vision_model.head, model.vision_model(inputs["pixel_values"])[0][0]
    weight, bias = (part.chunk(3)[2] for part in (head.attention.in_proj_weight,
                                                  head.attention.in_proj_bias))  # fmt: skip
    x = head.attention.out_proj(x @ weight.T + bias)
    x = x + head.mlp(head.layernorm(x))
    return model(**inputs).text_embeds, x.reshape(4, 4, -1), model.logit_scale.exp()


def open_clip_by_hand(folder, picture, texts):
    import open_clip

    model = load_model(folder, "cpu")._model  # the library's own, with the text tower's folder
    config = {**model.visual.preprocess_cfg, "resize_mode": "shortest"}
    preprocess = open_clip.transform.image_transform_v2(
        open_clip.transform.PreprocessCfg(**config), is_train=False
    )
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(texts)
    return model, preprocess(picture)[None], model.encode_text(tokens)


def by_hand_vit(folder, picture, texts):
    model, pixels, vectors = open_clip_by_hand(folder, picture, texts)
    visual = model.visual
    blocks = visual.forward_intermediates(pixels, indices=[-2], output_fmt="NLC")
    block, x = visual.transformer.resblocks[-1], blocks["image_intermediates"][0][0]
    weight, bias = (w.chunk(3)[2] for w in (block.attn.in_proj_weight, block.attn.in_proj_bias))
    x = x + block.attn.out_proj(block.ln_1(x) @ weight.T + bias)
    x = x + block.mlp(block.ln_2(x))
    return vectors, (visual.ln_post(x) @ visual.proj).reshape(4, 4, -1), model.logit_scale.exp()


def by_hand_timm(folder, picture, texts):
    model, pixels, vectors = open_clip_by_hand(folder, picture, texts)
    trunk = model.visual.trunk
    x = trunk.forward_intermediates(
        pixels, indices=[len(trunk.blocks) - 2], output_fmt="NLC", intermediates_only=True
    )[0][0]
    block = trunk.blocks[-1]
    attention = block.attn
    x = x + block.ls1(attention.proj(attention.norm(attention.qkv(block.norm1(x)).chunk(3, -1)[2])))
    x = x + block.ls2(block.mlp(block.norm2(x)))
    patches = model.visual.head(trunk.fc_norm(trunk.norm(x)))
    return vectors, patches.reshape(10, 10, -1), model.logit_scale.exp()


def by_hand_timm_map(folder, picture, texts):
    model, pixels, vectors = open_clip_by_hand(folder, picture, texts)
    trunk = model.visual.trunk
    pool, x = trunk.attn_pool, trunk.forward_features(pixels)[0, trunk.num_prefix_tokens :]
    x = pool.proj(pool.kv(x).chunk(2, -1)[1])
    x = x + pool.mlp(pool.norm(x))
    return vectors, trunk.fc_norm(x).reshape(10, 10, -1), model.logit_scale.exp()


BY_HAND = {
    "clip": by_hand_clip,
    "siglip": by_hand_siglip,
    "vit": by_hand_vit,
    "timm": by_hand_timm,
    "timm_map": by_hand_timm_map,
}


def by_hand(kind, folder, pixels, phrases=PHRASES):
    """Values ``(height, width)`` of each phrase on a picture."""
    square = by_hand_square(pixels)
    with torch.no_grad():
        texts, vectors, scale = BY_HAND[kind](folder, square, [*phrases, NEUTRAL])
        cosines = torch.cosine_similarity(vectors[:, :, None], texts, dim=-1)
        pairs = torch.stack([cosines[..., :-1], cosines[..., -1:].expand_as(cosines[..., :-1])])
        values = torch.softmax(scale * pairs, dim=0)[0].permute(2, 0, 1)[None]
        on_square = torch.nn.functional.interpolate(values, size=square.size[::-1], mode="bilinear")
    side, (height, width) = square.size[0], pixels.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    return dict(
        zip(phrases, on_square[0, :, top : top + height, left : left + width].numpy(), strict=True)
    )
