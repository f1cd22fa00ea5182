"""What napari calls for files and sample data."""

from pathlib import Path

import nibabel
import npe2
import numpy as np
import pytest
import SimpleITK as sitk
import yaml
from napari.layers import Labels, Layer
from numpy.testing import assert_allclose, assert_array_equal
from pydicom import dcmread
from pydicom.uid import generate_uid

from napari_medvlm import _reader, _sample_data, _writer
from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.geometry.display import displayed
from napari_medvlm.io import Segment, read_volume, write_mask
from napari_medvlm.io.medical_images import MEDICAL
from napari_medvlm.io.raster_images import PICTURES, TIFFS
from napari_medvlm.layers import labels_of, layer_data, volume_of
from tests.conftest import make_phantom
from tests.io.conftest import PATIENT
from tests.io.dicom_files import write_series

DATA = np.random.default_rng(0).integers(0, 900, (5, 7, 8)).astype(np.int16)


def test_a_scan_is_read_as_a_layer_at_its_place(tmp_path):
    volume = make_phantom()[0]
    write_mask(tmp_path / "scan.nrrd", volume.data - volume.data.min(), volume)
    (data,) = _reader.get_reader(str(tmp_path / "scan.nrrd"))(str(tmp_path / "scan.nrrd"))
    layer = Layer.create(*data)
    assert_allclose(layer.data_to_world((3, 4, 5)), volume.grid.to_world((3, 4, 5)))
    assert volume_of(layer).name == "scan"


def test_a_segmentation_of_3d_slicer_opens_as_labels_with_its_names(tmp_path):
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 1:3, 2:4] = 2
    image = sitk.GetImageFromArray(labels)
    for field, value in {"Name": "liver", "LabelValue": "2", "Color": "1 0.5 0"}.items():
        image.SetMetaData(f"Segment0_{field}", value)
    sitk.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    (data,) = _reader.get_reader(str(tmp_path / "a.seg.nrrd"))(str(tmp_path / "a.seg.nrrd"))
    layer = Layer.create(*data)
    assert isinstance(layer, Labels)
    assert (layer.data == 2).sum() == 4
    assert "liver" in list(layer.features["object"])


def test_each_series_of_a_folder_is_a_layer(tmp_path):
    write_series(tmp_path / "a", DATA, SeriesDescription="T1", SeriesNumber=1)
    write_series(tmp_path / "b", DATA, SeriesDescription="T2", SeriesNumber=2)
    layers = _reader.get_reader(str(tmp_path))(str(tmp_path))
    assert [keywords["name"] for _, keywords, _ in layers] == ["T1", "T2"]


def test_dropped_slices_are_read_as_their_series(tmp_path):
    write_series(tmp_path, DATA)
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    ((data, _, _),) = _reader.get_reader(files)(files)
    assert data.shape == DATA.shape


def test_napari_offers_every_ending_that_is_read():
    manifest = yaml.safe_load((Path(_reader.__file__).parent / "napari.yaml").read_text("utf-8"))
    patterns = set(manifest["contributions"]["readers"][0]["filename_patterns"])
    assert set(_reader.MEDICAL) == set(MEDICAL)
    assert set(_reader.PICTURES) == {*PICTURES, *TIFFS}
    assert {f"*{ending}" for ending in (*MEDICAL, *PICTURES, *TIFFS)} <= patterns


@pytest.mark.parametrize(
    "name",
    [
        *("I0", "I00", "IM000001", "IMAGE_A", "XX_00012345", "1.2.840.113619.2.5", "1.2.840.99"),
        "a.IMA",
    ],
)
def test_a_dicom_file_without_an_ending_is_opened(tmp_path, name):
    write_series(tmp_path / "series", DATA[:1])
    path = (tmp_path / "series" / "000.dcm").rename(tmp_path / name)
    npe2.PluginManager.instance().discover()
    ((data, _, _),) = npe2.read([str(path)], stack=False, plugin_name="napari-medvlm")
    assert_array_equal(data, DATA[:1])


@pytest.mark.parametrize("name", ["a.h5", "a.hdf5", "a.csv", "a.mp4", "a.jp2", "NOTES.txt"])
def test_files_of_others_are_not_offered(name):
    readers = npe2.PluginManager.instance().iter_compatible_readers([name])
    assert "napari-medvlm" not in {reader.command.split(".")[0] for reader in readers}


