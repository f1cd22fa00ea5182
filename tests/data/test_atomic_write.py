"""Files are complete, or what was there before stays."""

import errno
import os

import pytest

from napari_medvlm.data.atomic_write import NAME_BYTES, temporary_path, write_atomically, write_text
from napari_medvlm.data.errors import CannotSave


def test_a_text_is_written_byte_for_byte(tmp_path):
    write_text(tmp_path / "a.txt", "Žlučník\r\n肝臓\n")
    assert (tmp_path / "a.txt").read_bytes() == "Žlučník\r\n肝臓\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("letter", ["m", "肝"])
def test_a_name_of_the_greatest_length_is_written(tmp_path, letter):
    size = len(letter.encode())
    stem = letter * ((NAME_BYTES - len(".nii.gz")) // size)
    path = tmp_path / f"{stem}.nii.gz"
    temporary = temporary_path(path)
    assert len(temporary.name.encode()) <= NAME_BYTES
    assert temporary.name.endswith(".nii.gz")
    write_text(path, "content")
    assert path.read_text() == "content"


def test_a_name_that_is_too_long_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(CannotSave, match="its name is too long") as refused:
        write_text(tmp_path / ("m" * 256), "content")
    assert "255 bytes" in refused.value.hint


def fail_on_a_full_disk(path):
    path.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def fail_when_read_back(path):
    raise OSError(f"{path.read_bytes().decode()} was read back")


def end_the_program(path):
    path.write_bytes(b"half")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("write", "check", "error", "message"),
    [
        (fail_on_a_full_disk, None, CannotSave, "No space left"),
        (lambda path: path.write_bytes(b"new"), fail_when_read_back, CannotSave, "new was read"),
        (end_the_program, None, KeyboardInterrupt, None),
    ],
)
def test_the_earlier_file_stays_and_nothing_else(tmp_path, write, check, error, message):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error, match=message):
        write_atomically(path, write, check)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
