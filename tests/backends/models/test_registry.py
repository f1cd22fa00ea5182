"""Models are known by names, found on the disk, checked and removed."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_medvlm.backends.memory import free
from napari_medvlm.backends.models import hub_cache, local, offline, registry
from napari_medvlm.backends.models.download import offer
from napari_medvlm.backends.models.manage import remove, verify
from napari_medvlm.backends.models.published import in_words, known
from napari_medvlm.backends.models.registry import State, add, find
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.data.errors import BackendUnavailable, Cancelled, CannotDownload, SettingsError


def ignored(fraction, message=""):
    """A progress that nobody looks at."""


@pytest.fixture
def folder(tmp_path):
    """A model's folder with weights, a text and things that do not count."""
    model_folder = tmp_path / "mine"
    (model_folder / "fold_0").mkdir(parents=True)
    (model_folder / "fold_0" / "weights.pth").write_bytes(b"\x80" * 5000)
    (model_folder / "plans.json").write_text("{}")
    (model_folder / ".DS_Store").write_text("x")
    (model_folder / "__pycache__").mkdir()
    (model_folder / "__pycache__" / "net.pyc").write_text("x")
    return model_folder


@pytest.mark.parametrize(
    ("licence", "words"),
    [
        ("Apache-2.0", "free for any use"),
        ("MIT", "free for any use"),
        ("Apache-2.0 (7B); see the model's card for other sizes", "see its page"),
        ("CC-BY-NC-SA-4.0", "not for commercial use"),
        ("CC-BY-NC-SA-4.0 (published weights)", "not for commercial use"),
        ("MSRLA: research only", "not for commercial use"),
        ("Gemma terms of use", "terms of its own"),
        ("NVIDIA Open Model License", "terms of its own"),
        ("see the model's card", "see its page"),
        ("not stated", "see its page"),
        ("", "see its page"),
    ],
)
def test_licences_are_reported_in_plain_words(licence, words):
    assert in_words(licence) == words


def test_what_is_known_is_named_once_and_leads_to_a_page():
    titles = [about.title.casefold() for about in known()]
    assert len(titles) == len(set(titles))
    for about in known():
        assert about.on_hub or about.source.startswith("https://")
        assert about.code_licence
        assert about.weights_licence
        assert about.format_source, about.title
        assert not about.run_with_weights, about.title


def test_an_added_model_is_reported_with_its_size_and_its_name_leads_to_it(folder):
    added = add(folder, "detector", ignored)
    assert (added.name, added.state, added.path) == ("mine", State.ADDED, folder)
    assert added.bytes == 5002
    assert added.page is None
    assert registry.models()[0] == added == find("mine")
    assert resolve("mine") == str(folder)
    assert resolve("mine#no-autozoom") == f"{folder}#no-autozoom"


@pytest.mark.parametrize("text", [None, "", "./mine", "lab/tiny", "http://host:1527", "/a#b"])
def test_what_is_no_name_is_given_as_it_is(text):
    assert resolve(text) == text


def test_a_file_can_be_added_under_another_name_from_a_relative_path(folder, monkeypatch):
    monkeypatch.chdir(folder)
    added = add("fold_0/weights.pth", "vlm", ignored, " Ours 2 ")
    assert (added.name, added.path) == ("Ours 2", folder / "fold_0" / "weights.pth")
    assert verify("Ours 2", ignored) == ()


def test_a_link_stays_the_path_that_was_named(folder, tmp_path):
    (tmp_path / "latest").symlink_to(folder)
    assert add(tmp_path / "latest", "vlm", ignored).path == tmp_path / "latest"


def test_progress_is_reported_and_a_cancel_adds_nothing(folder):
    seen = []
    add(folder, "vlm", lambda fraction, message="": seen.append((fraction, message)))
    assert seen[-1] == (1.0, "Reading the files")
    remove("mine")

    def impatient(fraction, message=""):
        raise Cancelled

    with pytest.raises(Cancelled):
        add(folder, "vlm", impatient)
    with pytest.raises(BackendUnavailable, match="There is no model called 'mine'"):
        find("mine")


