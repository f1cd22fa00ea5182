"""Merlin: findings and phenotypes of an abdominal CT volume.

Blankemeier et al. 2026 (https://arxiv.org/abs/2406.06512). Files and steps:
https://github.com/StanfordMIMI/Merlin, ``merlin/models/build.py``, ``merlin/models/i3res.py``,
``merlin/data/monai_transforms.py``, MIT. A ResNet-152 with convolutions in 3D, a Longformer, and
for the volume a projection to the space of texts and a classifier of phenotypes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.clip.families.inflated_resnet import inflated_resnet
from napari_medvlm.backends.clip.families.towers import file_with, filled, weights_below
from napari_medvlm.backends.clip.vectors import Vectors, text_vectors, unit_vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.backends.clip.zero_shot import ZeroShotClassifier, sigmoid
from napari_medvlm.backends.layouts.bases import base_folder
from napari_medvlm.backends.layouts.weight_files import WeightFiles
from napari_medvlm.data.classification import ClassificationResult, LabelQuery
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.volume import Volume

NAMES = ("encode_image.i3_resnet.contrastive_head.weight", "encode_text.linear_layer.weight")
TEXT_MODEL = "yikuan8/Clinical-Longformer"
"""The hub id of the text encoder, whose configuration and vocabulary are needed."""
SIZE = (224, 224, 160)
"""Voxels along x, y, z that the model sees, from the middle of the volume."""
SPACING_MM = (1.5, 1.5, 3.0)
LOWEST_HU, HIGHEST_HU = -1000.0, 1000.0
LONGEST = 1024
"""Tokens of a text."""
PHENOTYPES = "phenotypes"
"""The label that asks for the likeliest phenotypes; also the stem of the file of their names."""
MOST = 20
_WORDS = re.compile(r"\w+|[^\w\s]+")
NOTE = (
    "Merlin sees 336 x 336 x 480 mm from the middle of the whole volume; region and slices are "
    "not used. Phrases are compared with their negation; phenotypes are those of its classifier."
)


def merlin_file(folder: Path) -> Path | None:
    """The checkpoint of Merlin in a folder."""
    return file_with(folder, *NAMES)


class MerlinModel:
    """Labels of a whole CT volume.

    Parameters
    ----------
    folder
        May have ``phenotypes.csv`` of the authors: a row for each output of the classifier, its
        code and its name, below a heading.
    file
        The checkpoint in it.

    Raises
    ------
    BackendUnavailable
        If weights are missing or do not fit, or the text encoder's files are not there.
    """

    def __init__(self, folder: Path, file: Path, device: str) -> None:
        import transformers

        weights = WeightFiles(file)
        own = (folder / "vocab.json").is_file()
        text = folder if own else base_folder(TEXT_MODEL)
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        self._device = device
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(text, **local)
        config = transformers.LongformerConfig.from_pretrained(text, local_files_only=True)
        encoder = transformers.LongformerModel(config, add_pooling_layer=False)
        state = weights_below(weights, "encode_text.text_encoder.")
        self._text = filled(encoder, state, "text encoder").to(device)
        self._text_head = _linear(weights, "encode_text.linear_layer", device)
        image = "encode_image.i3_resnet"
        self._vision = inflated_resnet(weights_below(weights, f"{image}.")).to(device)
        self._image_head = _linear(weights, f"{image}.contrastive_head", device)
        self._classifier = _linear(weights, f"{image}.classifier", device)
        self._scale = float(np.exp(weights.tensor("logit_scale").item()))
        self._names = _phenotypes(folder / f"{PHENOTYPES}.csv")
        self._seen: tuple[Volume, Any] | None = None

    def label(self, volume: Volume, query: LabelQuery, progress: Progress) -> ClassificationResult:
        """The probabilities of labels for a volume.

        A label that is the name or code of a phenotype has the probability of the classifier;
        ``"phenotypes"`` means the likeliest; any other is judged by `ZeroShotClassifier`.
        """
        progress(0.0, "encoding the volume")
        features = self._features(volume)
        progress(0.9, "comparing with labels")
        phenotypes = self._phenotypes(features, query.labels)
        others = tuple(n for n in query.labels if n not in phenotypes and n != PHENOTYPES)
        images = unit_vectors(lambda: self._image_head(features))
        judge = ZeroShotClassifier(
            images, lambda t: self.encode_text([t])[0], self._scale, None, Wording(("{}",))
        )
        own = LabelQuery(others, query.exclusive, query.descriptors, query.sentences)
        probabilities, descriptors = judge.judge(own) if others else ({}, {})
        return ClassificationResult(
            {**phenotypes, **probabilities}, descriptors, prompts=judge.prompts, notes=(NOTE,)
        )

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors ``(N, D)`` of texts, in lower case and with spaces around punctuation."""

        def vector(text: str) -> Any:
            tokens = self._tokenizer(
                [" ".join(_WORDS.findall(text.lower()))],
                truncation=True, max_length=LONGEST, return_tensors="pt",
            )  # fmt: skip
            return self._text_head(self._text(**tokens.to(self._device)).last_hidden_state[:, 0])

        return text_vectors(texts, vector)

    def _phenotypes(self, features: Any, labels: Sequence[str]) -> dict[str, float]:
        """The probabilities of the labels that are phenotypes, and of the likeliest if asked."""
        import torch

        if not self._names:
            return {}
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._classifier(features)[0].float().cpu().numpy()
        values = sigmoid(logits).tolist()
        if len(values) != len(self._names):
            raise BackendUnavailable(
                f"phenotypes.csv has {len(self._names)} rows for {len(values)} phenotypes.",
                "Use the file of the authors that belongs to the checkpoint.",
            )
        probabilities = {
            label: values[k]
            for label in labels
            for k, names in enumerate(self._names)
            if label.strip().lower() in (name.lower() for name in names)
        }
        if PHENOTYPES in labels:
            order = np.argsort(values)[::-1][:MOST]
            probabilities |= {self._names[k][-1]: values[k] for k in order}
        return probabilities

    def _features(self, volume: Volume) -> Any:
        """Features ``(1, C)`` of a volume; those of the last are stored."""
        import torch

        if self._seen is None or self._seen[0] is not volume:
            with torch.inference_mode():
                pixels = model_input(volume).to(self._device)
                self._seen = (volume, self._vision(pixels))
        return self._seen[1]


