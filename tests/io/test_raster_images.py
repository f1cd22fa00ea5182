"""Pictures: grey, colour, several pages, upright."""

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io import read_volume

GREY = np.random.default_rng(0).integers(0, 255, (20, 30)).astype(np.uint8)
COLOR = np.random.default_rng(1).integers(0, 255, (20, 30, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_grey_picture_is_one_slice(tmp_path, suffix):
    Image.fromarray(GREY).save(tmp_path / f"grey{suffix}")
    volume = read_volume(tmp_path / f"grey{suffix}")
    assert_array_equal(volume.data, GREY[None])
    assert "taken as 1 mm" in volume.notes[0]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_a_colour_picture_stays_in_colour_without_transparency(tmp_path, suffix):
    rgba = np.dstack([COLOR, GREY])
    Image.fromarray(rgba).save(tmp_path / f"color{suffix}")
    volume = read_volume(tmp_path / f"color{suffix}")
    assert volume.is_color
    assert_array_equal(volume.data, COLOR[None])


def test_a_jpeg_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(COLOR).save(tmp_path / "turned.jpg", exif=exif)
    assert read_volume(tmp_path / "turned.jpg").shape == (1, 30, 20)


def test_pages_of_a_tiff_are_slices(tmp_path):
    stack = np.random.default_rng(2).integers(0, 60_000, (5, 20, 30)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack)
    assert_array_equal(read_volume(tmp_path / "stack.tif").data, stack)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_damaged_picture_is_reported(tmp_path, suffix):
    Image.fromarray(COLOR).save(tmp_path / f"whole{suffix}")
    content = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(content[: len(content) // 3])
    with pytest.raises(InvalidImage, match="cannot be read as a picture"):
        read_volume(tmp_path / f"cut{suffix}")
    (tmp_path / f"text{suffix}").write_text("no picture")
    with pytest.raises(InvalidImage, match="cannot be read as a picture"):
        read_volume(tmp_path / f"text{suffix}")
