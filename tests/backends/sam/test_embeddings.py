"""Embeddings are the predictor's, are computed once, and what is kept of them can be trusted."""

from __future__ import annotations

import errno
import os
import shutil

import numpy as np
import pytest
import torch

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.sam import SAMBackend
from napari_medvlm.backends.sam.embedding_store import EmbeddingStore
from napari_medvlm.backends.sam.embeddings import Embeddings
from napari_medvlm.backends.sam.propagation import StopRule
from napari_medvlm.backends.sam.sam import sam_model
from napari_medvlm.backends.sam.slice_backend import Plane
from napari_medvlm.data.errors import BackendUnavailable, Cancelled
from napari_medvlm.data.prompts import Point
from napari_medvlm.sessions.request_sender import ModelChoice
from napari_medvlm.sessions.segment.precompute import prepare_plane, stored_mib
from napari_medvlm.worker.messages import PrepareRequest, SegmentRequest
from napari_medvlm.worker.runner import InlineRunner
from tests.backends.sam import tiny_sam
from tests.backends.sam.by_hand import AXES, NAMES, ByHand, volume_of

torch.set_num_threads(1)
PLANE = {"image": "a", "model": "b"}
ENTRY = np.arange(2 * 4 * 4, dtype=np.float32).reshape(2, 4, 4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tiny_sam.checkpoint(tmp_path_factory.mktemp("sam"))


def counted(path, store=None):
    """Embeddings, and a list that grows by the number of slices of each call of the encoder."""
    model, calls = sam_model(path, "cpu"), []
    embed = model.embed
    model.embed = lambda pictures: (calls.append(len(pictures)), embed(pictures))[1]
    return Embeddings(model, store or EmbeddingStore()), calls


def quiet(fraction, message=""):
    pass


def stored(folder):
    return sorted(p for p in folder.glob("*/*") if not p.name.startswith("."))


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_are_those_of_the_predictor(path, name):
    volume, axis = volume_of(name), AXES[name]
    embeddings, _ = counted(path)
    reference = ByHand(path, volume, axis, 3).predictor.get_image_embedding()[0]
    assert torch.equal(embeddings.get(Plane.of(volume, axis), 3), reference)


def test_embeddings_of_a_batch_are_those_of_single_slices(path):
    plane = Plane.of(volume_of("axial"), 0)
    single, batched = counted(path)[0], counted(path, EmbeddingStore(limit_mib=0))[0]
    batched.batch = 4
    batched.prepare(plane, range(plane.count), quiet)
    for index in range(plane.count):
        assert torch.allclose(
            single.get(plane, index), batched.get(plane, index), atol=1e-5, rtol=1e-4
        )


def test_results_do_not_depend_on_the_batch(path):
    plane = Plane.of(volume_of("axial"), 0)
    backends = [counted(path, EmbeddingStore(limit_mib=0)) for _ in range(3)]
    for embeddings, _ in backends:
        embeddings.batch = 4
    backends[0][0].prepare(plane, range(plane.count), quiet)
    full, single, ahead = (embeddings for embeddings, _ in backends)
    for index in (7, 3):
        assert torch.equal(single.get(plane, index), full.get(plane, index))
    assert torch.equal(ahead.get(plane, 3, (4, 5, 6, 7)), full.get(plane, 3))
    assert [calls for _, calls in backends] == [[4, 4, 4], [4, 4], [4]]


def test_a_second_process_does_not_compute_again(path):
    plane = Plane.of(volume_of("axial"), 0)
    first, calls = counted(path)
    first.prepare(plane, range(plane.count), quiet)
    assert calls == [1] * plane.count
    again, calls = counted(path)
    again.prepare(plane, range(plane.count), quiet)
    assert not calls
    for index in range(plane.count):
        assert torch.equal(again.get(plane, index), first.get(plane, index))
    assert not calls


@pytest.mark.parametrize("other", ["image", "window", "plane", "model"])
def test_cached_entries_of_other_inputs_are_not_used(path, tmp_path, other):
    volume = volume_of("axial")
    embeddings, _ = counted(path)
    embeddings.get(Plane.of(volume, 0), 3)
    embeddings.store.wait()
    plane = Plane.of(volume, 0)
    match other:
        case "image":
            plane = Plane.of(volume_of("oblique"), 0)
        case "window":
            plane = Plane(volume, 0, type(plane.window)(0, 10))
        case "plane":
            plane = Plane.of(volume, 1)
        case "model":
            path = tiny_sam.checkpoint(tmp_path, seed=1)
    again, calls = counted(path)
    again.get(plane, 3)
    assert calls == [1]


def test_the_same_prompts_give_the_same_mask_from_memory_from_disk_and_again(path):
    volume, masks = volume_of("axial"), []
    prompts = ObjectPrompts((Point.at_index(volume, (4, 12, 9)),), (1,))
    for stored in (True, True, False):
        backend = SAMBackend()
        if not stored:
            shutil.rmtree(EmbeddingStore().folder)
        backend.load(str(path), "cpu")
        backend.stop = StopRule(-np.inf, 0)
        backend.set_volume(volume)
        masks += [backend.segment(prompts, quiet).digest for _ in range(2)]
        backend.embeddings.store.wait()
    assert len(set(masks)) == 1


def test_a_cancel_keeps_what_was_done(path):
    volume = volume_of("axial")
    backend = SAMBackend()
    backend.load(str(path), "cpu")
    backend.set_volume(volume)

    def stop(fraction, message=""):
        if fraction >= 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        backend.prepare(0, stop)
    backend.embeddings.store.wait()
    assert len(stored(backend.embeddings.store.folder)) == 3


def prepared(volume, path, runner, axis=0, progress=quiet):
    return prepare_plane(volume, axis, ModelChoice("sam", str(path)), runner, progress)


@pytest.mark.parametrize("name", NAMES)
def test_after_preparing_a_click_calls_no_encoder(path, name):
    volume, calls, messages = volume_of(name), [], []
    with InlineRunner() as runner:
        done = prepared(volume, path, runner, AXES[name], lambda f, m="": messages.append((f, m)))
        count = volume.shape[AXES[name]]
        assert done.computed == count
        assert messages[0] == (0.0, f"slice 1 of {count}")
        assert all("s left" in message for _, message in messages[1:-1])
        (loaded,) = runner._executor._loaded.values()
        model, embed = loaded.backend._model, loaded.backend._model.embed
        model.embed = lambda pictures: (calls.append(len(pictures)), embed(pictures))[1]
        click = ObjectPrompts((Point.at_index(volume, (4, 12, 9)),), (1,))
        request = SegmentRequest("sam", volume, str(path), prompts=click)
        assert runner.submit(request).result().mask.voxels
        assert prepared(volume, path, runner, AXES[name]).computed == 0
        assert not calls


def test_each_slice_is_a_request_of_its_own_so_that_clicks_go_in_between(path):
    seen = []

    class Watched(InlineRunner):
        def submit(self, request, on_progress=None, on_text=None):
            seen.append((request.start, request.stop))
            return super().submit(request, on_progress, on_text)

    with Watched() as runner:
        prepared(volume_of("axial"), path, runner)
    assert seen == [(k, k + 1) for k in range(10)]


def test_a_plane_that_is_cancelled_goes_on_where_it_stopped(path):
    volume = volume_of("axial")

    def stop(fraction, message=""):
        if fraction >= 0.3:
            raise Cancelled

    with InlineRunner() as runner:
        with pytest.raises(Cancelled):
            prepared(volume, path, runner, progress=stop)
        assert prepared(volume, path, runner).computed == 7


def test_backends_that_cannot_prepare_say_so():
    with InlineRunner() as runner, pytest.raises(BackendUnavailable, match="precompute"):
        prepare_plane(volume_of("axial"), 0, ModelChoice("embedded"), runner, quiet)
    request = PrepareRequest("embedded", volume_of("axial"), stop=2)
    with InlineRunner() as runner, pytest.raises(BackendUnavailable, match="precompute"):
        runner.submit(request).result()


def test_the_size_on_disk_that_is_reported_is_that_of_the_full_size_networks():
    assert stored_mib("embedded", volume_of("axial"), 0) == 0
    assert stored_mib("sam", volume_of("axial"), 0) == 10 * 256 * 64 * 64 * 4 / 2**20


def test_progress_is_reported_for_each_slice(path):
    backend, messages = SAMBackend(), []
    backend.load(str(path), "cpu")
    backend.set_volume(volume_of("axial"))
    backend.prepare(0, lambda fraction, message="": messages.append((fraction, message)))
    assert messages[0] == (0.0, "slice 1 of 10")
    assert [fraction for fraction, _ in messages] == pytest.approx(np.arange(11) / 10)


def _truncate(file):
    file.write_bytes(file.read_bytes()[:40])


def _flip(file):
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])


