"""Small FLAIR, BioViL and ConceptCLIP with random weights, in the files of their authors."""

from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from safetensors.torch import save_file
from torchvision.models.resnet import Bottleneck, ResNet

WIDTH, SPACE = 64, 16
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES += [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase), "'"]


def tiny_resnet() -> ResNet:
    """A ResNet with a bottleneck in each of its four layers, whose norms are not neutral."""
    model = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=3).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return model


def places_of(model: ResNet, pixels: torch.Tensor) -> torch.Tensor:
    """Features ``(B, 2048, h, w)`` before they are averaged."""
    x = model.maxpool(model.relu(model.bn1(model.conv1(pixels))))
    return model.layer4(model.layer3(model.layer2(model.layer1(x))))


def tiny_bert() -> hf.BertForMaskedLM:
    config = hf.BertConfig(
        vocab_size=len(PIECES), hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=48, max_position_embeddings=96,
    )  # fmt: skip
    model = hf.BertForMaskedLM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.3)
    return model


def tokens_of(folder: Path, text: str) -> hf.BatchEncoding:
    return hf.BertTokenizer.from_pretrained(folder)([text], return_tensors="pt")


def unit(vectors: torch.Tensor) -> np.ndarray:
    return (vectors / vectors.norm(dim=-1, keepdim=True)).detach().numpy()


def write_vocabulary(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(PIECES))
    return folder


class Flair:
    """FLAIR by its formula."""

    def __init__(self) -> None:
        torch.manual_seed(5)
        self.vision, self.text = tiny_resnet(), tiny_bert()
        self.vision.fc = torch.nn.Identity()
        self.projections = [torch.randn(SPACE, 2048), torch.randn(SPACE, WIDTH)]
        self.scale = torch.tensor(2.5)

    def save(self, folder: Path) -> Path:
        state = {f"vision_model.model.{n}": w for n, w in self.vision.state_dict().items()}
        state |= {f"text_model.model.{n}": w for n, w in self.text.bert.state_dict().items()}
        for tower, weight in zip(("vision", "text"), self.projections, strict=True):
            state[f"{tower}_model.projection_head_{tower}.projection.weight"] = weight
        write_vocabulary(folder)
        config = {"num_attention_heads": 2, "bert_type": "emilyalsentzer/Bio_ClinicalBERT"}
        (folder / "config.json").write_text(json.dumps(config))
        torch.save({**state, "logit_scale": self.scale}, folder / "flair_resnet.pth")
        return folder

    def image_vector(self, square: np.ndarray) -> np.ndarray:
        """Of an image ``(512, 512, 3)``."""
        pixels = torch.tensor(square / 255, dtype=torch.float32).permute(2, 0, 1)[None]
        features = self.vision(pixels)
        return unit(torch.tensor(unit(features)) @ self.projections[0].T)

    def text_vector(self, folder: Path, text: str) -> np.ndarray:
        states = self.text.bert(**tokens_of(folder, text), output_hidden_states=True).hidden_states
        means = [states[number].mean(dim=1) for number in (1, 2, -1)]
        mean = sum(means) / 3
        return unit(torch.tensor(unit(mean)) @ self.projections[1].T)[0]


