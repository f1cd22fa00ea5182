"""Sections that are collapsed under their title."""

import pytest
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_medvlm.widgets.parts.collapsible import Collapsible


@pytest.mark.parametrize(("first", "second"), [("white", "black"), ("black", "white")])
def test_the_arrow_has_the_colour_of_the_text_in_each_theme(qtbot, first, second):
    window = QWidget()
    qtbot.addWidget(window)
    section = Collapsible("Objects", "Objects of the image.", QLabel("none"))
    QVBoxLayout(window).addWidget(section)
    window.setStyleSheet(f"QWidget {{ color: {first}; }}")
    window.show()
    assert arrow_color(section) == QColor(first)
    window.setStyleSheet(f"QWidget {{ color: {second}; }}")
    qtbot.waitUntil(lambda: arrow_color(section) == QColor(second))
    section.expand()
    assert arrow_color(section) == QColor(second)


def arrow_color(section):
    """Of the pixel with the most of it."""
    image = section.toggleButton().icon().pixmap(64).toImage()
    points = [(x, y) for x in range(image.width()) for y in range(image.height())]
    x, y = max(points, key=lambda at: image.pixelColor(*at).alpha())
    color = image.pixelColor(x, y)
    return QColor(color.red(), color.green(), color.blue())
