"""Zero-shot classification from image and text vectors, independent of model and volume."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_medvlm.backends.clip.vectors import Vectors
from napari_medvlm.backends.clip.wording import Wording
from napari_medvlm.data.classification import LabelQuery, combined

PRESENT, ABSENT = "there is {}", "there is no {}"

NO_FINDING = "no finding"
"""A label that is as likely as all that have descriptors are unlikely, as in Xplainer."""


def sigmoid(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """The logistic function, for values of any size."""
    result: NDArray[np.floating] = 0.5 * (1 + np.tanh(0.5 * values))
    return result


class LocalScores(Protocol):
    """How near the parts of images are to texts."""

    def label_logits(self, labels: Sequence[str], templates: Sequence[str]) -> Vectors:
        """For each image and label ``(images, labels)``; templates are sentences with ``{}``."""

    def pair_logits(self, present: str, absent: str) -> Vectors:
        """For each image ``(images,)``, of the first of two sentences less the second."""


@dataclass(frozen=True, eq=False)
class ZeroShotClassifier:
    """Judges labels by images.

    Labels that exclude each other: softmax over them. Else each against its absence (softmax over
    the two); by models whose logits are probabilities of their own (SigLIP), that. A label with
    descriptors is judged by them as in Xplainer (Pellegrini et al. 2023,
    https://arxiv.org/abs/2303.13391): each against its absence, averaged over the images, then
    combined by `napari_medvlm.data.classification.combined`; "no finding" is then 1 less the
    highest of them. Xplainer divides cosines by 0.5, as is done here for its model, BioViL; with
    others they are multiplied by the model's own scale, as all else is. If some of the labels
    that exclude each other have descriptors, all are judged one by one, then divided by their sum;
    but a model whose wording is averaged compares the mean vector of each label's descriptors.
    Of a model with local scores (ConceptCLIP), each probability is the mean of that of the whole
    images and that of their parts.

    Parameters
    ----------
    images
        Unit vectors ``(images, D)``.
    vector
        Gives the unit vector ``(D,)`` of a text.
    scale, bias
        As `napari_medvlm.backends.clip.models.ClipModel` has them.
    wording
        The texts that the model is asked by.
    local
        Scores of parts of the images; `None`: only whole images are judged.
    prompts
        The texts that were compared, one per line, for each label, and each ``label: descriptor``.
    """

    images: Vectors
    vector: Callable[[str], Vectors]
    scale: float
    bias: float | None
    wording: Wording = field(default_factory=Wording)
    local: LocalScores | None = None
    prompts: dict[str, str] = field(default_factory=dict)

    def judge(
        self, query: LabelQuery
    ) -> tuple[Mapping[str, float], Mapping[str, Mapping[str, float]]]:
        """The probabilities of the labels, and of the descriptors of those that have some."""
        labels = tuple(dict.fromkeys(name for name in query.labels if name.strip()))
        with_descriptors = [name for name in labels if query.descriptors.get(name)]
        if query.exclusive and (self.wording.averaged or not with_descriptors):
            return self._exclusive(labels, query.descriptors), {}
        described = {
            name: {d: self._descriptor(query, name, d) for d in query.descriptors[name]}
            for name in with_descriptors
        }
        findings = {name: combined(own) for name, own in described.items()}
        likeliest = max((p for p in findings.values() if p is not None), default=None)
        all_probabilities = {
            name: findings[name] if name in findings else self._alone(name, likeliest)
            for name in labels
        }
        probabilities = {name: p for name, p in all_probabilities.items() if p is not None}
        if query.exclusive:
            total = max(sum(probabilities.values()), 1e-12)
            probabilities = {name: p / total for name, p in probabilities.items()}
        return probabilities, described

    def _exclusive(
        self, labels: Sequence[str], descriptors: Mapping[str, tuple[str, ...]]
    ) -> dict[str, float]:
        vectors = np.stack([self._of_templates(n, descriptors.get(n, ())) for n in labels])
        shares = _softmax(self.scale * (self.images @ vectors.T))
        if self.local is not None:
            local = self.local.label_logits(labels, self.wording.templates)
            shares = (shares + _softmax(local)) / 2
        return dict(zip(labels, shares.mean(axis=0).tolist(), strict=True))

    def _alone(self, label: str, likeliest: float | None) -> float:
        """A label without descriptors, with the likeliest of those that have some."""
        if likeliest is not None and label.strip().lower() == NO_FINDING:
            return 1 - likeliest
        if self.bias is not None:
            logits = self.scale * (self.images @ self._of_templates(label)) + self.bias
            return float(sigmoid(logits).mean())
        return self._pair(label, PRESENT.format(label), ABSENT.format(label))

    def _descriptor(self, query: LabelQuery, label: str, descriptor: str) -> float:
        texts = (text.format(descriptor, label) for text in query.sentences)
        return self._pair(f"{label}: {descriptor}", *texts)

    def _pair(self, name: str, present: str, absent: str) -> float:
        self.prompts[name] = f"{present}\n{absent}"
        difference = self.vector(present) - self.vector(absent)
        probabilities = sigmoid(self.scale * (self.images @ difference))
        if self.local is not None:
            probabilities = (probabilities + sigmoid(self.local.pair_logits(present, absent))) / 2
        return float(probabilities.mean())

    def _of_templates(self, label: str, descriptors: Sequence[str] = ()) -> Vectors:
        """The vector of a label; with descriptors their mean, which is shorter than 1."""
        names = dict.fromkeys((*descriptors, label))
        texts = [template.format(name) for name in names for template in self.wording.templates]
        self.prompts[label] = "\n".join(texts)
        mean: Vectors = np.mean([self.vector(text) for text in texts], axis=0)
        result: Vectors = mean if descriptors else mean / np.linalg.norm(mean)
        return result


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """The share of each column in each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.floating] = powers / powers.sum(axis=1, keepdims=True)
    return shares
