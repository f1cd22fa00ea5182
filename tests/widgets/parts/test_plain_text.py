"""Texts from outside are shown as they are, and load nothing."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QImage

from napari_medvlm.data.grounding import NotFound
from napari_medvlm.widgets.ground.region_table import RegionTable
from napari_medvlm.widgets.parts.markdown_view import MarkdownView
from napari_medvlm.widgets.parts.plain_text import PlainLabel, plain


@pytest.fixture
def picture(tmp_path):
    """The path of a red picture."""
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(QColor("red"))
    image.save(str(tmp_path / "private.png"))
    return tmp_path / "private.png"


def has_red(widget):
    shot = widget.grab().toImage()
    red = QColor("red")
    columns, rows = range(0, shot.width(), 3), range(0, shot.height(), 3)
    return any(shot.pixelColor(x, y) == red for x in columns for y in rows)


@pytest.mark.parametrize("address", ["file://{}", "{}", "file:{}"])
def test_a_picture_that_an_answer_names_is_not_loaded(qtbot, picture, address):
    view = MarkdownView()
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show_markdown(f"Normal. ![x]({address.format(picture)})")
    assert not has_red(view)


@pytest.mark.parametrize("text", ['<img src="/x.png">', "a < b", "<b>bold</b>", "plain"])
def test_a_tooltip_is_never_html(text):
    assert not Qt.mightBeRichText(plain(text))
    assert plain(text).replace("\u200b", "") == text


def test_a_reason_of_a_backend_is_a_plain_tooltip(qtbot, picture):
    table = RegionTable()
    qtbot.addWidget(table)
    table.show_regions([], [NotFound("liver", f'<img src="{picture}">')])
    assert not Qt.mightBeRichText(table.topLevelItem(0).toolTip(0))


def test_a_label_shows_the_text_itself(qtbot, picture):
    label = PlainLabel(f'<img src="{picture}">')
    qtbot.addWidget(label)
    label.resize(300, 60)
    assert not has_red(label)
