"""A header reads the data next to it, and no other file of the computer."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_array_equal

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io.detached_data import data_names
from napari_medvlm.io.medical_images import read_image

DATA = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
NRRD = (
    "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 5 4 3\nspacings: 1 1 1\nencoding: raw\n"
    "data file: {}\n"
)
META = (
    "ObjectType = Image\nNDims = 3\nDimSize = 5 4 3\nElementSpacing = 1 1 1\n"
    "ElementType = MET_UCHAR\nElementDataFile = {}\n"
)
HEADERS = [("a.nhdr", NRRD), ("a.nrrd", NRRD), ("a.mhd", META), ("a.mha", META)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "image" / "data").mkdir(parents=True)
    for position in ("secret.raw", "image/a.raw", "image/data/a.raw"):
        (tmp_path / position).write_bytes(DATA.tobytes())
    for z, slice_2d in enumerate(DATA):
        (tmp_path / "image" / f"s{z + 1:03d}.raw").write_bytes(slice_2d.tobytes())
    return tmp_path / "image"


@pytest.mark.parametrize(("name", "header"), HEADERS)
@pytest.mark.parametrize("data", ["../secret.raw", "data/../../secret.raw", "{}/secret.raw"])
def test_data_outside_the_folder_of_the_header_are_refused(folder, name, header, data):
    (folder / name).write_text(header.format(data.format(folder.parent)))
    with pytest.raises(InvalidImage, match=f"{name} names a data file outside its folder"):
        read_image(folder / name)


@pytest.mark.parametrize(("name", "header"), HEADERS)
@pytest.mark.parametrize("data", ["a.raw", "./a.raw", "data/a.raw", "{}/a.raw"])
def test_data_beside_the_header_or_below_are_read_as_simpleitk_does(folder, name, header, data):
    (folder / name).write_text(header.format(data.format(folder)))
    assert_array_equal(read_image(folder / name).data, DATA)


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("a.nhdr", NRRD.format("LIST 2\ns001.raw\ns002.raw\ns003.raw"), True),
        ("a.nhdr", NRRD.format("s%03d.raw 1 3 1 2"), True),
        ("a.mhd", META.format("LIST\ns001.raw\ns002.raw\ns003.raw"), True),
        ("a.mhd", META.format("s%03d.raw 1 3 1"), True),
        ("a.nhdr", NRRD.format("LIST 2\ns001.raw\n../secret.raw\ns003.raw"), False),
        ("a.mhd", META.format("LIST\ns001.raw\n../secret.raw\ns003.raw"), False),
        ("a.mhd", META.format("../s%03d.raw 1 3 1"), False),
        ("a.mhd", META.format("../s%5.3d.raw"), False),
    ],
)
def test_each_of_several_data_files_counts(folder, name, text, right):
    (folder / name).write_text(text)
    if right:
        assert_array_equal(read_image(folder / name).data, DATA)
        assert list(data_names(folder / name)) == ["s001.raw", "s002.raw", "s003.raw"]
        assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(folder / name)), DATA)
    else:
        with pytest.raises(InvalidImage, match="outside its folder"):
            read_image(folder / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(("name", "header"), HEADERS)
def test_a_pipe_as_data_is_refused_at_once(folder, name, header):
    os.mkfifo(folder / "pipe")
    (folder / name).write_text(header.format("pipe"))
    with pytest.raises(InvalidImage, match="names pipe as its data, which is not an ordinary"):
        read_image(folder / name)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_data_in_the_header_file_are_no_data_files(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    sitk.WriteImage(sitk.GetImageFromArray(DATA), path)
    assert list(data_names(path)) == []
    assert_array_equal(read_image(path).data, DATA)
