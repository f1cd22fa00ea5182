"""Questions about a DICOM folder, asked in the real window and answered by a person."""

import nibabel
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydicom.uid import generate_uid
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QInputDialog, QMessageBox

from napari_medvlm.data.errors import InvalidImage
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.convert import volume_of
from napari_medvlm.widgets.parts.series_dialog import SeriesDialog
from napari_medvlm.widgets.parts.spacing_dialog import SpacingDialog, set_spacing
from tests.io.dicom_files import dataset, save, write_series

DATA = np.random.default_rng(0).integers(0, 900, (6, 7, 8)).astype(np.int16)


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(show=True)


def answer(act):
    """Have a person act on the dialog as soon as it is there."""

    def look():
        dialog = QApplication.activeModalWidget()
        if dialog is None:
            QTimer.singleShot(20, look)
        else:
            act(dialog)

    QTimer.singleShot(0, look)


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_the_user_chooses_among_series_by_name(viewer, tmp_path):
    write_series(tmp_path / "a", DATA, SeriesDescription="T1", SeriesNumber=1)
    write_series(tmp_path / "b", DATA[:4], SeriesDescription="T2", SeriesNumber=2)
    seen = []

    def act(dialog):
        seen.extend(dialog.list.item(row).text() for row in range(dialog.list.count()))
        seen.append([info.description for info in dialog.chosen()])
        dialog.list.item(0).setCheckState(Qt.CheckState.Unchecked)
        dialog.list.item(1).setCheckState(Qt.CheckState.Checked)
        buttons = dialog.findChild(QDialogButtonBox)
        buttons.button(QDialogButtonBox.StandardButton.Open).click()

    answer(act)
    viewer.open(str(tmp_path), plugin="napari-medvlm")
    assert seen == ["1: T1 (CT, 6 images)", "2: T2 (CT, 4 images)", ["T1"]]
    assert names(viewer) == ["T2"]


def test_closing_the_question_opens_nothing(viewer, tmp_path):
    write_series(tmp_path / "a", DATA, SeriesDescription="T1", SeriesNumber=1)
    write_series(tmp_path / "b", DATA, SeriesDescription="T2", SeriesNumber=2)
    answer(SeriesDialog.reject)
    viewer.open(str(tmp_path), plugin="napari-medvlm")
    assert names(viewer) == []


@pytest.mark.parametrize(
    ("button", "slices"), [("Interpolate missing slices", 6), ("Largest evenly spaced part", 3)]
)
def test_the_user_chooses_how_to_fill_a_gap(viewer, tmp_path, button, slices):
    write_series(tmp_path, DATA)
    missing_one(tmp_path)
    texts = []

    def act(dialog):
        texts.append(dialog.text())
        next(b for b in dialog.buttons() if b.text() == button).click()

    answer(act)
    viewer.open(str(tmp_path), plugin="napari-medvlm")
    assert "1 slice is missing" in texts[0]
    assert viewer.layers[0].data.shape[0] == slices


def test_a_scan_with_a_gap_may_be_left_closed(viewer, tmp_path):
    write_series(tmp_path, DATA)
    missing_one(tmp_path)
    answer(QMessageBox.reject)
    viewer.open(str(tmp_path), plugin="napari-medvlm")
    assert names(viewer) == []


def choose(number, texts):
    """Choose the volume at an index and open it."""

    def act(dialog):
        texts.append(dialog.labelText())
        texts.extend(dialog.comboBoxItems())
        dialog.setTextValue(dialog.comboBoxItems()[number])
        dialog.accept()

    return act


def test_the_user_chooses_a_volume_of_a_4d_file(viewer, tmp_path):
    data, texts = np.random.default_rng(0).normal(size=(6, 7, 5, 3)).astype(np.float32), []
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "bold.nii.gz")
    answer(choose(2, texts))
    (layer,) = viewer.open(str(tmp_path / "bold.nii.gz"), plugin="napari-medvlm")
    assert "bold.nii.gz holds 3 volumes." in texts[0]
    assert texts[1:] == ["1 of 3: frame 0", "2 of 3: frame 1", "3 of 3: frame 2"]
    assert_array_equal(volume_of(layer).data, data[..., 2].T)
    answer(QInputDialog.reject)
    viewer.open(str(tmp_path / "bold.nii.gz"), plugin="napari-medvlm")
    assert len(viewer.layers) == 1


def test_the_user_chooses_an_echo_and_how_to_fill_its_gap(viewer, tmp_path):
    uid, texts = generate_uid(), []
    for echo in (10, 20):
        series = tmp_path / str(echo)
        write_series(series, DATA + echo, EchoTime=echo, SeriesInstanceUID=uid)
        missing_one(series)

    def then_fill(dialog):
        choose(1, texts)(dialog)
        answer(lambda box: box.buttons()[0].click())

    answer(then_fill)
    (layer,) = viewer.open(str(tmp_path), plugin="napari-medvlm")
    assert texts[1:] == ["1 of 2: 10", "2 of 2: 20"]
    assert volume_of(layer).shape == DATA.shape
    assert_array_equal(volume_of(layer).data[0], DATA[0] + 20)


def missing_one(folder):
    """Take away the third slice."""
    from pydicom import dcmread

    (third,) = (p for p in folder.iterdir() if dcmread(p).InstanceNumber == 3)
    third.unlink()


def fill(sizes):
    def act(dialog):
        for box, mm in zip(dialog.sizes, sizes, strict=True):
            box.setValue(mm)
        dialog.accept()

    return act


def test_a_size_that_no_file_states_is_asked_for(viewer, tmp_path):
    path = tmp_path / "picture.dcm"
    made = dataset(DATA[0], Modality="SC")
    assert "PixelSpacing" not in made
    save(made, path)
    answer(fill([1, 0.5, 0.25]))
    (layer,) = viewer.open(str(path), plugin="napari-medvlm")
    volume = volume_of(layer)
    assert volume.spacing == pytest.approx((1, 0.5, 0.25))
    assert "Voxels of 1 x 0.5 x 0.25 mm, set by hand." in volume.notes
    assert not volume.spacing_is_assumed
    answer(SpacingDialog.reject)
    (again,) = viewer.open(str(path), plugin="napari-medvlm")
    assert volume_of(again).spacing == (1, 1, 1)


def test_a_wrong_size_is_set_from_the_menu(viewer, tmp_path):
    write_series(tmp_path / "a", DATA, SeriesDescription="T1", SeriesNumber=1)
    (layer,) = viewer.open(str(tmp_path), plugin="napari-medvlm")
    before = volume_of(layer)
    wanted = [2 * mm for mm in before.spacing]
    answer(fill(wanted))
    set_spacing(viewer)
    (after,) = map(volume_of, viewer.layers)
    assert after.spacing == pytest.approx(wanted)
    assert after.affine[:3, 3] == pytest.approx(before.affine[:3, 3])
    assert viewer.layers[0].extent.world.max() > layer.extent.world.max()


@pytest.mark.parametrize("spacing", [(1, 1), (1, 0, 1), (1, float("nan"), 1)])
def test_impossible_sizes_are_refused(spacing):
    with pytest.raises(InvalidImage, match="three positive numbers"):
        Volume(DATA).spaced(spacing)