def test_mistakes_in_adding_are_reported(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for path, backend, name, message in (
        (tmp_path / "nothing", "vlm", "", "There is no .*nothing"),
        (tmp_path / "empty", "vlm", "", "There is no file in .*empty"),
        (folder, "nobody", "", "no backend called nobody"),
        (folder, "embedded", "", "has no models to choose from"),
        (folder, "vlm", "lab/mine", "is not a valid model name"),
        (folder, "vlm", "a#b", "is not a valid model name"),
        (folder, "vlm", "a\nb", "is not a valid model name"),
        (folder, "vlm", "medsam", "name of a published model"),
    ):
        with pytest.raises(BackendUnavailable, match=message):
            add(path, backend, ignored, name)
    assert local.added() == {}


def test_a_name_is_taken_once_but_can_be_taken_again(folder, tmp_path):
    add(folder, "vlm", ignored)
    (folder / "plans.json").write_text("{ }")
    with pytest.raises(BackendUnavailable, match="already listed as"):
        add(folder / "fold_0" / "weights.pth", "vlm", ignored, "mine")
    assert verify("mine", ignored) == ("plans.json has changed since it was added.",)
    add(folder, "vlm", ignored)
    assert verify("mine", ignored) == ()


def test_what_changed_is_reported_by_verify(folder):
    add(folder, "vlm", ignored)
    (folder / "fold_0" / "weights.pth").write_bytes(b"v" * 5000)
    (folder / "plans.json").unlink()
    (folder / "evil.py").write_text("boom()")
    assert verify("mine", ignored) == (
        "plans.json no longer exists.",
        "fold_0/weights.pth has changed since it was added.",
        "evil.py is new since it was added.",
    )


def test_a_model_that_is_gone_is_reported_and_can_be_forgotten(folder, tmp_path):
    add(folder, "vlm", ignored)
    folder.rename(tmp_path / "moved")
    assert find("mine").state is State.GONE
    assert verify("mine", ignored) == (f"{folder} no longer exists.",)
    with pytest.raises(BackendUnavailable, match=r"mine no longer exists at .*models add PATH"):
        resolve("mine")
    add_again = add(tmp_path / "moved", "vlm", ignored, "moved")
    assert add_again.state is State.ADDED
    assert "mine was removed from the list" in remove("mine")
    assert set(local.added()) == {"moved"}
    assert (tmp_path / "moved" / "plans.json").exists(), "its files stay"


def test_a_model_that_is_not_here_cannot_be_checked_or_removed():
    for act in (lambda: verify("MedSAM", ignored), lambda: remove("MedSAM")):
        with pytest.raises(BackendUnavailable, match="MedSAM is not on this computer"):
            act()
    with pytest.raises(BackendUnavailable, match="models list"):
        remove("nobody")


def test_a_backend_that_is_no_longer_installed_hides_no_model(folder, home):
    add(folder, "vlm", ignored)
    text = (home / "models.json").read_text().replace('"vlm"', '"uninstalled"')
    (home / "models.json").write_text(text)
    assert find("mine").state is State.ADDED
    assert find("mine").licence_in_words == "see its page"


@pytest.mark.parametrize("damage", ["{", "[1, 2", '{"name": 1}', "\x00", "null", '"text"'])
def test_a_damaged_file_is_not_fatal_and_is_kept(folder, home, damage):
    (home / "models.json").write_text(damage)
    assert local.added() == {}
    assert registry.models()
    add(folder, "vlm", ignored)
    assert find("mine").state is State.ADDED
    assert (home / "models.json.damaged").read_text() == damage


def test_one_damaged_row_takes_no_other_with_it(folder, home):
    add(folder, "vlm", ignored)
    rows = json.loads((home / "models.json").read_text())
    text = json.dumps([{"name": "odd"}, *rows, 7])
    (home / "models.json").write_text(text)
    assert set(local.added()) == {"mine"}
    (home / "models.json.damaged").write_text("earlier")
    add(folder / "fold_0" / "weights.pth", "vlm", ignored)
    assert set(local.added()) == {"mine", "weights.pth"}
    assert (home / "models.json.damaged").read_text() == "earlier"
    assert (home / "models.json.damaged-2").read_text() == text


@given(name=st.text(max_size=12) | st.sampled_from(["..", "MedSAM", "con", "a b", "-x", "\u202e"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_any_name_is_refused_or_leads_to_the_model_again(folder, name):
    try:
        added = add(folder, "vlm", ignored, name)
    except BackendUnavailable:
        with suppress(BackendUnavailable):  # a published model that is not here
            assert resolve(name) in (name, str(folder))
        return
    assert resolve(added.name) == str(folder)
    assert local.added()[added.name].path == folder
    assert added.name == (name.strip() or "mine")
    remove(added.name)


def test_models_that_are_added_at_once_are_all_kept(folder):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: add(folder, "vlm", ignored, f"model {n}"), range(16)))
    assert len(local.added()) == 16


def test_a_home_that_cannot_be_written_is_reported(folder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv(offline.VARIABLE, "")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for act in (lambda: add(folder, "vlm", ignored), lambda: offline.set_offline(True)):
        with pytest.raises(SettingsError, match=r"cannot be written: .*NAPARI_MEDVLM_HOME"):
            act()
    assert offline.is_offline()


def test_files_that_cannot_be_read_are_reported(folder, monkeypatch):
    def unreadable(file, model_folder, progress):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("napari_medvlm.backends.models.files.digest", unreadable)
    with pytest.raises(BackendUnavailable, match=r"cannot be read: .*Permission denied"):
        add(folder, "vlm", ignored)


def test_offline_is_remembered_and_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv(offline.VARIABLE, raising=False)
    assert not offline.is_offline()
    assert offline.variables() == {}
    offline.set_offline(True)
    assert constants.HF_HUB_OFFLINE
    del os.environ[offline.VARIABLE]
    assert offline.is_offline(), "another start of the program"
    assert offline.variables() == {"HF_HUB_OFFLINE": "1"}
    with pytest.raises(CannotDownload, match=r"lab/tiny cannot be downloaded.*Uncheck Offline"):
        offer("lab/tiny")
    offline.set_offline(False)
    assert not offline.is_offline()
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setenv(offline.VARIABLE, "yes")
    assert offline.is_offline()


class NoCards(Exception):
    """What nvidia-ml-py raises without a driver."""


def nvml(cards):
    """nvidia-ml-py as it answers where there are cards, or where there is no driver."""

    def init():
        if cards is None:
            raise NoCards

    return SimpleNamespace(
        NVMLError=NoCards,
        nvmlInit=init,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(cards),
        nvmlDeviceGetHandleByIndex=lambda number: cards[number],
        nvmlDeviceGetName=lambda card: card[0],
        nvmlDeviceGetMemoryInfo=lambda card: SimpleNamespace(free=card[1]),
    )


@pytest.mark.parametrize("cards", [None, [], [(b"Old", 2 << 30), ("H200", 130 << 30)]])
def test_free_memory_is_reported_of_the_computer_and_its_cards(monkeypatch, cards):
    monkeypatch.setitem(sys.modules, "pynvml", nvml(cards))
    memory = free.free()
    assert memory.ram_mib > 100
    assert [card.name for card in memory.cards] == (["Old", "H200"] if cards else [])
    assert memory.most_mib == max(memory.ram_mib, 130 << 10 if cards else 0)
    assert str(memory).endswith("Old: 2.1 GB; H200: 139.6 GB" if cards else " GB of RAM")


def test_without_nvidias_library_only_the_computer_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert free.free().cards == ()


def test_without_the_hubs_library_nothing_is_downloaded(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert hub_cache.folder_of("lab/tiny") is None
    assert {model.state for model in registry.models()} == {
        State.NOT_DOWNLOADED,
        State.DOWNLOADED,  # the bundled network
    }
