"""Tables are whole or as they were before, and their texts are no formulas."""

from __future__ import annotations

import csv

import pytest

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.measurements.csv_file import cell, write_table


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_text_that_would_be_computed_gets_an_apostrophe(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["liver", "a=b", "", -1.5, None])
def test_other_values_stay(value):
    assert cell(value) == value


def test_the_table_is_read_back(tmp_path):
    write_table(tmp_path / "t.csv", ["name", "ml"], [("=x", -1.5), ('a, "b"', 2.0)])
    with (tmp_path / "t.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["name", "ml"], ["'=x", "-1.5"], ['a, "b"', "2.0"]]


def test_an_earlier_table_stays_if_writing_fails(tmp_path, monkeypatch):
    write_table(tmp_path / "t.csv", ["a"], [])
    before = (tmp_path / "t.csv").read_bytes()

    def full(path, content):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(CannotSave, match="No space left"):
        write_table(tmp_path / "t.csv", ["a"], [["b"]])
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_bytes() == before
