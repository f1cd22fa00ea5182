"""The texts by which a model is asked for labels."""

from __future__ import annotations

from dataclasses import dataclass

TEMPLATES = ("a medical image of {}", "a medical image showing {}", "this is a picture of {}")
"""A label's vector is the mean of these, as in Radford et al. 2021."""


@dataclass(frozen=True)
class Wording:
    """How a model's authors ask it.

    Parameters
    ----------
    templates
        Sentences with ``{}`` for a label.
    averaged
        Whether a label with descriptors is compared by the mean of their vectors, not of length 1,
        as in FLAIR (https://arxiv.org/abs/2308.07898); else by pairs of sentences, as in Xplainer.
    """

    templates: tuple[str, ...] = TEMPLATES
    averaged: bool = False
