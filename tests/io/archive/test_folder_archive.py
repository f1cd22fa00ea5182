"""A folder is searched as a PACS is, whatever else lies in it."""

import pytest

from napari_medvlm.data.errors import ArchiveError, Cancelled
from napari_medvlm.io.archive.base import Query
from napari_medvlm.io.archive.folder_archive import DicomTree
from tests.io.dicom_files import write_series


def go_on(fraction, message):
    """Progress that nobody looks at."""


@pytest.fixture
def folder(tmp_path, phantom):
    data = phantom[0].data[:4]
    for patient, day in (("A^A", "20260101"), ("B^B", "20250101")):
        write_series(
            tmp_path / patient,
            data,
            PatientName=patient,
            StudyDate=day,
            StudyInstanceUID=f"1.{day}",
        )
    return tmp_path


def test_what_is_no_dicom_or_damaged_is_passed_over(folder):
    (folder / "notes.txt").write_text("seen")
    (folder / "cut.dcm").write_bytes(bytes(128) + b"DICM" + b"\x08\x00\xff")
    studies = DicomTree(folder).studies(Query(), go_on)
    assert [study.patient_name for study in studies] == ["A A", "B B"]


def test_a_search_can_be_cancelled(folder):
    def stop(fraction, message):
        raise Cancelled

    with pytest.raises(Cancelled):
        DicomTree(folder).studies(Query(), stop)


def test_results_are_copied_and_found(folder, tmp_path_factory, phantom):
    elsewhere = tmp_path_factory.mktemp("made")
    write_series(elsewhere, phantom[0].data[:1], Modality="SEG", StudyInstanceUID="1.20250101")
    tree = DicomTree(folder)
    tree.store(list(elsewhere.iterdir()), go_on)
    (study,) = tree.studies(Query(modality="SEG"), go_on)
    assert study.patient_name in ("B B", "Secret Name")
    assert {series.modality for series in tree.series(study)} == {"CT", "SEG"}


def test_a_folder_that_is_gone_is_reported(tmp_path):
    with pytest.raises(ArchiveError, match=r"no folder.*Choose another"):
        DicomTree(tmp_path / "gone").studies(Query(), go_on)
