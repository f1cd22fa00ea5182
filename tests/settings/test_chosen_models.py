"""A model that only a file names is not used; one that the user chose is remembered."""

from __future__ import annotations

import pytest

from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.settings import chosen_models


@pytest.fixture(autouse=True)
def new_process(monkeypatch):
    monkeypatch.setattr(chosen_models, "_chosen", set())


def test_the_default_model_needs_no_choice():
    chosen_models.require_chosen("sam", None)


def test_a_server_is_remembered_by_its_origin_for_its_backend(new_process, monkeypatch):
    chosen_models.remember("server", "http://127.0.0.1:8000/v1#a")
    monkeypatch.setattr(chosen_models, "_chosen", set())
    chosen_models.require_chosen("server", "http://127.0.0.1:8000/v1#b")
    for backend, model in (
        ("server", "http://127.0.0.1:8001/v1#a"),
        ("server", "http://127.0.0.2:8000/v1#a"),
        ("nninteractive-server", "http://127.0.0.1:8000"),
    ):
        with pytest.raises(BackendUnavailable, match="not chosen before"):
            chosen_models.require_chosen(backend, model)


def test_a_folder_is_remembered_by_its_absolute_path(tmp_path, monkeypatch):
    for name in ("mine", "theirs"):
        (tmp_path / name / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "mine")
    chosen_models.remember("sam", "model")
    assert chosen_models.is_chosen("sam", str(tmp_path / "mine" / "model"))
    monkeypatch.chdir(tmp_path / "theirs")
    assert not chosen_models.is_chosen("sam", "model")


@pytest.mark.parametrize("content", ["{", "[1]", "null"])
def test_a_damaged_file_names_no_model(home, content):
    (home / "chosen_models.json").write_text(content)
    assert not chosen_models.is_chosen("sam", "x")


def test_where_nothing_can_be_written_a_choice_holds_for_the_process(home):
    (home / "chosen_models.json").mkdir()
    chosen_models.remember("sam", "x")
    assert chosen_models.is_chosen("sam", "x")
