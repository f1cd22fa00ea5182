"""The ending of a file that is saved follows the filter of the dialog."""

import numpy as np
import pytest
from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

from napari_medvlm.data.volume import Volume
from napari_medvlm.widgets.parts import dialogs
from napari_medvlm.widgets.parts.dialogs import ask_where_to_save, proposed_masks, with_ending

NIFTI, NRRD, MHA, SEG, LABEL_MAP, RTSTRUCT, STL = dialogs.MASKS.split(";;")
PROPOSED = "scan_mask.nii.gz"


@pytest.mark.parametrize(
    ("typed", "kind", "name"),
    [
        ("mask", NIFTI, "mask.nii.gz"),
        ("mask", NRRD, "mask.nrrd"),
        ("mask", STL, "mask.stl"),
        ("mask", RTSTRUCT, "mask.rtstruct.dcm"),
        ("mask", "", "mask.nii.gz"),
        ("scan.v2", MHA, "scan.v2.mha"),
        ("mask.nii", NIFTI, "mask.nii"),
        ("MASK.NII.GZ", NIFTI, "MASK.NII.GZ"),
        ("mask.nrrd", NIFTI, "mask.nrrd"),
        ("mask.stl", "", "mask.stl"),
        ("mask.dcm", SEG, "mask.dcm"),
        ("mask.dcm", LABEL_MAP, "mask.labelmap.dcm"),
        ("mask.labelmap.dcm", SEG, "mask.labelmap.dcm"),
        (PROPOSED, NIFTI, PROPOSED),
        (PROPOSED, NRRD, "scan_mask.nrrd"),
        (PROPOSED, SEG, "scan_mask.dcm"),
        (PROPOSED, "", PROPOSED),
    ],
)
def test_the_chosen_filter_gives_the_ending_unless_another_was_typed(typed, kind, name):
    assert with_ending(typed, PROPOSED, kind, dialogs.MASKS) == name


def test_a_segmentation_is_proposed_for_a_dicom_series_and_nifti_for_other_images():
    data = np.zeros((2, 3, 4), np.uint8)
    name, kinds = proposed_masks(Volume(data, name="chest", series="1.2.3"))
    assert name == "chest_mask.dcm"
    assert kinds.split(";;") == [SEG, NIFTI, NRRD, MHA, LABEL_MAP, RTSTRUCT, STL]
    assert with_ending(name, name, "", kinds) == name
    assert proposed_masks(Volume(data, name="chest")) == ("chest_mask.nii.gz", dialogs.MASKS)


@pytest.mark.parametrize(
    ("kinds", "ending"),
    [
        (dialogs.SESSION, ".json"),
        (dialogs.TALKS, ".html"),
        (dialogs.PAGES, ".html"),
        ("Table (*.csv)", ".csv"),
        ("DICOM report (*.dcm)", ".dcm"),
        ("Folder (*)", ""),
    ],
)
def test_every_kind_of_file_has_an_ending_and_a_folder_has_none(kinds, ending):
    assert with_ending("name", "proposed", "", kinds) == f"name{ending}"


@pytest.fixture
def parent(qtbot):
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.mark.parametrize("button", ["Yes", "No"])
def test_a_file_that_the_ending_leads_to_is_replaced_only_after_a_question(
    parent, tmp_path, monkeypatch, button
):
    asked, there = [], tmp_path / "mask.nrrd"
    there.touch()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "mask"), NRRD))

    def question(*args):
        asked.append(args[2])
        return QMessageBox.StandardButton[button]

    monkeypatch.setattr(QMessageBox, "question", question)
    path = ask_where_to_save(parent, "Save masks", PROPOSED, dialogs.MASKS)
    assert path == (there if button == "Yes" else None)
    assert asked == ["mask.nrrd already exists. Do you want to replace it?"]


def test_a_dialog_that_is_closed_gives_no_file(parent, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert ask_where_to_save(parent, "Save masks", PROPOSED, dialogs.MASKS) is None
