"""The table of findings and their descriptors, of the package and of the user."""

from __future__ import annotations

import pytest

from napari_medvlm.data.classification import DESCRIBED
from napari_medvlm.data.errors import SettingsError
from napari_medvlm.language.descriptor_sheet import copy_for_user, load_sheet, own_file


def test_the_table_of_descriptors_is_complete():
    table = load_sheet().descriptors
    assert len(table) >= 24
    assert all(4 <= len(set(texts)) == len(texts) <= 7 for texts in table.values())
    assert load_sheet().sentences == DESCRIBED


def test_a_file_of_the_user_goes_before_that_of_the_package():
    assert copy_for_user() == own_file()
    assert load_sheet().descriptors["pneumothorax"]
    own_file().write_text(
        "present: There are {} indicating {}\n"
        "absent: There are no {} indicating {}\n"
        "descriptors:\n  Cyst:\n    - round lucency\n"
    )
    assert copy_for_user() == own_file()
    sheet = load_sheet()
    assert sheet.descriptors == {"cyst": ("round lucency",)}
    assert sheet.sentences == ("There are {} indicating {}", "There are no {} indicating {}")


@pytest.mark.parametrize(
    "text",
    [
        "- a list", "cyst: round", "descriptors: {cyst: [1]}", "descriptors: {cyst: []}",
        "present: there is {}", "absent: there is no {} indicating {x}{}",
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_line(tmp_path, text):
    own = tmp_path / "own.yaml"
    own.write_text(text)
    with pytest.raises(SettingsError, match=r"Line 1 of own\.yaml"):
        load_sheet(own)
