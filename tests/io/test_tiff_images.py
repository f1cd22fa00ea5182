"""TIFF: the size of a pixel, orientation, pages, samples and compression, checked with Pillow."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageOps

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io import read_volume

GREY = np.arange(600, dtype=np.uint16).reshape(20, 30)
STACK = np.random.default_rng(0).integers(0, 900, (6, 20, 30)).astype(np.uint16)
COLOR = np.random.default_rng(1).integers(0, 255, (20, 30, 3)).astype(np.uint8)


def by_pillow(path):
    return np.asarray(ImageOps.exif_transpose(Image.open(path)))


@pytest.mark.parametrize(
    ("unit", "of_mm"), [("mm", 1), ("µm", 1000), (None, 1000), ("nm", 1e6), ("cm", 0.1)]
)
def test_an_ome_tiff_states_its_size(tmp_path, unit, of_mm):
    sizes = dict(zip("ZYX", np.multiply((2.0, 0.25, 0.5), of_mm), strict=True))
    metadata = {"axes": "ZYX", **{f"PhysicalSize{a}": mm for a, mm in sizes.items()}}
    if unit:
        metadata |= {f"PhysicalSize{axis}Unit": unit for axis in "ZYX"}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=metadata)
    volume = read_volume(tmp_path / "a.ome.tif")
    assert_allclose(volume.spacing, (2, 0.25, 0.5))
    assert_array_equal(volume.data, STACK)
    assert volume.notes == ()


@pytest.mark.parametrize(("unit", "per_unit"), [("mm", 4), ("micron", 0.004), ("inch", 101.6)])
def test_a_tiff_of_imagej_states_its_size(tmp_path, unit, per_unit):
    metadata = {"axes": "ZYX", "spacing": 8 / per_unit, "unit": unit}
    tifffile.imwrite(
        tmp_path / "a.tif",
        STACK,
        imagej=True,
        resolution=(per_unit, per_unit / 2),
        metadata=metadata,
    )
    assert_allclose(read_volume(tmp_path / "a.tif").spacing, (2, 0.5, 0.25), rtol=1e-4)


@pytest.mark.parametrize(("resolution", "unit"), [((40, 20), "CENTIMETER"), ((300, 150), "INCH")])
def test_the_resolution_of_a_page_is_used_and_noted(tmp_path, resolution, unit):
    tifffile.imwrite(tmp_path / "a.tif", GREY, resolution=resolution, resolutionunit=unit)
    volume = read_volume(tmp_path / "a.tif")
    mm = 10 if unit == "CENTIMETER" else 25.4
    assert_allclose(volume.spacing, (1, mm / resolution[1], mm / resolution[0]))
    assert "is from the resolution in the file" in volume.notes[0]
    assert volume.notes[1] == "The thickness of the slice is unknown; it was taken as 1 mm."


@pytest.mark.parametrize("written", [{}, {"resolution": (72, 72), "resolutionunit": "INCH"}])
def test_a_size_that_is_not_in_the_file_is_asked_for_stacks_alone(tmp_path, written):
    tifffile.imwrite(tmp_path / "stack.tif", STACK, **written)
    tifffile.imwrite(tmp_path / "grey.tif", GREY, **written)
    assert read_volume(tmp_path / "stack.tif").spacing_is_assumed
    volume = read_volume(tmp_path / "grey.tif")
    assert not volume.spacing_is_assumed
    assert volume.notes == ("The size of a pixel is unknown; it was taken as 1 mm.",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_page_is_turned_upright(tmp_path, orientation):
    path = tmp_path / "a.tif"
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(path, GREY, extratags=tags, resolution=(40, 20), resolutionunit="CENTIMETER")
    volume = read_volume(path)
    image = Image.fromarray(GREY)
    image.getexif()[274] = orientation
    assert_array_equal(volume.data[0], np.asarray(ImageOps.exif_transpose(image)))
    columns, rows = (0.25, 0.5) if orientation < 5 else (0.5, 0.25)
    assert_allclose(volume.spacing, (1, rows, columns))


def test_the_greatest_pages_are_read_and_the_others_noted(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(STACK[0, ::4, ::4])
        file.write(STACK)
    volume = read_volume(tmp_path / "a.tif")
    assert_array_equal(volume.data, STACK)
    assert "1 page of another size (5 x 8) left out." in volume.notes


@pytest.mark.parametrize(("axis", "name"), [("T", "frames in time"), ("C", "channels")])
def test_what_is_no_slice_is_noted(tmp_path, axis, name):
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata={"axes": f"{axis}YX"})
    volume = read_volume(tmp_path / "a.ome.tif")
    assert_array_equal(volume.data, STACK)
    assert f"The 6 {name} of the file are shown as slices." in volume.notes


def test_channels_of_a_stack_are_refused_with_their_axes(tmp_path):
    data = np.stack([STACK, STACK])
    tifffile.imwrite(tmp_path / "a.ome.tif", data, ome=True, metadata={"axes": "CZYX"})
    with pytest.raises(InvalidImage, match=r"\(2, 6, 20, 30\) \(CZYX\)"):
        read_volume(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("width", [3, 4])
def test_a_narrow_stack_is_no_colour_picture(tmp_path, width):
    tifffile.imwrite(tmp_path / "a.tif", STACK[..., :width], photometric="minisblack")
    volume = read_volume(tmp_path / "a.tif")
    assert_array_equal(volume.data, STACK[..., :width])


def test_planar_colours_are_colours(tmp_path):
    planes = np.moveaxis(COLOR, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    assert_array_equal(read_volume(tmp_path / "a.tif").data[0], COLOR)


def test_a_palette_is_colours(tmp_path):
    image = Image.fromarray(COLOR).convert("P", palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "a.tif")
    right = np.asarray(Image.open(tmp_path / "a.tif").convert("RGB"))
    assert_array_equal(read_volume(tmp_path / "a.tif").data[0], right)


def test_white_as_0_is_inverted(tmp_path):
    grey = GREY.astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", grey, photometric="miniswhite")
    assert_array_equal(read_volume(tmp_path / "a.tif").data[0], by_pillow(tmp_path / "a.tif"))
    assert_array_equal(read_volume(tmp_path / "a.tif").data[0], 255 - grey)


def test_inks_are_converted_to_colours(tmp_path):
    Image.fromarray(COLOR).convert("CMYK").save(tmp_path / "a.tif")
    right = np.asarray(Image.open(tmp_path / "a.tif").convert("RGB"))
    assert_array_equal(read_volume(tmp_path / "a.tif").data[0], right)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_values_keep_their_type(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(dtype))
    data = read_volume(tmp_path / "a.tif").data
    assert data.dtype == dtype
    assert_array_equal(data[0], GREY.astype(dtype))


def test_a_16_bit_png_keeps_its_values(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert_array_equal(read_volume(tmp_path / "a.png").data[0], GREY)


def test_only_the_first_frame_of_an_animation_is_read_and_noted(tmp_path):
    frames = [Image.fromarray(np.full((5, 6), v, np.uint8)) for v in (10, 200)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    volume = read_volume(tmp_path / "a.png")
    assert volume.data.max() == 10
    assert "Only the first of 2 frames was read." in volume.notes


TAG = b"\x03\x01\x03\x00\x01\x00\x00\x00"
"""Compression, 259, of one short number."""
CODES = (b"\x05\x00", b"\x98\x87")
"""LZW, 5, and JPEG 2000, 34712."""
PLAIN_INSTALLATION = """
import sys
sys.modules["imagecodecs"] = None
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io import read_volume
import numpy as np
for name in ("grey", "stack", "jpeg", "turned"):
    np.save(f"{sys.argv[1]}/{name}.npy", read_volume(f"{sys.argv[1]}/{name}.tif").data)
