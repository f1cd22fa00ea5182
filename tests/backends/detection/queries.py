"""Asking a grounding backend for phrases on one slice, and where its boxes lie in the picture."""

from __future__ import annotations

import numpy as np
import torch
import transformers as hf

from napari_medvlm.backends.dispatch import ground
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Window
from tests.conftest import make_phantom

GRAY = Window(150, 300)
SHAPES = {"square": (4, 40, 40), "portrait": (4, 48, 30), "landscape": (4, 30, 48)}
NAMES = [*SHAPES, "sagittal and oblique"]


def volume_of(name):
    """A volume, and a slice of it that is a picture of the shape that the name says."""
    if name in SHAPES:
        return make_phantom(SHAPES[name])[0], SliceRef(0, 2)
    return make_phantom((20, 36, 24), (2.0, 1.0, 1.5), (12, -20, 25))[0], SliceRef(2, 8)


def asked(backend, volume, slice_ref, *phrases, **more):
    backend.set_volume(volume)
    query = GroundQuery(
        phrases, Scope.of_slice(slice_ref.axis, slice_ref.index), window=GRAY, **more
    )
    return ground(backend, volume, query, lambda *_: None)


def picture(volume, slice_ref):
    return picture_of(volume, slice_ref, GRAY)


def in_picture(region, shown):
    """The box of a region in the pixels of a picture: left, upper, right and lower edge."""
    corners = shown.pixel_of(region.box.corners())
    return np.concatenate([corners.min(axis=0), corners.max(axis=0)])


class Forced(hf.LogitsProcessor):
    """Makes a model write given tokens, each with the probability that it gives them."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.length = self.start = 10**9

    def __call__(self, input_ids, scores):
        length = input_ids.shape[1]
        if length <= self.length:
            self.start = length
        self.length = length
        token = self.tokens[min(length - self.start, len(self.tokens) - 1)]
        allowed = torch.full_like(scores, -torch.inf)
        allowed[:, token] = scores[:, token]
        return allowed


def force(backend, text):
    """Make a backend's model write a text."""
    tokenizer = backend._loaded.processor.tokenizer
    tokens = [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
    backend.settings = {**type(backend).settings, "logits_processor": [Forced(tokens)]}