def test_the_viewer_on_a_cd_does_not_hide_its_images(tmp_path):
    for i in range(60):
        (tmp_path / "BIN").mkdir(exist_ok=True)
        (tmp_path / "BIN" / f"viewer{i:02d}.dll").write_bytes(bytes(200))
        (tmp_path / f"autorun{i:02d}.inf").write_text("[autorun]")
    write_series(tmp_path / "DICOM" / "S1", DATA)
    for i, path in enumerate(sorted((tmp_path / "DICOM" / "S1").iterdir())):
        path.rename(path.with_name(f"I{i}0"))
    for folder in (tmp_path, tmp_path / "DICOM"):
        ((data, _, _),) = _reader.get_reader(str(folder))(str(folder))
        assert_array_equal(data, DATA)


def test_what_is_not_ours_is_left_to_others(tmp_path):
    (tmp_path / "table.csv").write_text("a,b")
    assert _reader.get_reader(str(tmp_path / "table.csv")) is None
    assert _reader.get_reader(str(tmp_path)) is None


def test_a_folder_with_one_unreadable_series_reports_the_reason(tmp_path):
    write_series(tmp_path, DATA)
    next(tmp_path.glob("*2.dcm")).unlink()
    with pytest.raises(InvalidImage, match="missing"):
        _reader.get_reader(str(tmp_path))(str(tmp_path))


def test_without_a_window_the_remedy_for_several_volumes_names_the_window(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5, 2)), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InvalidImage, match="a.nii holds 2 volumes") as raised:
        _reader.get_reader(str(tmp_path / "a.nii"))(str(tmp_path / "a.nii"))
    assert "napari window, which asks" in raised.value.hint
    assert "command line" not in raised.value.hint


@pytest.mark.parametrize("degrees", [(0, 0, 0), (0, 0, 30)])
def test_our_masks_are_written_on_the_scans_own_grid(tmp_path, degrees):
    volume, left, _ = make_phantom(degrees=degrees)
    _, keywords, _ = layer_data(volume)
    labels = left.astype(np.uint8)
    view = displayed(labels, volume.grid, order=0)  # as in the viewer: resliced where oblique
    meta = {
        "affine": keywords["affine"],
        "metadata": {"medvlm": {"role": "mask", "volume": volume, "labels": labels}},
    }
    path = tmp_path / "mask.nii.gz"
    assert _writer.write_labels(str(path), view, meta) == [str(path)]
    saved = read_volume(path)
    assert_array_equal(saved.data, labels)
    assert_allclose(saved.affine, volume.affine, atol=1e-4)


def test_labels_of_others_are_written_where_they_stand(tmp_path):
    layer = Labels(DATA % 4, scale=(3, 1, 2), translate=(5, 6, 7))
    data, meta, _ = layer.as_layer_data_tuple()
    _writer.write_labels(str(tmp_path / "labels.nrrd"), data, meta)
    saved = read_volume(tmp_path / "labels.nrrd")
    assert_allclose(saved.grid.to_world((1, 2, 3)), (8, 8, 13), atol=1e-6)


def test_a_structure_set_beside_its_series_is_read_with_names_and_colours(tmp_path, monkeypatch):
    reported = []
    monkeypatch.setattr("napari.utils.notifications.show_warning", reported.append)
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    write_series(tmp_path, DATA, **uids, **PATIENT)
    volume = read_volume(tmp_path)
    path = tmp_path / "x.rtstruct.dcm"
    write_mask(path, DATA > 450, volume, {1: Segment("liver", "#00ff00")})
    (data,) = _reader.get_reader(str(path))(str(path))
    layer = Layer.create(*data)
    assert_array_equal(labels_of(layer, volume), DATA > 450)
    assert list(layer.features["object"]) == ["none", "liver"]
    assert_allclose(layer.get_color(1), (0, 1, 0, 1))
    assert not reported
    made = dcmread(path)
    made.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"
    made.save_as(path)
    _reader.get_reader(str(path))(str(path))
    assert reported == ["1 contour of liver: a single point, left out."]


def test_the_samples_are_a_brain_and_a_slice():
    ((brain, keywords, kind),) = _sample_data.mni152()
    assert kind == "image"
    assert brain.shape == (189, 233, 197)
    assert keywords["affine"][2, 2] == -1
    ((slice_, _, _),) = _sample_data.ct_slice()
    assert slice_.shape == (1, 128, 128)
