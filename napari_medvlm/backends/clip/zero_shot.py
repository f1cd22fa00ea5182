"""Zero-shot classification from image and text vectors, independent of model and volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_medvlm.data.classification import LabelQuery, combined
from napari_medvlm.language.yaml_tables import HERE, YamlTable, read

Vectors = NDArray[np.float32]

TEMPLATES = ("a medical image of {}", "a medical image showing {}", "this is a picture of {}")
"""A label's vector is the mean of these, as in Radford et al. 2021."""

PRESENT, ABSENT = "there is {}", "there is no {}"

DESCRIBED, NOT_DESCRIBED = "there is {} indicating {}", "there is no {} indicating {}"
"""The pair for a descriptor and its label, after Xplainer, in the singular."""


def sigmoid(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The logistic function, for values of any size."""
    result: NDArray[np.floating] = 0.5 * (1 + np.tanh(0.5 * values))
    return result


@dataclass(frozen=True, eq=False)
class ZeroShotClassifier:
    """Judges labels by pictures.

    Labels that exclude each other: softmax over them. Else each against its absence (softmax over
    the two); by models whose logits are probabilities of their own (SigLIP), that. A label with
    descriptors is judged by them as in Xplainer (Pellegrini et al. 2023,
    https://arxiv.org/abs/2303.13391): each against its absence, averaged over the pictures, then
    combined by `napari_medvlm.data.classification.combined`. Xplainer divides cosines by 0.5;
    here they are multiplied by the model's own scale, as all else is. If some of the labels
    that exclude each other have descriptors, all are judged one by one, then divided by their sum.

    Parameters
    ----------
    images
        Unit vectors ``(pictures, D)``.
    vector
        Gives the unit vector ``(D,)`` of a text.
    scale, bias
        As `napari_medvlm.backends.clip.models.ClipModel` has them.
    prompts
        The texts that were compared, one a line, for each label, and each ``label: descriptor``.
    """

    images: Vectors
    vector: Callable[[str], Vectors]
    scale: float
    bias: float | None
    prompts: dict[str, str] = field(default_factory=dict)

    def judge(
        self, query: LabelQuery
    ) -> tuple[Mapping[str, float], Mapping[str, Mapping[str, float]]]:
        """The probabilities of the labels, and of the descriptors of those that have some."""
        labels = tuple(dict.fromkeys(name for name in query.labels if name.strip()))
        described = {
            name: {d: self._descriptor(name, d) for d in query.descriptors[name]}
            for name in labels
            if query.descriptors.get(name)
        }
        if query.exclusive and not described:
            return self._exclusive(labels), {}
        all_probabilities = {
            name: combined(described[name]) if name in described else self._alone(name)
            for name in labels
        }
        probabilities = {name: p for name, p in all_probabilities.items() if p is not None}
        if query.exclusive:
            total = max(sum(probabilities.values()), 1e-12)
            probabilities = {name: p / total for name, p in probabilities.items()}
        return probabilities, described

    def _exclusive(self, labels: Sequence[str]) -> dict[str, float]:
        vectors = np.stack([self._of_templates(name) for name in labels])
        logits = self.scale * (self.images @ vectors.T)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0)
        return dict(zip(labels, shares.tolist(), strict=True))

    def _alone(self, label: str) -> float:
        if self.bias is not None:
            logits = self.scale * (self.images @ self._of_templates(label)) + self.bias
            return float(sigmoid(logits).mean())
        return self._pair(label, PRESENT.format(label), ABSENT.format(label))

    def _descriptor(self, label: str, descriptor: str) -> float:
        texts = (text.format(descriptor, label) for text in (DESCRIBED, NOT_DESCRIBED))
        return self._pair(f"{label}: {descriptor}", *texts)

    def _pair(self, name: str, present: str, absent: str) -> float:
        self.prompts[name] = f"{present}\n{absent}"
        difference = self.vector(present) - self.vector(absent)
        return float(sigmoid(self.scale * (self.images @ difference)).mean())

    def _of_templates(self, label: str) -> Vectors:
        texts = [template.format(label) for template in TEMPLATES]
        self.prompts[label] = "\n".join(texts)
        mean = np.mean([self.vector(text) for text in texts], axis=0)
        result: Vectors = mean / np.linalg.norm(mean)
        return result


class _Sheet(YamlTable):
    descriptors: dict[str, Annotated[list[str], Field(min_length=1)]] = {}


def load_descriptors(path: Path | None = None) -> Mapping[str, tuple[str, ...]]:
    """The descriptors of each finding, for `napari_medvlm.data.classification.LabelQuery`.

    Parameters
    ----------
    path
        A file of one's own; `None`: the table that comes with the package.

    Raises
    ------
    SettingsError
        The file cannot be read; the line is named.
    """
    sheet = read(path or HERE / "descriptors.yaml", _Sheet)
    return {finding: tuple(texts) for finding, texts in sheet.descriptors.items()}