class BioVil:
    """BioViL by its formula; ``temporal``: BioViL-T without an earlier image."""

    def __init__(self, *, temporal: bool) -> None:
        torch.manual_seed(6)
        self.temporal = temporal
        self.vision, self.text = tiny_resnet(), tiny_bert()
        self.joining, self.absent = torch.randn(8, 2048, 1, 1) / 45, torch.randn(1, 8, 1, 1)
        wide = 16 if temporal else 2048
        nn = torch.nn
        self.projector = nn.Sequential(
            nn.Conv2d(wide, SPACE, 1, bias=False), nn.BatchNorm2d(SPACE), nn.ReLU(),
            nn.Conv2d(SPACE, SPACE, 1),
        ).eval()  # fmt: skip
        self.head = nn.Sequential(
            nn.Linear(WIDTH, SPACE), nn.GELU(), nn.LayerNorm(SPACE, eps=1e-12),
            nn.Linear(SPACE, SPACE),
        )  # fmt: skip

    def save(self, folder: Path) -> Path:
        image = {f"encoder.encoder.{n}": w for n, w in self.vision.state_dict().items()}
        image |= {f"projector.model.{n}": w for n, w in self.projector.state_dict().items()}
        if self.temporal:
            image["encoder.backbone_to_vit.weight"] = self.joining
            image["encoder.missing_previous_emb"] = self.absent
            image["encoder.vit_pooler.norm_post.weight"] = torch.ones(8)
        text = dict(self.text.state_dict())
        names = {"0": "dense_to_hidden", "2": "LayerNorm", "3": "dense_to_output"}
        for name, weight in self.head.state_dict().items():
            text[f"cls_projection_head.{names[name[0]]}{name[1:]}"] = weight
        write_vocabulary(folder)
        torch.save(image, folder / "biovil_image_resnet50_proj_size_128.pt")
        save_file({n: w.clone() for n, w in text.items()}, folder / "model.safetensors")
        config = {
            **self.text.config.to_dict(), "model_type": "cxr-bert",
            "auto_map": {"AutoModel": "modeling_cxrbert.CXRBertModel"},
        }  # fmt: skip
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "modeling_cxrbert.py").write_text("raise RuntimeError('code was run')")
        return folder

    def places(self, grey: np.ndarray) -> torch.Tensor:
        """Of an image ``(side, side)`` of the side that the model sees."""
        pixels = torch.tensor(grey / 255, dtype=torch.float32).expand(1, 3, -1, -1)
        places = places_of(self.vision, pixels)
        if self.temporal:
            joined = torch.einsum("dc,bchw->bdhw", self.joining[..., 0, 0], places)
            places = torch.cat([joined, self.absent.expand_as(joined)], dim=1)
        return self.projector(places)

    def text_vector(self, folder: Path, text: str) -> np.ndarray:
        states = self.text.bert(**tokens_of(folder, text)).last_hidden_state
        return unit(self.head(states[:, 0]))[0]


CONCEPT_CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class ToyConfig(PretrainedConfig):
    model_type = "toy-concept-clip"


class ToyModel(PreTrainedModel):
    config_class = ToyConfig

    def __init__(self, config):
        super().__init__(config)
        self.colours = torch.nn.Linear(3, 4)
        self.words = torch.nn.Embedding(200, 4)
        self.post_init()

    def forward(self, pixel_values=None, input_ids=None, attention_mask=None, token_type_ids=None):
        outputs = {"logit_scale": torch.tensor(4.0), "concept_logit_scale": torch.tensor(6.0)}
        if pixel_values is not None:
            patches = torch.nn.functional.avg_pool2d(pixel_values, 2).flatten(2).transpose(1, 2)
            patches = self.colours(patches)
            outputs |= {"image_features": patches.mean(1), "image_token_features": patches}
        if input_ids is not None:
            read, words = (input_ids != 0).float()[..., None], self.words(input_ids)
            means = (words * read).sum(1) / read.sum(1)
            outputs |= {"text_features": means, "text_token_features": words + means[:, None]}
        return outputs
"""


def save_concept_clip(folder: Path) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A folder with code of its own; its matrix, bias and vectors of pieces."""
    torch.manual_seed(7)
    matrix, bias, words = torch.randn(4, 3), torch.randn(4), torch.randn(200, 4)
    write_vocabulary(folder)
    names = {"AutoConfig": "toy.ToyConfig", "AutoModel": "toy.ToyModel"}
    config = {
        "model_type": "toy-concept-clip", "auto_map": names, "architectures": ["ToyModel"],
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "toy.py").write_text(CONCEPT_CODE)
    state = {"colours.weight": matrix, "colours.bias": bias, "words.weight": words}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    images = hf.CLIPImageProcessor(
        size={"height": 32, "width": 32}, do_center_crop=False,
        image_mean=[0.5] * 3, image_std=[0.5] * 3,
    )  # fmt: skip
    hf.CLIPProcessor(images, hf.BertTokenizer.from_pretrained(folder)).save_pretrained(folder)
    return matrix, bias, words
