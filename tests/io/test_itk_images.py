"""NRRD and MetaImage: units and sizes that the header lacks."""

import bz2
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.io import read_volume

DATA = np.random.default_rng(0).integers(0, 900, (7, 9, 11)).astype("<i2")
NRRD = "NRRD0005\ntype: short\ndimension: 3\nsizes: 11 9 7\nendian: little\n"
META = "ObjectType = Image\nNDims = 3\nDimSize = 11 9 7\nElementType = MET_SHORT\n"
DIRECTIONS = "space: left-posterior-superior\nspace directions: (0.5,0,0) (0,0.5,0) (0,0,2)\n"


def nrrd(path, fields="", encoding="raw", content=None):
    header = f"{NRRD}{fields}encoding: {encoding}\n\n"
    path.write_bytes(header.encode() + (DATA.tobytes() if content is None else content))
    return path


def meta(path, fields=""):
    path.write_bytes(f"{META}{fields}ElementDataFile = LOCAL\n".encode() + DATA.tobytes())
    return path


@pytest.mark.parametrize(
    ("unit", "mm"),
    [("mm", 1), ("microns", 1e-3), ("um", 1e-3), ("µm", 1e-3), ("cm", 10), ("m", 1000), ("", 1)],
)
def test_a_nrrd_is_in_millimetres_whatever_unit_it_names(tmp_path, unit, mm):
    units = "space units: " + " ".join([f'"{unit}"'] * 3) + "\n"
    origin = "space origin: (1,2,3)\n"
    volume = read_volume(nrrd(tmp_path / "a.nrrd", DIRECTIONS + origin + units))
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    assert_allclose(volume.spacing, np.multiply(image.GetSpacing()[::-1], mm))
    assert_allclose(volume.affine[:3, 3], np.multiply(image.GetOrigin()[::-1], mm))
    assert_array_equal(volume.data, DATA)
    converted = (f"The header gives lengths in {unit}; they were converted to mm.",)
    assert volume.notes == (() if mm == 1 else converted)


def test_units_of_plain_spacings_are_converted(tmp_path):
    fields = 'spacings: 380 380 2000\nunits: "um" "um" "um"\n'
    assert_allclose(read_volume(nrrd(tmp_path / "a.nrrd", fields)).spacing, (2, 0.38, 0.38))


@pytest.mark.parametrize("units", ['"px" "px" "px"', '"mm" "mm" "cm"'])
def test_a_unit_that_is_not_read_is_noted(tmp_path, units):
    volume = read_volume(nrrd(tmp_path / "a.nrrd", DIRECTIONS + f"space units: {units}\n"))
    assert volume.spacing == (2, 0.5, 0.5)
    assert "taken as mm" in volume.notes[0]


@pytest.mark.parametrize(
    ("unit", "mm"), [("DistanceUnits = um\n", 1e-3), ("DistanceUnits = mm\n", 1), ("", 1)]
)
@pytest.mark.parametrize("field", ["ElementSpacing", "ElementSize"])
def test_a_metaimage_is_in_millimetres(tmp_path, unit, mm, field):
    volume = read_volume(meta(tmp_path / "a.mha", f"{field} = 1 2 3\n{unit}"))
    assert_allclose(volume.spacing, np.multiply((3, 2, 1), mm))
    assert len(volume.notes) == (mm != 1) + 1
    assert "sides are unknown" in volume.notes[-1]


@pytest.mark.parametrize("write", [nrrd, meta])
def test_a_missing_voxel_size_is_assumed(tmp_path, write):
    volume = read_volume(write(tmp_path / ("a.nrrd" if write is nrrd else "a.mha")))
    assert volume.spacing == (1, 1, 1)
    assert volume.spacing_is_assumed
    assert volume.notes[0] == "The file has no voxel size; 1 mm is assumed."
    assert "sides are unknown" in volume.notes[1]


@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_what_simpleitk_writes_has_a_size(tmp_path, suffix):
    image = sitk.GetImageFromArray(DATA)
    image.SetSpacing((0.5, 0.75, 2))
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    volume = read_volume(tmp_path / f"a{suffix}")
    assert volume.spacing == (2, 0.75, 0.5)
    assert volume.notes == ()


def test_bzip2_is_refused_with_the_remedy(tmp_path):
    path = nrrd(tmp_path / "a.nrrd", DIRECTIONS, "bzip2", bz2.compress(DATA.tobytes()))
    with pytest.raises(InvalidImage, match="compressed by bzip2") as refused:
        read_volume(path)
    assert "gzip" in refused.value.hint


def test_dicom_under_the_name_of_an_image_or_a_picture_is_read(tmp_path):
    from pydicom.data import get_testdata_file

    content = Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes()
    for name in ("a.img", "a.tif", "a.nrrd"):
        (tmp_path / name).write_bytes(content)
        assert read_volume(tmp_path / name).shape == (1, 128, 128)
