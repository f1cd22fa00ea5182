"""The Classify tab of the Ground dock: the table of descriptors of the user."""

from __future__ import annotations

import pytest
from qtpy.QtGui import QDesktopServices

from napari_medvlm.data.grounding import Scope
from napari_medvlm.language.descriptor_sheet import HERE, own_file
from napari_medvlm.widgets.ground.classify_tab import LabelsTab
from napari_medvlm.worker.runner import InlineRunner


@pytest.fixture
def tab(qtbot):
    widget = LabelsTab(InlineRunner(), lambda: (Scope(), None, None, "cpu"))
    qtbot.addWidget(widget)
    return widget


def test_the_table_of_descriptors_is_copied_and_opened(tab, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    assert not own_file().exists()
    tab.edit_descriptors.click()
    assert own_file().read_text("utf-8") == (HERE / "descriptors.yaml").read_text("utf-8")
    assert [url.toLocalFile() for url in opened] == [str(own_file())]


def test_a_table_of_the_user_is_left_as_it_is(tab, monkeypatch):
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _: None)
    own_file().parent.mkdir(parents=True, exist_ok=True)
    own_file().write_text("descriptors: {cyst: [round lucency]}\n")
    tab.edit_descriptors.click()
    assert own_file().read_text() == "descriptors: {cyst: [round lucency]}\n"
