"""Masks that are written, read by the libraries of their formats."""

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.io import Segment, write_separately
from tests.corpus.itk_rows import DATA, OBLIQUE, itk_image

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
GREATEST = {
    1: "uint8",
    255: "uint8",
    256: "uint16",
    65535: "uint16",
    65536: "int32",
    70000: "int32",
    2**31 - 1: "int32",
    2**31: "uint32",
    2**32 - 1: "uint32",
}


@pytest.fixture
def volume(tmp_path):
    sitk.WriteImage(itk_image(), str(tmp_path / "image.nrrd"))
    return nmv.read_volume(tmp_path / "image.nrrd")


def read_by_others(path):
    """The values ``(z, y, x)`` and the 4 x 4 from ``(x, y, z)`` to LPS millimetres."""
    if ".nii" in path.name:
        image = nibabel.load(path)
        return np.asarray(image.dataobj).T, np.diag([-1, -1, 1, 1]) @ image.affine
    image = sitk.ReadImage(str(path))
    lps = np.eye(4)
    lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    lps[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), lps


@pytest.mark.parametrize("greatest", GREATEST, ids=[f"io09-{value}" for value in GREATEST])
@pytest.mark.parametrize("ending", ENDINGS)
def test_labels_are_written_as_they_are_at_the_place_of_the_image(
    tmp_path, volume, ending, greatest
):
    labels = np.zeros(DATA.shape, np.int64)
    labels[1, 2, 3], labels[2] = 1, greatest
    nmv.write_mask(tmp_path / f"a{ending}", labels, volume)
    values, lps = read_by_others(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(values, labels)
    assert values.dtype.name == GREATEST[greatest]
    np.testing.assert_allclose(lps, OBLIQUE, atol=1e-5)


@pytest.mark.parametrize("value", [0.7, -1, 2**32, np.nan, np.inf, 1j], ids=lambda v: f"io09-{v}")
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_no_label_is_refused_and_no_file_is_left(tmp_path, volume, ending, value):
    labels = np.zeros(DATA.shape, np.asarray(value).dtype)
    labels[1, 1, 1] = value
    with pytest.raises(CannotSave, match="cannot hold"):
        nmv.write_mask(tmp_path / f"a{ending}", labels, volume)
    assert not (tmp_path / f"a{ending}").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_io24_names_of_250_bytes_are_written(tmp_path, volume, ending):
    path = tmp_path / ("x" * (250 - len(ending)) + ending)
    nmv.write_mask(path, DATA > 30, volume)
    np.testing.assert_array_equal(read_by_others(path)[0], DATA > 30)


@pytest.mark.parametrize("name", ["肝臓" * 60, "a/b\\c:d", "x" * 300, ".."])
def test_io24_files_of_objects_have_names_that_a_disk_takes(tmp_path, volume, name):
    (path,) = write_separately(tmp_path / "a.nii.gz", {1: DATA > 30}, volume, {1: Segment(name)})
    assert path.parent == tmp_path
    assert len(path.name.encode()) < 255
    np.testing.assert_array_equal(read_by_others(path)[0], DATA > 30)
