"""A small MAIRA-2 in the layout of microsoft/maira-2: its names of weights, files and code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers as hf

from tests.backends.tiny_models import word_tokenizer

SIDE, PATCH, IMAGE = 28, 14, 4
"""Pixels of an image and of a patch, and the number of the token of an image."""
PATCHES = (SIDE // PATCH) ** 2
MEAN, SPREAD = 0.5307, 0.2583
TEMPLATE = (
    "You are an expert radiology assistant tasked with interpreting a chest X-ray study. "
    "{% for m in messages %} USER: {% for c in m.content %}{% if c.type == 'image' %}<image>"
    "{% else %}{{ c.text }}{% endif %}{% endfor %} {% endfor %} ASSISTANT: "
)
CODE = "open({log!r}, 'w')\nraise RuntimeError('code of the folder runs')\n"


class Parts:
    """The tower, the projector and the language model of a MAIRA-2, each by itself."""

    def __init__(self, vocabulary: int) -> None:
        torch.manual_seed(21)
        self.vision = hf.Dinov2Config(
            hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
            patch_size=PATCH, mlp_ratio=2, out_features=["stage2"], apply_layernorm=True,
            reshape_hidden_states=False,
        )  # fmt: skip
        self.text = hf.LlamaConfig(
            vocab_size=vocabulary, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=3,
        )  # fmt: skip
        self.tower = hf.Dinov2Backbone(self.vision).eval()
        layers: list[torch.nn.Module] = [torch.nn.Linear(16, 32)]
        for _ in range(3):
            layers += [torch.nn.GELU(), torch.nn.Linear(32, 32)]
        self.projector = torch.nn.Sequential(*layers)
        self.language = hf.LlamaForCausalLM(self.text).eval()
        with torch.no_grad():
            for part in (self.tower, self.projector, self.language):
                for weights in part.parameters():
                    if weights.dim() > 1:
                        weights.normal_(0, weights[0].numel() ** -0.5)

    def state(self) -> dict[str, torch.Tensor]:
        """The weights by their published names."""
        named = {
            "vision_tower.": self.tower, "multi_modal_projector.layers.": self.projector,
            "language_model.": self.language,
        }  # fmt: skip
        return {
            f"{prefix}{name}": weight.clone()
            for prefix, part in named.items()
            for name, weight in part.state_dict().items()
        }

    @torch.inference_mode()
    def tokens(self, pixels: torch.Tensor, ids: torch.Tensor, longest: int) -> list[int]:
        """What the parts write: the feature map projected in place of the tokens of the image."""
        features = self.projector(self.tower(pixels).feature_maps[-1][:, 1:])
        embedded = self.language.get_input_embeddings()(ids)
        embedded[0, ids[0] == IMAGE] = features[0]
        out = self.language.generate(
            inputs_embeds=embedded, attention_mask=torch.ones_like(ids), do_sample=False,
            max_new_tokens=longest,
        )  # fmt: skip
        return list(map(int, out[0]))


def tokenizer() -> hf.PreTrainedTokenizerFast:
    """A tokenizer with the tokens of boxes, and LLaMA's beginning of a text."""
    bins = [f"<{axis}{number}>" for axis in "xy" for number in range(100)]
    return word_tokenizer(
        ["<unk>", "<s>", "</s>", "<pad>", "<image>"],
        more=["<obj>", "</obj>", "<box>", "</box>", *bins],
        bos_token="<s>", eos_token="</s>", pad_token="<pad>",
    )  # fmt: skip


def maira2(folder: Path, log: Path) -> Parts:
    """Write the folder; its Python files would create ``log``."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    words = tokenizer()
    words.save_pretrained(folder)
    parts = Parts(len(words))
    save_file(parts.state(), folder / "model.safetensors", {"format": "pt"})
    for name in ("configuration", "modeling", "processing"):
        (folder / f"{name}_maira2.py").write_text(CODE.format(log=str(log)), "utf-8")
    processor = {"AutoProcessor": "processing_maira2.Maira2Processor"}
    files: dict[str, dict[str, Any]] = {
        "config": {
            "model_type": "maira2", "architectures": ["Maira2ForConditionalGeneration"],
            "auto_map": {
                "AutoConfig": "configuration_maira2.Maira2Config",
                "AutoModelForCausalLM": "modeling_maira2.Maira2ForConditionalGeneration",
            },
            "image_token_index": IMAGE, "image_seq_length": PATCHES, "projector_hidden_act": "gelu",
            "projector_n_layers": 4, "multimodal_projector_bias": True, "vision_feature_layer": -1,
            "vision_feature_select_strategy": "default", "pad_token_id": 3, "hidden_size": 32,
            "text_config": parts.text.to_dict(), "vision_config": parts.vision.to_dict(),
            "torch_dtype": "float32",
        },
        "chat_template": {"chat_template": TEMPLATE},
        "processor_config": {
            "auto_map": processor, "box_end_token": "</box>", "box_start_token": "<box>",
            "image_token": "<image>", "num_box_coord_bins": 100, "patch_size": PATCH,
            "phrase_end_token": "</obj>", "phrase_start_token": "<obj>",
            "processor_class": "Maira2Processor", "vision_feature_select_strategy": "default",
        },
        "preprocessor_config": {
            "auto_map": processor, "image_processor_type": "BitImageProcessor",
            "processor_class": "Maira2Processor", "size": {"shortest_edge": SIDE},
            "crop_size": {"height": SIDE, "width": SIDE}, "do_center_crop": True,
            "image_mean": [MEAN] * 3, "image_std": [SPREAD] * 3, "resample": 3,
        },
        "generation_config": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3},
    }  # fmt: skip
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, default=str), "utf-8")
    return parts
