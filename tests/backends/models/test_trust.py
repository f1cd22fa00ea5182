"""Files of weights: numbers are read, programs only from files that the user trusts."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from napari_medvlm.backends.models.trust import FORCE, only_weights, trust, trusted
from napari_medvlm.data.errors import BackendUnavailable


class Program:
    """What a pickle can hold: a call that reading it makes."""

    def __init__(self, made):
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


def read(path):
    """As a library does that trusts every file."""
    with only_weights(path):
        return torch.load(path, weights_only=False)


@pytest.fixture
def program(tmp_path):
    """A file that makes a folder when it is read, and the folder."""
    torch.save({"weights": Program(tmp_path / "made")}, tmp_path / "program.pth")
    return tmp_path / "program.pth", tmp_path / "made"


def test_numbers_are_read(tmp_path):
    content = {"weights": torch.ones(2), "dice": np.float64(0.5), "mean": np.arange(3)}
    torch.save(content, tmp_path / "weights.pth")
    assert read(tmp_path / "weights.pth")["mean"].sum() == 3


def test_a_program_is_not_run_and_the_remedy_is_reported(program):
    path, made = program
    with pytest.raises(BackendUnavailable, match=r"can run code .* models trust "):
        read(path)
    assert not made.exists()
    assert FORCE not in os.environ


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<!DOCTYPE html><title>Log in</title>", "begins with '<!DOCTYPE html>"),
        (b"version https://git-lfs.github.com/spec/v1", "begins with 'version https://"),
        (b"hello world" * 99, "begins with 'hello world"),
        (b"", "is empty"),
    ],
    ids=["page", "pointer", "text", "empty"],
)
def test_a_file_without_weights_is_reported(tmp_path, content, reason):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(BackendUnavailable, match=f"has no weights: it {reason}") as error:
        read(path)
    assert "Download it again" in error.value.hint


def test_a_trusted_file_is_read_wherever_it_lies_and_no_longer_once_it_changed(program, tmp_path):
    path, made = program
    trust(path)
    moved = path.rename(tmp_path / "moved.pth")
    read(moved)
    assert made.exists()
    moved.write_bytes(moved.read_bytes() + b"more")
    assert not trusted(moved)


def bundle(folder):
    """A folder with a module and weights, which is trusted."""
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "tool.py").write_text("answer = 1")
    (folder / "model.pt").write_bytes(b"weights")
    trust(folder)
    return folder


@pytest.mark.parametrize(
    "name", ["scripts/__pycache__/tool.cpython-311.pyc", "other.py", "library.so", "model.pt", "x"]
)
def test_a_trusted_folder_is_no_longer_trusted_once_any_file_changes(tmp_path, name):
    folder = bundle(tmp_path / "bundle")
    assert trusted(folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"changed")
    assert not trusted(folder)


def test_files_behind_a_link_to_a_folder_are_checked_too(tmp_path):
    folder = bundle(tmp_path / "bundle")
    (folder / "scripts").rename(tmp_path / "elsewhere")
    (folder / "scripts").symlink_to(tmp_path / "elsewhere")
    assert trusted(folder)
    (tmp_path / "elsewhere" / "tool.py").write_text("answer = 2")
    assert not trusted(folder)


def test_what_cannot_be_checked_is_never_trusted(tmp_path):
    folder = bundle(tmp_path / "bundle")
    (folder / "scripts" / "again").symlink_to(folder)
    assert not trusted(folder)
    with pytest.raises(BackendUnavailable, match="cannot be checked"):
        trust(folder)


def test_a_link_to_a_file_counts_by_the_content_of_the_file(tmp_path):
    folder = bundle(tmp_path / "bundle")
    (folder / "scripts" / "tool.py").rename(tmp_path / "blob")
    (folder / "scripts" / "tool.py").symlink_to(tmp_path / "blob")
    assert trusted(folder)
    (tmp_path / "blob").write_text("answer = 2")
    assert not trusted(folder)


def test_a_file_that_is_not_there_cannot_be_trusted(tmp_path):
    with pytest.raises(BackendUnavailable, match="There is no file"):
        trust(tmp_path / "none.pth")


def test_a_damaged_list_trusts_nothing(program, home):
    home.mkdir(exist_ok=True)
    (home / "trusted.json").write_text("{")
    assert not trusted(program[0])


def test_a_switch_that_was_set_before_stays(program, monkeypatch):
    monkeypatch.setenv(FORCE, "0")
    with pytest.raises(BackendUnavailable):
        read(program[0])
    assert os.environ[FORCE] == "0"