def model_input(volume: Volume) -> Any:
    """A volume ``(1, 3, z, x, y)`` as the model sees it, in RAS order, from 0 to 1.

    Raises
    ------
    BackendUnavailable
        If MONAI is not installed.
    """
    try:
        from monai import transforms as t
    except ImportError as error:
        raise BackendUnavailable(
            f"Merlin needs MONAI: {error}.", 'Install it: pip install "napari-medvlm[monai]"'
        ) from error
    from napari_medvlm.backends.automatic.monai_io import tensor_of

    steps = t.Compose(
        [
            t.Orientation(axcodes="RAS", labels=None),
            t.Spacing(pixdim=SPACING_MM, mode="bilinear"),
            t.ScaleIntensityRange(LOWEST_HU, HIGHEST_HU, 0.0, 1.0, clip=True),
            t.SpatialPad(SIZE),
            t.CenterSpatialCrop(SIZE),
        ]
    )
    pixels = steps(tensor_of(volume)).as_tensor().float()
    return pixels.permute(0, 3, 1, 2).expand(3, -1, -1, -1)[None]


def _linear(weights: WeightFiles, name: str, device: str) -> Any:
    """A linear layer; a convolution of one voxel is one."""
    from torch import nn

    weight = weights.tensor(f"{name}.weight").float().flatten(1)
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    state = {"weight": weight, "bias": weights.tensor(f"{name}.bias").float()}
    return filled(layer, state, name).to(device)


def _phenotypes(file: Path) -> tuple[tuple[str, ...], ...]:
    """Code and name of each phenotype; empty if there is no file."""
    if not file.is_file():
        return ()
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.reader(opened))[1:]
    return tuple(tuple(cell.strip() for cell in row[:2]) for row in rows if row)
