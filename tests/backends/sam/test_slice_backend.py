"""What holds for every model of pictures that segments objects slice by slice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.dispatch import segment
from napari_medvlm.backends.sam import SAMBackend
from napari_medvlm.backends.sam.embedding_store import EmbeddingStore
from napari_medvlm.backends.sam.embeddings import Embeddings
from napari_medvlm.backends.sam.propagation import StopRule
from napari_medvlm.backends.sam.sam2 import SAM2Backend
from napari_medvlm.data.errors import Cancelled, InvalidPrompt, OutOfMemory
from napari_medvlm.data.prompts import Point
from tests.backends.sam import tiny_sam, tiny_sam2
from tests.backends.sam.by_hand import asked, quiet, volume_of

torch.set_num_threads(1)
MAKERS = {
    "sam": (SAMBackend, tiny_sam.checkpoint),
    "sam2": (SAM2Backend, tiny_sam2.tracker),
}
ERRORS = {
    "gpu": torch.OutOfMemoryError("CUDA out of memory"),
    "cpu": RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    ),
    "python": MemoryError(),
}


@pytest.fixture(scope="module", params=MAKERS)
def kept(request, tmp_path_factory):
    """A backend, loaded."""
    kind, make = MAKERS[request.param]
    backend = kind()
    backend.load(str(make(tmp_path_factory.mktemp(request.param))), "cpu")
    backend.stop = StopRule(score=-np.inf, overlap=0)
    return backend


def network(backend):
    """The torch module that looks at pictures."""
    if isinstance(backend, SAMBackend):
        return backend._model.sam.image_encoder
    return backend._loaded.model.vision_encoder


@pytest.fixture
def backend(kept):
    """A backend that has seen no image."""
    kept._ladder.renew()
    if isinstance(kept, SAMBackend):
        kept.embeddings = Embeddings(kept._model, EmbeddingStore())
        kept._ladder = kept._new_ladder("cpu")
    return kept


class Full:
    """Memory that does not suffice some number of times, for a network that wants it."""

    def __init__(self, module, times, error=ERRORS["gpu"]):
        self.left, self.error = times, error
        self.hook = module.register_forward_pre_hook(self.want)

    def want(self, *_):
        if self.left:
            self.left -= 1
            raise self.error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hook.remove()


def test_only_what_the_object_is_not_is_reported_so(backend):
    volume = volume_of("axial")
    with pytest.raises(InvalidPrompt, match="All prompts are negative"):
        asked(backend, volume, Point.at_index(volume, (4, 12, 9), positive=False))


def test_a_cancel_is_passed_on_between_slices(backend):
    volume, messages = volume_of("axial"), []

    def sixth(fraction, message=""):
        messages.append(message)
        if "slice 6" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        asked(backend, volume, Point.at_index(volume, (4, 12, 9)), progress=sixth)
    assert any("slice 5" in message for message in messages)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_too_little_memory_is_reported(backend, error):
    volume = volume_of("oblique")
    with (
        Full(network(backend), 99, error),
        pytest.raises(OutOfMemory, match="memory") as raised,
    ):
        asked(backend, volume, Point.at_index(volume, (4, 12, 9)))
    assert raised.value.hint


def test_it_is_tried_again_after_freeing_and_the_mask_is_the_same(backend):
    volume, messages = volume_of("coronal"), []
    click = Point.at_index(volume, (5, 4, 9))
    with Full(network(backend), 1):
        mask = asked(
            backend, volume, click, progress=lambda _, message="": messages.append(message)
        )
    assert "Out of memory: trying again after freeing unused memory" in messages
    (note,) = mask.notes
    assert note.endswith("ran after freeing unused memory.")
    again = asked(backend, volume, click)
    assert not again.notes
    assert again.digest == mask.digest


def test_a_rung_is_taken_reported_and_left_with_the_next_image(backend):
    if isinstance(backend, SAMBackend):  # as on a graphics card
        backend.embeddings.batch = 4
        backend._ladder = backend._new_ladder("cpu")
    volume, other = volume_of("sagittal"), volume_of("axial")
    click = Point.at_index(volume, (5, 12, 4))
    words = "one slice at a time" if isinstance(backend, SAMBackend) else "one slice only"
    with Full(network(backend), 2):
        mask = asked(backend, volume, click)
    assert words in mask.notes[0]
    assert mask.notes[0].endswith("until another image is opened.")
    held = backend.segment(ObjectPrompts((click,), (1,)), quiet)
    assert held.notes == mask.notes
    assert held.digest == mask.digest == asked(backend, volume, click).digest
    assert not asked(backend, other, Point.at_index(other, (4, 12, 9))).notes


def test_on_a_graphics_card_half_precision_and_the_cpu_come_last(backend, monkeypatch, tmp_path):
    volume, usual, devices = volume_of("oblique"), backend._ladder, []
    click = Point.at_index(volume, (5, 12, 4))
    undisturbed = asked(backend, volume, click).digest
    if isinstance(backend, SAMBackend):
        model, move_to = backend._model, backend._model.move_to
        with monkeypatch.context() as card:
            card.setattr(model, "device", torch.device("cuda"))
            backend.embeddings = Embeddings(model, EmbeddingStore(tmp_path))
            backend._ladder = backend._new_ladder("cuda")

        def stay(device, half=False):
            devices.append((str(device), half))
            move_to("cpu", half)

        monkeypatch.setattr(model, "move_to", stay)
        expected = "one slice at a time, in half precision, on the CPU"
    else:
        loaded = backend._loaded
        backend._ladder = backend._new_ladder(replace(loaded, device=torch.device("cuda")))
        expected = "keeping the features of one slice only, on the CPU"
    backend._planes, times = {}, 1 + len(expected.split(","))
    with Full(network(backend), times):
        backend._films = {}
        mask = segment(backend, volume, ObjectPrompts((click,), (1,)), quiet)
    assert expected in mask.notes[0]
    assert mask.digest == undisturbed
    backend._ladder.taken, backend._ladder = 0, usual
    if isinstance(backend, SAMBackend):
        assert devices == [("cuda", False), ("cuda", True), ("cpu", False)]
    else:
        backend._loaded = loaded
