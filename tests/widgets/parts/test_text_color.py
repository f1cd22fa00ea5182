"""Coloured text is readable in napari's themes and follows them."""

import pytest
from napari._qt.qt_resources import get_stylesheet
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor, QPalette
from qtpy.QtWidgets import QMainWindow, QTreeWidgetItem

from napari_medvlm.data.grounding import NotFound
from napari_medvlm.widgets.ground.region_table import RegionTable
from napari_medvlm.widgets.parts.text_color import TextColor
from napari_medvlm.widgets.parts.wrapped_label import WrappedLabel

LEAST_CONTRAST = 4.5
"""Of text, after WCAG 2.2, success criterion 1.4.3."""
THEMES = ("dark", "light")


def luminance(color):
    """Relative luminance, after WCAG 2.2."""
    values = QColor(color).getRgbF()[:3]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return sum(a * b for a, b in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", list(TextColor), ids=lambda color: color.name)
def test_each_colour_is_readable_on_the_backgrounds_of_the_themes(color):
    for theme, value in zip(THEMES, color.value, strict=True):
        colors = get_theme(theme)
        for background in (colors.background, colors.foreground):
            rgb = QColor(*background.as_rgb_tuple())
            least = LEAST_CONTRAST if background is colors.background else 3
            assert contrast(value, rgb) >= least, (theme, color)


@pytest.fixture
def window(qtbot):
    window = QMainWindow()
    qtbot.addWidget(window)
    window.setStyleSheet(get_stylesheet("dark"))
    window.show()
    return window


def test_a_text_takes_the_colour_for_another_theme(window, qtbot):
    label = WrappedLabel(color=TextColor.AMBER)
    window.setCentralWidget(label)
    label.show_text("Flagged")
    for theme, value in zip((*THEMES, "dark"), (*TextColor.AMBER.value, "#ffb454"), strict=True):
        window.setStyleSheet(get_stylesheet(theme))
        qtbot.waitUntil(
            lambda value=value: (
                label.palette().color(QPalette.ColorRole.WindowText) == QColor(value)
            )
        )


def test_a_phrase_that_was_not_found_takes_the_colour_for_another_theme(window, qtbot):
    table = RegionTable()
    window.setCentralWidget(table)
    table.show_regions([], [NotFound("kidney", "no such word", 0.1)])
    row: QTreeWidgetItem = table.topLevelItem(0)
    for theme, value in zip(THEMES, TextColor.GRAY.value, strict=True):
        window.setStyleSheet(get_stylesheet(theme))
        qtbot.waitUntil(lambda value=value: row.foreground(0).color() == QColor(value))
