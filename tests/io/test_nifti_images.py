"""NIfTI and MGH: units, orientation, scaling and headers that are odd, checked with SimpleITK."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from numpy.testing import assert_allclose, assert_array_equal

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.frames import affine_from_lps, affine_from_ras
from napari_medvlm.io import read_volume

DATA = np.random.default_rng(0).integers(0, 900, (11, 9, 7)).astype(np.int16)
"""``(x, y, z)``, as nibabel has it."""
AFFINE = np.array([[-1.0, 0, 0, 30], [0, 1.5, 0, -20], [0, 0, 2, 5], [0, 0, 0, 1]])


def save(path, affine=AFFINE, codes=(1, 1), other=None, unit="mm", data=DATA):
    """Write with the codes of sform and qform; the qform is `other` if it is given."""
    image = nibabel.Nifti1Image(data, affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine if other is None else other, codes[1])
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)
    return path


def itk_affine(path):
    image = sitk.ReadImage(str(path))
    return affine_from_lps(image.GetDirection(), image.GetSpacing(), image.GetOrigin())


def patched(path, *changes):
    """The file with bytes at an offset replaced, as ``(offset, format, value)``."""
    content = bytearray(path.read_bytes())
    for offset, form, value in changes:
        struct.pack_into(form, content, offset, value)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1)])
@pytest.mark.parametrize(("unit", "of_mm"), [("meter", 1e-3), ("micron", 1e3), ("unknown", 1)])
def test_lengths_are_millimetres_whatever_unit_the_header_names(tmp_path, unit, of_mm, codes):
    scaled = np.diag([of_mm, of_mm, of_mm, 1]) @ AFFINE
    volume = read_volume(save(tmp_path / "a.nii.gz", scaled, codes, unit=unit))
    assert_allclose(volume.affine, affine_from_ras(AFFINE), rtol=1e-5, atol=1e-4)
    assert_allclose(volume.affine, itk_affine(tmp_path / "a.nii.gz"), rtol=1e-5, atol=1e-4)
    assert volume.notes == (
        ()
        if unit == "unknown"
        else (f"The header gives lengths in {unit}s; they were converted to mm.",)
    )


@pytest.mark.parametrize("ending", [".nii", ".img"])
def test_no_orientation_is_noted(tmp_path, ending):
    kind = nibabel.Nifti1Image if ending == ".nii" else nibabel.Nifti1Pair
    image = kind(DATA, AFFINE)
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / f"a{ending}")
    volume = read_volume(tmp_path / f"a{ending}")
    assert [note for note in volume.notes if "sides are unknown" in note] == list(volume.notes)
    assert volume.spacing == (2, 1.5, 1)


def test_analyze_has_no_orientation(tmp_path):
    nibabel.save(nibabel.AnalyzeImage(DATA, np.diag([1, 1.5, 2, 1])), tmp_path / "a.img")
    volume = read_volume(tmp_path / "a.img")
    assert volume.spacing == (2, 1.5, 1)
    assert volume.notes == ("An Analyze file has no orientation: sides are unknown.",)


def test_the_qform_counts_where_the_sform_contradicts_the_voxel_size(tmp_path):
    other = np.diag([-0.5078, -0.5078, 0.5, 1])
    volume = read_volume(save(tmp_path / "a.nii", np.diag([-1.0, -1, 1, 1]), other=other))
    assert_allclose(volume.spacing, sitk.ReadImage(str(tmp_path / "a.nii")).GetSpacing()[::-1])
    assert_allclose(volume.affine, affine_from_ras(other), atol=1e-6)
    assert volume.notes == (
        "The voxel size of the sform (1 x 1 x 1) and of pixdim (0.5078 x 0.5078 x 0.5) differ; "
        "the qform was used. Check lengths and volumes.",
    )


def test_a_voxel_size_without_a_qform_that_differs_is_noted(tmp_path):
    other = np.diag([-0.5, -0.5, 0.5, 1])
    path = save(tmp_path / "a.nii", np.diag([-1.0, -1, 1, 1]), (1, 0), other)
    volume = read_volume(path)
    assert volume.spacing == (1, 1, 1)
    assert "the sform was used" in volume.notes[0]


def test_an_sform_at_another_position_is_used_and_noted(tmp_path):
    other = AFFINE.copy()
    other[:3, 3] += (0, 3, 4)
    volume = read_volume(save(tmp_path / "a.nii", other=other))
    assert_allclose(volume.affine, affine_from_ras(AFFINE))
    assert volume.notes == (
        "The sform and the qform place the image up to 5.0 mm apart; the sform was used.",
    )


def test_a_rounded_qform_is_not_noted(tmp_path):
    other = AFFINE.copy()
    other[:3, 3] += 0.01
    assert read_volume(save(tmp_path / "a.nii", other=other)).notes == ()


@pytest.mark.parametrize(("codes", "assumed"), [((0, 1), True), ((0, 0), True), ((1, 1), False)])
def test_a_voxel_size_of_0_is_assumed(tmp_path, codes, assumed):
    path = save(tmp_path / "a.nii", np.diag([1.0, 1, 1, 1]), codes)
    patched(path, *((offset, "<f", 0.0) for offset in (80, 84, 88)))
    volume = read_volume(path)
    assert volume.spacing_is_assumed is assumed
    assert volume.spacing == (1, 1, 1)


@pytest.mark.parametrize("fault", ["intercept", "offset"])
def test_headers_that_nibabel_refuses_are_read_as_simpleitk_reads_them(tmp_path, fault):
    path = save(tmp_path / "a.nii")
    if fault == "intercept":
        patched(path, (112, "<f", 1.0), (116, "<f", np.nan))
    else:  # without the four bytes between header and voxels
        content = patched(path, (108, "<f", 348.0)).read_bytes()
        path.write_bytes(content[:348] + content[352:])
    volume = read_volume(path)
    assert_array_equal(volume.data, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    assert_array_equal(volume.data, DATA.T)
    assert_allclose(volume.affine, affine_from_ras(AFFINE))
    assert "not valid" in volume.notes[0]


@pytest.mark.parametrize(
    ("changes", "message", "remedy"),
    [
        ([(70, "<h", 1536), (72, "<h", 128)], "data code 1536 not supported", "32-bit numbers"),
        ([(70, "<h", 1), (72, "<h", 1)], "data code 1 not supported", "16-bit integers"),
        ([(42, "<h", -11)], r"gives the shape \(-11, 9, 7\)", "again"),
        ([(42, "<h", 0)], r"gives the shape \(0, 9, 7\)", "again"),
        ([(40, "<h", 0)], "gives the shape", "again"),
        ([(108, "<f", 1e30)], r"begin at byte 1e\+30, behind the end", "Set vox_offset"),
        ([(108, "<f", np.nan)], "begin at byte nan", "Set vox_offset"),
        ([(108, "<f", -np.inf)], "begin at byte -inf", "Set vox_offset"),
    ],
)
def test_headers_that_cannot_be_read_are_refused_with_the_reason(
    tmp_path, changes, message, remedy
):
    with pytest.raises(InvalidImage, match=message) as refused:
        read_volume(patched(save(tmp_path / "a.nii"), *changes))
    assert remedy in refused.value.hint


@pytest.mark.parametrize("offset", [0, 348])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_an_offset_that_the_size_of_the_file_contradicts_is_refused(tmp_path, offset, ending):
    content = patched(save(tmp_path / "a.nii"), (108, "<f", float(offset))).read_bytes()
    path = tmp_path / f"b{ending}"
    path.write_bytes(gzip.compress(content) if ending == ".nii.gz" else content)
    with pytest.raises(InvalidImage, match=f"begin at byte {offset}, its size .* at 352"):
        read_volume(path)


def test_a_cifti_file_is_refused_by_its_kind(tmp_path):
    brain = nibabel.cifti2.BrainModelAxis.from_mask(
        np.ones((4, 4, 4), bool), affine=np.eye(4), name="thalamus_left"
    )
    axes = (nibabel.cifti2.ScalarAxis(["a"]), brain)
    image = nibabel.Cifti2Image(np.zeros((1, 64), np.float32), header=axes)
    nibabel.save(image, tmp_path / "a.dscalar.nii")
    with pytest.raises(InvalidImage, match="is a CIFTI file") as refused:
        read_volume(tmp_path / "a.dscalar.nii")
    assert "wb_command" in refused.value.hint


def test_a_file_that_is_not_compressed_is_read_and_noted(tmp_path):
    content = save(tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(content)
    volume = read_volume(tmp_path / "b.nii.gz")
    assert_array_equal(volume.data, DATA.T)
    assert volume.notes == ("The file is not compressed by gzip, unlike its name.",)


def test_a_compressed_file_under_a_plain_name_is_refused_with_the_right_name(tmp_path):
    content = save(tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii").write_bytes(gzip.compress(content))
    with pytest.raises(InvalidImage, match="compressed by gzip") as refused:
        read_volume(tmp_path / "b.nii")
    assert refused.value.hint == "Rename it to b.nii.gz."


@pytest.mark.parametrize("ending", [".hdr", ".hdr.gz", ".img", ".img.gz"])
def test_both_files_of_a_pair_open_it(tmp_path, ending):
    nibabel.save(nibabel.Nifti1Pair(DATA, AFFINE), tmp_path / "a.hdr")
    for part in (".hdr", ".img"):
        content = (tmp_path / f"a{part}").read_bytes()
        (tmp_path / f"a{part}.gz").write_bytes(gzip.compress(content))
    volume = read_volume(tmp_path / f"a{ending}")
    assert_array_equal(volume.data, DATA.T)
    assert_allclose(volume.affine, affine_from_ras(AFFINE))


# nibabel leaves the file of a header to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("name", ["a.mgz", "a.mgh"])
def test_freesurfers_files_are_read(tmp_path, name):
    nibabel.save(nibabel.MGHImage(DATA.astype(np.int32), AFFINE), tmp_path / name)
    volume = read_volume(tmp_path / name)
    assert_array_equal(volume.data, DATA.T)
    assert_allclose(volume.affine, affine_from_ras(AFFINE), atol=1e-5)
    assert volume.name == "a"


def test_a_file_of_freesurfer_without_orientation_is_noted(tmp_path):
    nibabel.save(nibabel.MGHImage(DATA.astype(np.int32), AFFINE), tmp_path / "a.mgz")
    content = bytearray(gzip.decompress((tmp_path / "a.mgz").read_bytes()))
    struct.pack_into(">h", content, 28, 0)  # goodRASFlag
    (tmp_path / "a.mgz").write_bytes(gzip.compress(content))
    volume = read_volume(tmp_path / "a.mgz")
    assert volume.spacing == (1, 1, 1)
    assert volume.spacing_is_assumed
    assert "goodRASFlag is 0" in volume.notes[0]


@pytest.mark.parametrize("frame", [0, 3, 5])
@pytest.mark.parametrize("slope", [None, 0.5])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_one_volume_of_five_axes_is_read(tmp_path, frame, slope, ending):
    data = np.random.default_rng(1).integers(0, 900, (5, 4, 3, 2, 3)).astype(np.int16)
    image = nibabel.Nifti1Image(data, np.eye(4))
    if slope:
        image.header.set_slope_inter(slope, -10)
    nibabel.save(image, tmp_path / f"a{ending}")
    values = np.asanyarray(nibabel.load(tmp_path / f"a{ending}").dataobj)
    expected = values.reshape(5, 4, 3, 6, order="F")[..., frame].T
    volume = read_volume(tmp_path / f"a{ending}", frame=frame)
    assert_allclose(volume.data, expected, rtol=1e-6)
    assert volume.data.dtype == (np.float32 if slope else np.int16)


def test_scaled_values_are_read_within_5_5_bytes_a_voxel(tmp_path):
    import tracemalloc

    image = nibabel.Nifti1Image(np.zeros((128, 128, 100), np.int16), np.eye(4))
    image.header.set_slope_inter(0.5, -10)
    nibabel.save(image, tmp_path / "a.nii.gz")
    read_volume(tmp_path / "a.nii.gz")  # libraries are imported
    tracemalloc.start()
    volume = read_volume(tmp_path / "a.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak / volume.data.size < 5.5
