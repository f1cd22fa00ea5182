"""What was downloaded is found, checked and deleted; half a model is none."""

import json
import socket
from pathlib import Path

import pytest

from napari_medvlm.backends.models import hub_cache, registry
from napari_medvlm.backends.models.download import fetch
from napari_medvlm.backends.models.manage import download, remove, verify
from napari_medvlm.backends.models.registry import State, find
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, CannotDownload
from tests.backends.models.tiny_hub import GOOD, WEIGHTS, Hub, used


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "hub"


@pytest.fixture
def hub(monkeypatch, cache):
    with used(Hub(), monkeypatch, cache) as hub:
        yield hub


def ignored(fraction, message=""):
    """A progress that nobody looks at."""


def weights(cache):
    (model,) = cache.rglob("model.safetensors")
    return model


def test_a_downloaded_model_is_found_whole_without_asking(hub, monkeypatch):
    assert hub_cache.folder_of("lab/tiny") is None
    folder = download("lab/tiny", ignored)
    monkeypatch.setattr(socket.socket, "connect", None)
    model = find("lab/tiny")
    assert (model.state, model.path) == (State.DOWNLOADED, folder)
    assert model.bytes == sum(map(len, GOOD.values()))
    assert verify("lab/tiny", ignored) == ()


def test_progress_of_a_check_is_reported_by_bytes_and_can_be_cancelled(hub):
    seen = []
    fetch("lab/tiny", ignored)
    verify("lab/tiny", lambda fraction, message="": seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > len(GOOD), "the weights are read in pieces"

    def impatient(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        verify("lab/tiny", impatient)


def test_an_interrupted_download_is_not_a_model(hub, cache):
    hub.release.clear()

    def impatient(fraction, message=""):
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        download("lab/tiny", impatient)
    hub.release.set()
    assert hub_cache.folder_of("lab/tiny") is None
    with pytest.raises(BackendUnavailable, match="There is no model called 'lab/tiny'"):
        find("lab/tiny")
    assert download("lab/tiny", ignored) == hub_cache.folder_of("lab/tiny")


def test_a_model_without_one_of_its_parts_is_none(hub, cache):
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    files = {
        "model-1.safetensors": b"1" * 100,
        "model-2.safetensors": b"2" * 100,
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    hub.add("lab/parts", files)
    assert hub_cache.folder_of("lab/parts") is None
    download("lab/parts", ignored)
    assert hub_cache.folder_of("lab/parts") is not None
    next(cache.rglob("model-2.safetensors")).unlink()
    # What an older version of the library leaves: no list of what belongs to the model.
    for listed in cache.rglob("trees/*.json"):
        listed.unlink()
    assert hub_cache.folder_of("lab/parts") is None


def test_damage_is_reported_by_the_hash_that_the_hub_named(hub, cache):
    fetch("lab/tiny", ignored)
    blob = weights(cache).resolve()
    blob.chmod(0o644)
    blob.write_bytes(b"x" + WEIGHTS[1:])
    (problem,) = verify("lab/tiny", ignored)
    assert problem.startswith("model.safetensors is damaged: remove the model")
    text = next(cache.rglob("config.json")).resolve()
    text.chmod(0o644)
    text.write_bytes(b'{"model_type": "tinY"}')
    assert len(verify("lab/tiny", ignored)) == 2


def test_a_damaged_download_is_discarded(hub, cache, monkeypatch):
    answer = hub.answer

    def damaged(path):
        status, headers, body = answer(path)
        return status, headers, b"x" + body[1:] if "/cdn/" in path else body

    monkeypatch.setattr(hub, "answer", damaged)
    with pytest.raises(CannotDownload, match=r"Of lab/tiny model.safetensors arrived incomplete"):
        download("lab/tiny", ignored)
    assert hub_cache.folder_of("lab/tiny") is None
    monkeypatch.setattr(hub, "answer", answer)
    download("lab/tiny", ignored)
    assert verify("lab/tiny", ignored) == ()


def test_a_cache_without_links_is_reported_that_it_cannot_be_checked(hub, cache):
    folder = fetch("lab/tiny", ignored)
    for file in [p for p in folder.rglob("*") if p.is_file()]:
        data = file.read_bytes()
        file.unlink()
        file.write_bytes(data)
    with pytest.raises(BackendUnavailable, match="No hashes are stored for lab/tiny"):
        verify("lab/tiny", ignored)


def test_removal_frees_the_disk_and_takes_nothing_else(hub, cache):
    hub.add("lab/tiny-2", GOOD)
    for model in ("lab/tiny", "lab/tiny-2"):
        download(model, ignored)
    before = taken(cache)
    assert remove("lab/tiny") == "lab/tiny was deleted; 6.3 MB freed."
    assert before - taken(cache) >= sum(map(len, GOOD.values()))
    assert hub_cache.folder_of("lab/tiny") is None
    assert verify("lab/tiny-2", ignored) == ()
    with pytest.raises(BackendUnavailable, match="There is no model called"):
        remove("lab/tiny")


def taken(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def test_a_known_model_is_reported_as_downloaded_once_it_is(hub):
    assert find("SAM 2.1, tiny").state is State.NOT_DOWNLOADED
    hub.add("facebook/sam2.1-hiera-tiny", GOOD)
    download("facebook/sam2.1-hiera-tiny", ignored)
    for name in ("sam 2.1, TINY", "facebook/sam2.1-hiera-tiny"):
        assert find(name).state is State.DOWNLOADED
        assert find(name).page == "https://huggingface.co/facebook/sam2.1-hiera-tiny"
    states = {model.name: model.state for model in registry.models()}
    assert states["facebook/sam2.1-hiera-tiny"] is State.DOWNLOADED
