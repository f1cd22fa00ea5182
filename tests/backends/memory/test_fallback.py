"""After an out-of-memory error less memory is used, with the same result and a note."""

from __future__ import annotations

import pytest
import torch

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.automatic.monai_bundle import BundleBackend
from napari_medvlm.backends.automatic.vista3d import VISTA3DBackend
from napari_medvlm.backends.automatic.vista3d_classes import classes
from napari_medvlm.backends.automatic.voxtell import VoxTellBackend
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.conformance.phantom import CENTER, phantom
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.models.trust import trust
from napari_medvlm.backends.sam.sammed3d import SAMMed3DBackend
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, OutOfMemory
from napari_medvlm.data.grounding import GroundQuery
from napari_medvlm.data.prompts import Point
from tests.backends.automatic import tiny_volumes as tiny
from tests.backends.sam.by_hand import quiet
from tests.backends.sam.test_slice_backend import Full

FREED = "ran after freeing unused memory."
FULL = torch.OutOfMemoryError("CUDA out of memory")


def failing(times):
    """A call that fails so often, and then says how often it was called."""
    calls = []

    def call():
        calls.append(1)
        if len(calls) <= times:
            raise FULL
        return len(calls)

    return call


def ladder(done, **how):
    rungs = [Fallback(words, lambda words=words: done.append(words)) for words in ("small", "slow")]
    return MemoryFallbacks("Model", "cuda", rungs, **how)


def test_rungs_are_taken_one_after_the_other_and_reported():
    done, messages = [], []
    fallbacks = ladder(done, free=lambda: done.append("free"))
    assert fallbacks.tried(failing(3), lambda _, message="": messages.append(message)) == (
        4,
        ("Out of memory on cuda: Model ran small, slow until another image is opened.",),
    )
    assert done == ["free", "free", "small", "free", "slow"]
    assert [message.partition("again ")[2] for message in messages] == [
        "after freeing unused memory", "small", "slow",
    ]  # fmt: skip


def test_a_memory_fallback_applies_until_the_next_volume():
    done = []
    fallbacks = ladder(done, usual=lambda: done.append("usual"))
    fallbacks.tried(failing(2), quiet)
    assert fallbacks.tried(failing(0), quiet)[1][0].startswith("Out of memory on cuda")
    fallbacks.tried(failing(2), quiet)
    fallbacks.renew()
    assert fallbacks.tried(failing(0), quiet) == (1, ())
    fallbacks.renew()
    assert done == ["small", "slow", "usual"]


def test_at_the_end_it_is_an_error_that_names_what_was_tried():
    with pytest.raises(OutOfMemory, match="Out of memory: Model on .*, also small, slow"):
        ladder([]).tried(failing(99), quiet)


def test_a_cancel_and_other_errors_get_through():
    def cancelled(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        ladder([]).tried(failing(1), cancelled)
    with pytest.raises(RuntimeError, match="shapes differ"):
        ladder([]).tried(lambda: (_ for _ in ()).throw(RuntimeError("shapes differ")), quiet)


def clicked(backend, volume):
    """A mask by a click."""
    click = ObjectPrompts((Point.at_index(volume, CENTER),), (1,))
    mask = dispatch.segment(backend, volume, click, quiet)
    return mask.digest, mask.notes


def named(*phrases):
    """A function to ask for phrases by."""

    def ask(backend, volume):
        if hasattr(backend, "_kept"):
            backend._cached.clear()
        result = dispatch.ground(backend, volume, GroundQuery(phrases), quiet)
        return {r.phrase: r.mask.digest for r in result.regions}, result.notes

    return ask


def sammed3d(folder):
    return SAMMed3DBackend, tiny.sammed3d(folder / "sam.pth"), clicked, 1


def vista3d(folder):
    return VISTA3DBackend, tiny.vista3d(folder / "vista"), clicked, 2


def vista3d_by_name(folder):
    return VISTA3DBackend, tiny.vista3d(folder / "vista"), named(*list(classes())[:2]), 2


def bundle(folder):
    fallbacks = tiny.bundle(folder / "bundle")
    trust(fallbacks)
    return BundleBackend, fallbacks, named("everything"), 2


def voxtell(folder):
    return VoxTellBackend, tiny.voxtell(folder / "voxtell_v1.1"), named(*tiny.PHRASES), 1


@pytest.fixture
def no_text_model(monkeypatch):
    def absent(*_):
        raise BackendUnavailable("not here", "download it")

    monkeypatch.setattr(transformers_loader, "model_folder", absent)


@pytest.mark.filterwarnings("ignore:NvImgCodec")
@pytest.mark.filterwarnings("ignore:Setting affine")
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.usefixtures("no_text_model")
@pytest.mark.parametrize("make", [sammed3d, vista3d, vista3d_by_name, bundle, voxtell])
def test_the_result_is_that_of_enough_memory_and_it_is_reported(make, tmp_path):
    kind, model, ask, rungs = make(tmp_path)
    backend, volume = kind(), phantom()
    backend.load(str(model), "cpu")
    network = getattr(backend, "_predictor", None)
    network = backend._network if network is None else network.network
    backend.set_volume(volume)
    with Full(network if kind is not SAMMed3DBackend else network.mask_decoder, rungs):
        result, notes = ask(backend, volume)
    assert result
    (note,) = notes
    if rungs == 1:
        assert note.endswith(FREED)
    else:
        assert note.endswith("at a time until another image is opened.")
    backend.set_volume(volume)
    assert ask(backend, volume) == (result, ())
