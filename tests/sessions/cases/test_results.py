"""Files of results of a case, and lists of others that name files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import CannotSave, MedVLMError
from napari_medvlm.data.measurements.ruler import Ruler
from napari_medvlm.io.archive.servers import Server, remember
from napari_medvlm.io.dicom_objects.seg_read import read_seg
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.sessions.cases.case_list import Case, MaskFormat
from napari_medvlm.sessions.cases.case_sources import path_of
from napari_medvlm.sessions.cases.case_store import CaseBook
from napari_medvlm.sessions.cases.results import write_results
from napari_medvlm.worker.runner import InlineRunner
from tests.conftest import make_phantom
from tests.io.archive.test_dicomweb import make


def go_on(fraction, message):
    pass


@pytest.fixture
def session():
    volume, left, right = make_phantom()
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        session.add(nmv.InitialMask.of(volume, left))
        session.wait()
        yield session


def test_results_are_a_mask_the_session_and_a_table(session, tmp_path):
    made = write_results(session, Case(name="one"), tmp_path, MaskFormat.NIFTI)
    assert [Path(p).name for p in made] == [
        "one.nii.gz",
        "one.tsv",
        "one_session.json",
        "one_measurements.csv",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(Path(p).name for p in made)
    assert (nmv.read_volume(made[0]).data > 0).sum() == session.mask.sum()
    assert Ledger.load(made[2]).image.digest == session.volume.digest
    with Path(made[3]).open() as file:
        (row,) = csv.DictReader(file)
    assert int(row["voxels"]) == session.mask.sum()


def test_distances_of_a_case_are_a_table_that_goes_with_them(session, tmp_path):
    ruler = Ruler("length", np.array([[0.0, 0, 0], [0, 3, 4]]))
    case = Case(name="one")
    made = write_results(session, case, tmp_path, MaskFormat.NIFTI, [ruler])
    assert Path(made[-1]).name == "one_lines.csv"
    with Path(made[-1]).open() as file:
        (row,) = csv.DictReader(file)
    assert (row["name"], float(row["length_mm"])) == ("length", 5)
    known = case.model_copy(update={"results": made})
    write_results(session, known, tmp_path, MaskFormat.NIFTI)
    assert not Path(made[-1]).exists()


def test_results_replace_their_own_and_never_those_of_another_case(session, tmp_path):
    case = Case(name="one")
    (tmp_path / "one_session.json").write_text("of somebody else")
    first = write_results(session, case, tmp_path, MaskFormat.NIFTI)
    assert Path(first[0]).name == "one_2.nii.gz"
    session.add(nmv.Point.at_index(session.volume, (12, 20, 33)), session.add_object("other"))
    session.set_overlap(Overlap.BOTH)
    session.wait()
    known = case.model_copy(update={"results": first})
    again = write_results(session, known, tmp_path, MaskFormat.NIFTI)
    assert [Path(p).name for p in again[:2]] == [
        "one_2_1_Object_1.nii.gz",
        "one_2_2_other.nii.gz",
    ]
    assert not Path(first[0]).exists()
    assert (tmp_path / "one_session.json").read_text() == "of somebody else"


def test_results_of_a_dicom_series_are_a_segmentation(tmp_path):
    make(tmp_path / "ct")
    volume = nmv.read_volume(tmp_path / "ct")
    with nmv.SegmentationSession(volume, runner=InlineRunner()) as session:
        session.add(nmv.Point.at_index(volume, (6, 12, 8)))
        session.wait()
        made = write_results(session, Case(name="one"), tmp_path / "out", MaskFormat.SEG)
    assert Path(made[0]).name == "one.dcm"
    assert read_seg(Path(made[0])).names == {1: "Object 1"}


def test_results_that_cannot_be_written_leave_nothing(session, tmp_path):
    with pytest.raises(CannotSave, match="DICOM"):
        write_results(session, Case(name="one"), tmp_path, MaskFormat.SEG)
    assert not list(tmp_path.iterdir())


def foreign_list(file, folder, **case):
    """The file of a list that somebody else wrote, with one case."""
    content = {"title": "t", "folder": str(folder), "cases": [{"name": "k", **case}]}
    file.write_text(json.dumps(content))
    return file


def test_a_case_list_from_elsewhere_names_no_results(session, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("thesis.docx", "k_session.json"):
        (mine / name).write_text("mine")
    files = [str(mine / name) for name in ("thesis.docx", "k_session.json")]
    path = foreign_list(tmp_path / "x.cases.json", mine, path="x.nii", results=files)
    with CaseBook(path) as book:
        assert (book.list.folder, book.list["k"].results) == ("", ())
        book.change(lambda known: known.writing_to(str(mine), MaskFormat.NIFTI))
        written = write_results(session, book.list["k"], mine, MaskFormat.NIFTI)
        book.change(lambda known: known.done("k", written))
    assert (mine / "thesis.docx").read_text() == (mine / "k_session.json").read_text() == "mine"
    with CaseBook(path) as again:
        assert (again.list.folder, again.list["k"].results) == (str(mine), written)
        assert write_results(session, again.list["k"], mine, MaskFormat.NIFTI) == written


def test_only_files_with_the_names_of_a_case_are_replaced(session, tmp_path):
    (tmp_path / "thesis.docx").write_text("mine")
    case = Case(name="k", path="x.nii", results=(str(tmp_path / "thesis.docx"),))
    write_results(session, case, tmp_path, MaskFormat.NIFTI)
    assert (tmp_path / "thesis.docx").exists()


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:9/dicom-web", "http://127.0.0.2:9\\@127.0.0.1:8/dicom-web"]
)
def test_a_server_that_only_a_list_names_is_not_asked(tmp_path, server):
    remember(Server("own", "http://127.0.0.1:8/dicom-web"))
    path = foreign_list(tmp_path / "x.cases.json", "", server=server, study="1.2", series="1.3")
    with (
        CaseBook(path) as book,
        pytest.raises(MedVLMError, match="not one of your servers|not the address of a server"),
    ):
        path_of(book.list["k"], go_on)
