"""Folders of tiny models that bring their own code, as their authors publish them."""

from __future__ import annotations

import json

from tests.backends.tiny_models import word_tokenizer

CONFIGURATION = """
from transformers import PretrainedConfig

class ToyConfig(PretrainedConfig):
    model_type = "toy_sees"
"""
MODELING = """
import os
import numpy as np
import torch
from transformers import PreTrainedModel
from .configuration_toy import ToyConfig

with open({log!r}, "a") as file:
    file.write(f"{{os.getpid()}}\\n")

class Toy(PreTrainedModel):
    # no `post_init`, and values in no file, as in code for transformers 4

    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Linear(3, 1)
        self.register_buffer("positions", torch.arange(4.0), persistent=False)
        self.frequencies = torch.arange(3.0)

    def forward(self, x):
        return self.layer(x)
{method}
"""
CHAT = """
    def chat(self, tokenizer, pixel_values, question, generation_config, num_patches_list=None):
        self(torch.zeros(1, 3))
        assert self.positions.tolist() == [0, 1, 2, 3]
        assert self.frequencies.tolist() == [0, 1, 2]
        shape = tuple(pixel_values.shape)
        last = question.splitlines()[-1]
        images = question.count("<image>")
        return f"Yes. I saw {num_patches_list} of {shape} in {images}: {last}<|im_end|>"
"""
SEGMENT = """
    def predict_forward(
        self, image=None, video=None, text=None, past_text="", mask_prompts=None, tokenizer=None
    ):
        assert text.startswith("<image>")
        frames = np.stack([np.asarray(shown)[..., 0] for shown in video or [image]])
        self.asked = text
        return {
            "prediction": "There is <p>bright tissue</p> [SEG]. "
            "And <p>the dark</p> [SEG].<|im_end|>",
            "prediction_masks": [frames > 200, frames < 80],
        }
"""


def write_model(folder, log, method):
    """A model whose code notes the process that imports it in a file."""
    from safetensors.torch import save_file
    from torch import ones

    folder.mkdir(parents=True)
    (folder / "configuration_toy.py").write_text(CONFIGURATION)
    (folder / "modeling_toy.py").write_text(MODELING.format(log=str(log), method=method))
    config = {
        "model_type": "toy_sees", "architectures": ["Toy"], "force_image_size": 28,
        "max_dynamic_patch": 4, "use_thumbnail": True,
        "auto_map": {
            "AutoConfig": "configuration_toy.ToyConfig", "AutoModelForCausalLM": "modeling_toy.Toy",
        },
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    weights = {"layer.weight": ones(1, 3), "layer.bias": ones(1)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    word_tokenizer(["<unk>", "<|im_end|>"], eos_token="<|im_end|>").save_pretrained(folder)
    return folder
