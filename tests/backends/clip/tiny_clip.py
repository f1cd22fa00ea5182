"""Small CLIP-like models with random weights, saved as their libraries save them."""

import json
import string

TEXTS = 96
"""Tokens that the models read: letters, here."""


def _spread(model, seed):
    """Weights so far apart that texts and patches differ, and the same every time."""
    import torch

    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1:
                weight.normal_(std=weight.shape[-1] ** -0.5 if weight.ndim == 2 else 0.1)
            elif name.endswith("bias"):
                weight.normal_(std=0.1)
        model.logit_scale.fill_(2.0)
        if getattr(model, "logit_bias", None) is not None:
            model.logit_bias.fill_(-1.5)
    return model.eval()


def letters_tokenizer():
    """One token a letter, with a beginning and an end, made on the fly."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<unk>", "<pad>", "<s>", "</s>"]  # in CLIP the end has the highest number
    vocabulary = {text: k for k, text in enumerate([*string.printable, *special])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    ends = [(text, vocabulary[text]) for text in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=ends)
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    fast_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=TEXTS,
        cls_token="<s>",
        sep_token="</s>",
        **names,
    )
    return fast_tokenizer, len(vocabulary)


def _towers(words, pixels, patch):
    towers = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    text = {
        **towers,
        "vocab_size": words,
        "max_position_embeddings": TEXTS,
        "pad_token_id": words - 3,
        "bos_token_id": words - 2,
        "eos_token_id": words - 1,
    }
    return text, {**towers, "image_size": pixels, "patch_size": patch}


def save_clip(folder, pixels=32, patch=8):
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    tokenizer, words = letters_tokenizer()
    text, vision = _towers(words, pixels, patch)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    _spread(model, 1).save_pretrained(folder)
    image = CLIPImageProcessor(size={"shortest_edge": pixels}, crop_size=pixels)
    CLIPProcessor(image, tokenizer).save_pretrained(folder)
    return folder


def save_siglip(folder, pixels=32, patch=8):
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel, SiglipProcessor

    tokenizer, words = letters_tokenizer()
    text, vision = _towers(words, pixels, patch)
    text["projection_size"] = 32
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    _spread(model, 2).save_pretrained(folder)
    image = SiglipImageProcessor(size={"height": pixels, "width": pixels})
    SiglipProcessor(image, tokenizer).save_pretrained(folder)
    return folder


VIT = {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8}
TIMM = {"timm_model_name": "test_vit", "image_size": 160}
WORDS = {"context_length": TEXTS, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
BERT = {
    "hf_model_name": "somewhere/tiny-bert",
    "hf_tokenizer_name": "somewhere/tiny-bert",
    "hf_proj_type": "mlp",
    "hf_pooler_type": "cls_last_hidden_state_pooler",
    "context_length": TEXTS,
}

OPEN_CLIP = {
    "vit": {"embed_dim": 24, "vision_cfg": VIT, "text_cfg": WORDS},
    # as BiomedCLIP
    "timm": {
        "embed_dim": 24,
        "vision_cfg": {**TIMM, "timm_pool": "", "timm_proj": "linear"},
        "text_cfg": BERT,
    },
    # as SigLIP in open_clip
    "timm_map": {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {**TIMM, "timm_pool": "map", "timm_proj": "none"},
        "text_cfg": WORDS,
    },
    "resnet": {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
        "text_cfg": WORDS,
    },
}


def save_open_clip(folder, kind):
    import open_clip
    from safetensors.torch import save_file
    from transformers import BertConfig

    config = json.loads(json.dumps(OPEN_CLIP[kind]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    text = config["text_cfg"]
    if "hf_model_name" in text:
        tokenizer, words = letters_tokenizer()
        tokenizer.save_pretrained(folder)
        BertConfig(
            vocab_size=words,
            pad_token_id=words - 3,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TEXTS,
        ).save_pretrained(folder)
        text |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
    model = open_clip.create_model(
        f"local-dir:{folder}", load_weights=False, text_cfg=text, pretrained_text=False
    )
    save_file(_spread(model, 3).state_dict(), folder / "open_clip_model.safetensors")
    return folder


def save_all(root):
    """The folder of a small model of each kind."""
    tokenizer = {"clip": save_clip(root / "clip"), "siglip": save_siglip(root / "siglip")}
    return tokenizer | {kind: save_open_clip(root / kind, kind) for kind in OPEN_CLIP}
