"""Images come in where they lie, and masks go out to the same place."""

import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_medvlm.data.errors import CannotSave, GeometryMismatch, InvalidImage, MedVLMError
from napari_medvlm.data.geometry.frames import affine_from_lps, affine_from_ras, ras_matrix
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import read_volume, write_mask
from tests.data.test_geometry import ORIENTATIONS, affine_of

SHAPE = (7, 9, 11)
FORMATS = (".nii.gz", ".nii", ".nrrd", ".mha")


def data_of(shape=SHAPE, dtype=np.int16):
    return np.random.default_rng(0).integers(0, 2000, shape).astype(dtype)


def write_nifti(path, data, affine, **header):
    image = nibabel.Nifti1Image(data.T, ras_matrix(affine))
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)


def places(path):
    """The array and our affine, as SimpleITK and as nibabel read them."""
    image = sitk.ReadImage(str(path))
    itk = affine_from_lps(image.GetDirection(), image.GetSpacing(), image.GetOrigin())
    yield sitk.GetArrayFromImage(image), itk
    if ".nii" in path.name:
        other = nibabel.load(path)
        yield np.asarray(other.dataobj).T, affine_from_ras(other.affine)


CASES = [
    *((axes, signs, (3.0, 0.7, 1.2), (0, 0, 0)) for axes, signs in ORIENTATIONS),
    *((axes, (1, -1, 1), (2.5, 1.0, 0.8), (30, 0, 0)) for axes in itertools.permutations(range(3))),
]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize(("axes", "signs", "spacing", "degrees"), CASES)
def test_a_mask_lies_where_the_click_was(tmp_path, axes, signs, spacing, degrees, suffix):
    affine = affine_of(axes, signs, spacing, degrees, (-20.5, 31.25, 8))
    scan, out = tmp_path / "scan.nii.gz", tmp_path / f"mask{suffix}"
    data = data_of()
    write_nifti(scan, data, affine)
    volume = read_volume(scan)
    assert_array_equal(volume.data, data)
    assert_allclose(volume.affine, affine, atol=2e-5)
    world = volume.grid.to_world((2, 5, 8))
    clicked = Point(position_mm=tuple(world)).voxels(volume.grid)
    mask = np.zeros(volume.shape, bool)
    mask[tuple(clicked.T)] = True
    write_mask(out, mask, volume)
    for saved, place in places(out):
        assert_allclose(place, volume.affine, atol=1e-4)
        at = np.argwhere(saved)
        assert len(at) == 1
        assert_allclose(place[:3, :3] @ at[0] + place[:3, 3], world, atol=1e-3)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_is_read_back_exactly(tmp_path, suffix):
    volume = Volume(data_of(), affine_of((1, 0, 2), (1, 1, -1), (2, 0.5, 0.75), (0, 10, 20)))
    labels = data_of() % 5
    write_mask(tmp_path / f"mask{suffix}", labels, volume)
    again = read_volume(tmp_path / f"mask{suffix}")
    assert_array_equal(again.data, labels)
    assert again.data.dtype == np.uint8
    assert_allclose(again.affine, volume.affine, atol=1e-4 if ".nii" in suffix else 1e-9)


def test_qform_and_sform_agree(tmp_path):
    volume = Volume(data_of(), affine_of(spacing=(3, 1, 1), degrees=(0, 30, 0)))
    write_mask(tmp_path / "mask.nii.gz", volume.data > 0, volume)
    image = nibabel.load(tmp_path / "mask.nii.gz")
    assert (image.header["qform_code"], image.header["sform_code"]) == (1, 1)
    assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)


def test_a_sheared_scan_keeps_its_shear(tmp_path):
    affine = affine_of(spacing=(2, 1, 1))
    affine[1, 0] = 0.4
    write_nifti(tmp_path / "tilted.nii.gz", data_of(), affine)
    volume = read_volume(tmp_path / "tilted.nii.gz")
    assert_allclose(volume.affine, affine, atol=1e-6)
    write_mask(tmp_path / "mask.nii.gz", volume.data > 5, volume)
    assert_allclose(read_volume(tmp_path / "mask.nii.gz").affine, affine, atol=1e-6)


def test_slope_and_intercept_are_applied(tmp_path):
    image = nibabel.Nifti1Image(data_of().T, np.eye(4))
    image.header.set_slope_inter(2, -1024)
    nibabel.save(image, tmp_path / "scaled.nii")
    raw = nibabel.load(tmp_path / "scaled.nii")
    expected = np.asarray(raw.dataobj).T
    assert_allclose(read_volume(tmp_path / "scaled.nii").data, expected)


def test_one_volume_of_several_is_chosen(tmp_path):
    data = data_of((3, *SHAPE))
    nibabel.save(nibabel.Nifti1Image(data.T, np.eye(4)), tmp_path / "four.nii.gz")
    with pytest.raises(InvalidImage, match="holds 3 volumes") as refused:
        read_volume(tmp_path / "four.nii.gz")
    assert "frame=0 to frame=2" in refused.value.hint
    assert_array_equal(read_volume(tmp_path / "four.nii.gz", frame=1).data, data[1])
    with pytest.raises(InvalidImage, match="no volume 7"):
        read_volume(tmp_path / "four.nii.gz", frame=7)