try:
    read_volume(f"{sys.argv[1]}/other.tif")
except InvalidImage as error:
    assert "imagecodecs" in error.hint, error
else:
    raise AssertionError
"""


def test_compressed_pages_are_read_without_imagecodecs(tmp_path):
    eight = GREY.astype(np.uint8)
    Image.fromarray(eight).save(tmp_path / "grey.tif", compression="tiff_lzw")
    pages = [Image.fromarray(page) for page in STACK]
    pages[0].save(
        tmp_path / "stack.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw"
    )
    Image.fromarray(eight).save(tmp_path / "jpeg.tif", compression="jpeg", quality=95)
    turned = {274: 6}
    Image.fromarray(eight).save(tmp_path / "turned.tif", compression="tiff_lzw", tiffinfo=turned)
    lzw, jpeg2000 = (tag + code for tag, code in zip([TAG] * 2, CODES, strict=True))
    content = (tmp_path / "grey.tif").read_bytes()
    (tmp_path / "other.tif").write_bytes(content.replace(lzw, jpeg2000))
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_INSTALLATION, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert_array_equal(np.load(tmp_path / "grey.npy")[0], eight)
    assert_array_equal(np.load(tmp_path / "stack.npy"), STACK)
    assert_array_equal(np.load(tmp_path / "jpeg.npy")[0], by_pillow(tmp_path / "jpeg.tif"))
    assert_array_equal(np.load(tmp_path / "turned.npy")[0], np.rot90(eight, -1))
