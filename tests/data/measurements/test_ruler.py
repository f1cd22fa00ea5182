"""Lengths and angles in millimetres."""

import csv
import math

import numpy as np
import pytest

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.measurements.ruler import COLUMNS, Ruler, write_rulers

RIGHT = Ruler("corner", np.array([[3.0, 0, 0], [0, 0, 0], [0, 0, 4.0]]))
LINE = Ruler("line", np.array([[1.0, 2, 2], [0, 0, 0]]))


def test_a_line_has_a_length_and_three_places_an_angle():
    assert (LINE.length_mm, LINE.text) == (3, "3.0 mm")
    assert math.isnan(LINE.angle_deg)
    assert RIGHT.angle_deg == pytest.approx(90)
    assert (RIGHT.length_mm, RIGHT.text) == (7, "90.0°")


def test_an_angle_without_an_arm_is_a_length():
    assert Ruler("", np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 2]])).text == "2.0 mm"


def test_the_table_has_values_and_places(tmp_path):
    write_rulers(tmp_path / "lines.csv", [LINE, RIGHT])
    with (tmp_path / "lines.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["length_mm"], rows[0]["angle_deg"]) == ("3.0", "")
    assert rows[1]["angle_deg"] == "90.0"
    assert rows[1]["third_l_mm"] == "4.0"


def test_a_line_in_an_image_of_unknown_pixel_size_is_in_pixels(tmp_path):
    unknown = Ruler("line", LINE.points_mm, in_mm=False)
    assert unknown.text == "3.0 px"
    assert math.isnan(unknown.length_mm)
    write_rulers(tmp_path / "lines.csv", [unknown])
    with (tmp_path / "lines.csv").open() as file:
        assert next(csv.DictReader(file))["length_mm"] == ""


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(CannotSave, match=r"lines\.csv could not be written"):
        write_rulers(tmp_path / "none" / "lines.csv", [LINE])
