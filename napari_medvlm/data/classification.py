"""Labels for a picture: how likely each is, and which descriptors speak for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_medvlm.data.grounding import Scope
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.volume import Window

DESCRIBED = ("there is {} indicating {}", "there is no {} indicating {}")
"""The pair of sentences for a descriptor and its label, after Xplainer, in the singular."""


@dataclass(frozen=True, eq=False)
class LabelQuery:
    """What is asked of a labelling backend.

    Parameters
    ----------
    labels
        The labels to choose from, or to judge one by one.
    exclusive
        Whether exactly one of the labels is true; else each is judged against its absence.
    descriptors
        For a label, what would be seen if it were true; such a label is judged by them.
    sentences
        What is compared for a descriptor, the first ``{}``, and its label: presence and absence.
    scope
        Where to look; probabilities of several slices are averaged.
    region
        The part to look at, in patient millimetres; `None`: all of the scope.
    window
        The intensities that a model is to see as black and white; `None`: the backend's own.
    """

    labels: tuple[str, ...]
    exclusive: bool = True
    descriptors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: tuple[str, str] = DESCRIBED
    scope: Scope = field(default_factory=Scope)
    region: Box | None = None
    window: Window | None = None


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """How likely labels are.

    Parameters
    ----------
    probabilities
        Of each label, 0 to 1; they sum to 1 if the labels exclude each other.
    descriptors
        For each label that has some, how likely each of its descriptors is.
    slices, window, prompts, notes
        As in `Grounding`; ``prompts`` has the very texts that the model compared with the picture.
    """

    probabilities: Mapping[str, float]
    descriptors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    slices: tuple[SliceRef, ...] = ()
    window: Window | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def combined(descriptors: Mapping[str, float], off: Collection[str] = ()) -> float | None:
    """How likely a label is by its descriptors: the geometric mean of those not switched off.

    As in Xplainer (Pellegrini et al. 2023, https://arxiv.org/abs/2303.13391). `None` if all of them
    are switched off.
    """
    used = [p for name, p in descriptors.items() if name not in off]
    return float(np.exp(np.mean(np.log(np.maximum(used, 1e-12))))) if used else None