DAMAGE = {
    "cut short": lambda entry: _truncate(entry / "c/0/0/0"),
    "a bit flipped": lambda entry: _flip(entry / "c/0/0/0"),
    "empty": lambda entry: (entry / "c/0/0/0").write_bytes(b""),
    "no values": lambda entry: (entry / "c/0/0/0").unlink(),
    "no description": lambda entry: (entry / "zarr.json").unlink(),
    "description cut short": lambda entry: _truncate(entry / "zarr.json"),
    "description of something else": lambda entry: (entry / "zarr.json").write_text("[1]"),
    "description without its words": lambda entry: (entry / "zarr.json").write_text("{}"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_entry_is_computed_and_stored_again(path, damage):
    plane = Plane.of(volume_of("axial"), 0)
    embeddings, _ = counted(path)
    right = embeddings.get(plane, 3)
    embeddings.store.wait()
    (entry,) = stored(embeddings.store.folder)
    damage(entry)
    again, calls = counted(path)
    assert torch.equal(again.get(plane, 3), right)
    assert calls == [1]
    again.store.wait()
    assert torch.equal(counted(path)[0].get(plane, 3), right)


def test_the_least_recently_used_entry_is_removed_when_the_cache_is_full(tmp_path):
    store = EmbeddingStore(tmp_path, limit_mib=20 * 1500 / 2**20)
    for index in range(10):
        store.put(PLANE, index, ENTRY)
        store.wait()
        os.utime(stored(tmp_path)[-1], (index, index))
    for number, entry in enumerate(sorted(stored(tmp_path), key=lambda p: int(p.name))):
        os.utime(entry, (number, number))
    assert store.get(PLANE, 0) is not None
    small = EmbeddingStore(tmp_path, limit_mib=5 * 1500 / 2**20)
    small.put(PLANE, 10, ENTRY)
    small.wait()
    slices = {int(path.name) for path in stored(tmp_path)}
    assert {0, 10} <= slices
    assert 1 not in slices
    stored_bytes = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert stored_bytes <= 5 * 1500


def test_the_limit_holds_while_entries_come_in(tmp_path):
    limit = 5000
    store = EmbeddingStore(tmp_path, limit_mib=limit / 2**20)
    for index in range(40):
        store.put(PLANE, index, ENTRY)
        store.wait()
        assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) <= limit
    assert store.get(PLANE, 39) is not None


def test_a_full_disk_is_no_error_and_leaves_nothing_half_done(path, tmp_path, monkeypatch):
    import zarr

    make = zarr.create_array

    def full(folder, **how):
        make(folder, **how)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zarr, "create_array", full)
    plane = Plane.of(volume_of("axial"), 0)
    embeddings, calls = counted(path, EmbeddingStore(tmp_path))
    embeddings.get(plane, 3)
    embeddings.store.wait()
    embeddings.get(plane, 3)
    assert calls == [1]
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_folder_that_cannot_be_made_is_no_error(path, tmp_path):
    (tmp_path / "file").write_text("")
    plane = Plane.of(volume_of("axial"), 0)
    embeddings, _ = counted(path, EmbeddingStore(tmp_path / "file" / "embeddings"))
    assert embeddings.get(plane, 3).shape == (32, 8, 8)
    embeddings.store.wait()


def test_memory_is_bounded_and_disk_serves_the_rest(path):
    plane = Plane.of(volume_of("axial"), 0)
    model = sam_model(path, "cpu")
    embeddings = Embeddings(model, EmbeddingStore(), memory_mib=3 * 32 * 64 * 4 / 2**20)
    embeddings.prepare(plane, range(plane.count), quiet)
    assert len(embeddings._held) == 3
    model.embed = None
    assert embeddings.get(plane, 0).shape == (32, 8, 8)