def test_a_flat_image_is_a_volume_of_one_slice(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(data_of()[0]), str(tmp_path / "flat.mha"))
    assert read_volume(tmp_path / "flat.mha").shape == (1, 9, 11)
    nibabel.save(nibabel.Nifti1Image(data_of()[0].T, np.eye(4)), tmp_path / "flat.nii")
    assert read_volume(tmp_path / "flat.nii").shape == (1, 9, 11)


def test_nan_is_mended_and_reported(tmp_path):
    data = data_of(dtype=np.float32)
    data[0, 0, :3] = np.nan
    data[0, 1, 0] = np.inf
    write_nifti(tmp_path / "nan.nii.gz", data, np.eye(4))
    volume = read_volume(tmp_path / "nan.nii.gz")
    assert np.isfinite(volume.data).all()
    assert volume.notes[0].startswith("4 voxels")
    write_nifti(tmp_path / "all.nii.gz", np.full(SHAPE, np.nan, np.float32), np.eye(4))
    with pytest.raises(InvalidImage, match="All voxels"):
        read_volume(tmp_path / "all.nii.gz")


def bad(kind, folder):
    path = folder / {"text": "a.nii.gz", "nrrd": "a.nrrd"}.get(kind, f"{kind}.nii")
    if kind == "missing":
        return path
    if kind == "empty":
        path.write_bytes(b"")
    elif kind in ("text", "nrrd"):
        path.write_text("this is no image")
    elif kind == "rgb":
        rgb = np.zeros((4, 5, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")])
        nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), path)
    elif kind == "complex":
        nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 6), np.complex64), np.eye(4)), path)
    elif kind == "flat affine":
        header = nibabel.Nifti1Header()
        header["sform_code"], header["srow_y"], header["srow_z"] = 1, (0, 1, 0, 0), (0, 0, 1, 0)
        nibabel.save(nibabel.Nifti1Image(data_of().T, None, header), path)
    elif kind == "vector":
        path = folder / "vector.mha"
        sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 5, 6, 2)), isVector=True), str(path))
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "There is no missing.nii"),
        ("empty", "is empty"),
        ("text", "cannot be read as an image"),
        ("nrrd", "cannot be read as an image"),
        ("rgb", "several values a voxel"),
        ("complex", "several values a voxel"),
        ("vector", "several values a voxel"),
        ("flat affine", "affine cannot be inverted"),
    ],
)
def test_bad_files_are_reported_in_a_sentence_with_the_remedy(tmp_path, kind, message):
    with pytest.raises(InvalidImage, match=message) as refused:
        read_volume(bad(kind, tmp_path))
    assert refused.value.hint


def test_an_image_larger_than_the_memory_is_refused_with_sizes(tmp_path, monkeypatch):
    from types import SimpleNamespace

    write_nifti(tmp_path / "huge.nii.gz", data_of(), np.eye(4))
    sitk.WriteImage(sitk.GetImageFromArray(data_of()), str(tmp_path / "huge.nrrd"))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=100))
    for name in ("huge.nii.gz", "huge.nrrd"):
        with pytest.raises(InvalidImage, match=r"needs .* GiB of memory; 0\.0 GiB are free"):
            read_volume(tmp_path / name)


def test_an_image_beyond_the_limit_of_the_process_is_refused(tmp_path, monkeypatch):
    def allocate(*_):
        raise MemoryError

    write_nifti(tmp_path / "a.nii", data_of(), np.eye(4))
    monkeypatch.setattr("napari_medvlm.io.read_image", allocate)
    with pytest.raises(InvalidImage, match=r"a\.nii needs more memory than this program can have"):
        read_volume(tmp_path / "a.nii")


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 0.99), suffix=st.sampled_from(FORMATS))
def test_a_file_cut_off_anywhere_is_reported_or_read(tmp_path, share, suffix):
    whole, cut = tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}"
    if not whole.exists():
        sitk.WriteImage(sitk.GetImageFromArray(data_of()), str(whole), useCompression=True)
    content = whole.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    try:
        assert read_volume(cut).shape == SHAPE
    except MedVLMError as error:
        assert error.hint


def test_a_mask_of_another_shape_is_refused(tmp_path):
    with pytest.raises(GeometryMismatch, match="shape"):
        write_mask(tmp_path / "mask.nii", np.ones((2, 2, 2)), Volume(data_of()))


@pytest.mark.parametrize(
    ("name", "message"),
    [("mask.xyz", "no known ending"), ("nowhere/mask.nii", "there is no folder")],
)
def test_where_a_mask_cannot_be_saved_is_reported(tmp_path, name, message):
    with pytest.raises(CannotSave, match=message):
        write_mask(tmp_path / name, data_of() > 5, Volume(data_of()))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_full_disk_keeps_the_mask_that_was_there(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"mask{suffix}"
    write_mask(path, data_of() > 5, Volume(data_of()))
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nibabel.save", full)
    monkeypatch.setattr("SimpleITK.WriteImage", full)
    with pytest.raises(CannotSave, match="No space left"):
        write_mask(path, data_of() > 9, Volume(data_of()))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_many_labels_are_written_as_they_are(tmp_path):
    labels = data_of() % 700
    write_mask(tmp_path / "mask.nrrd", labels, Volume(data_of()))
    assert_array_equal(read_volume(tmp_path / "mask.nrrd").data, labels)
