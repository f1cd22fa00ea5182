"""Towers of torchvision and transformers, built to fit the weights of a checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medvlm.backends.layouts.weight_files import SUFFIXES, WeightFiles, mentioned
from napari_medvlm.data.errors import DAMAGED, BackendUnavailable

if TYPE_CHECKING:
    import torch

    State = dict[str, torch.Tensor]

HEAD_WIDTH = 64
"""Width of an attention head in BERT of any size."""
BERT_KEYS = ("num_attention_heads", "hidden_act", "layer_norm_eps", "type_vocab_size")
"""What a configuration states that weights do not show."""


def file_with(folder: Path, *names: str) -> Path | None:
    """The file of weights in a folder whose contents name all of some weights."""
    files = sorted(f for f in folder.iterdir() if f.suffix in SUFFIXES and f.is_file())
    return next((file for file in files if mentioned(file, names)), None)


def weights_below(weights: WeightFiles, prefix: str) -> State:
    """The weights whose names begin with a prefix, by the rest of their names, in float32."""
    return {
        name.removeprefix(prefix): weights.tensor(name).float()
        for name in weights.shapes
        if name.startswith(prefix)
    }


def filled(module: Any, state: Mapping[str, Any], part: str) -> Any:
    """A module with weights, for use without training.

    Parameters
    ----------
    part
        What it is, for the message.

    Raises
    ------
    BackendUnavailable
        If a weight is missing or of another shape.
    """
    try:
        missing = module.load_state_dict(dict(state), strict=False).missing_keys
    except RuntimeError as error:
        raise _other_model(part, str(error).splitlines()[-1].strip()) from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing:
        raise _other_model(part, f"{len(missing)} weights are missing, the first {missing[0]}")
    return module.eval()


def resnet(state: State) -> Any:
    """The layers of a ResNet with bottlenecks: images ``(B, 3, H, W)`` to ``(B, 2048, h, w)``.

    Parameters
    ----------
    state
        Under the names of torchvision.
    """
    from torch import nn
    from torchvision.models.resnet import (  # type: ignore[import-untyped]  # it has no types
        Bottleneck,
        ResNet,
    )

    counts = [count_of(state, rf"layer{n}\.(\d+)\.") for n in (1, 2, 3, 4)]
    network = ResNet(Bottleneck, counts)
    network.fc = nn.Identity()
    filled(network, state, "image encoder")
    names = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    return nn.Sequential(*(getattr(network, name) for name in names))


def bert(state: State, folder: Path) -> Any:
    """A BERT without pooling.

    Parameters
    ----------
    state
        Under the names of `transformers.BertModel`.
    folder
        Its ``config.json`` may state what weights do not show; else it is as in BERT.
    """
    import transformers

    words, width = state["embeddings.word_embeddings.weight"].shape
    options = {"num_attention_heads": max(width // HEAD_WIDTH, 1), **_stated(folder)}
    config = transformers.BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=count_of(state, r"encoder\.layer\.(\d+)\."),
        intermediate_size=len(state["encoder.layer.0.intermediate.dense.weight"]),
        max_position_embeddings=len(state["embeddings.position_embeddings.weight"]),
        **options,
    )
    return filled(transformers.BertModel(config, add_pooling_layer=False), state, "text encoder")


def word_pieces(folder: Path) -> Any:
    """The tokenizer of BERT in a folder with ``vocab.txt``.

    Raises
    ------
    BackendUnavailable
        If it is not there.
    """
    import transformers

    if not (folder / "vocab.txt").is_file():
        raise BackendUnavailable(
            f"There is no vocab.txt in {folder}.",
            "Put the file vocab.txt of the model's text encoder into the folder.",
        )
    return transformers.BertTokenizer.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )


def count_of(state: Mapping[str, Any], pattern: str) -> int:
    """How many parts of a pattern's number there are."""
    numbers = (re.match(pattern, name) for name in state)
    return 1 + max((int(m.group(1)) for m in numbers if m), default=-1)


def _stated(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return {key: config[key] for key in BERT_KEYS if key in config}
    except DAMAGED:
        return {}


def _other_model(part: str, problem: str) -> BackendUnavailable:
    return BackendUnavailable(
        f"The weights do not fit the {part}: {problem[:200]}.",
        "Choose the checkpoint that the authors publish, downloaded in full.",
    )
