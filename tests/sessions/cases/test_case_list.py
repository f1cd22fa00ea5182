"""A list of cases: what the user does with it, and what is still known after a crash."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import napari_medvlm as nmv
from napari_medvlm.data.errors import ArchiveError, CannotSave, CaseListError
from napari_medvlm.io.archive.base import Query
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.io.archive.folder_archive import DicomTree
from napari_medvlm.io.archive.servers import Server, remember
from napari_medvlm.sessions.cases.case_list import (
    Case,
    CaseList,
    MaskFormat,
    Status,
    Stopwatch,
    free_name,
)
from napari_medvlm.sessions.cases.case_sources import path_of
from napari_medvlm.sessions.cases.case_store import (
    CaseBook,
    book_of,
    book_of_studies,
    list_of,
    read_list,
    recent_lists,
)
from tests.conftest import make_phantom
from tests.io.archive.test_dicomweb import make

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
cases = st.builds(
    Case,
    name=texts.filter(bool),
    path=texts,
    series=texts,
    study=texts,
    server=texts,
    status=st.sampled_from(Status),
    reason=texts,
    seconds=st.floats(0, 1e7),
    results=st.lists(texts, max_size=3).map(tuple),
)
lists = st.builds(
    CaseList,
    title=texts,
    cases=st.lists(cases, max_size=6, unique_by=lambda c: c.name.casefold()).map(tuple),
    current=texts,
    folder=texts,
    format=st.sampled_from(MaskFormat),
)
DATED = "2026-01-01-CT-3-thorax__thin"
THREE = CaseList(title="t").joined(Case(name=n, path=f"/there/{n}") for n in "abc")


def go_on(fraction, message):
    """Progress that nobody looks at."""


@pytest.fixture
def images(tmp_path):
    """A folder with two NIfTI files and a DICOM series."""
    folder = tmp_path / "images"
    volume = make_phantom()[0]
    for name in ("b.nii.gz", "deep/a.nrrd"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        nmv.write_mask(folder / name, volume.data - volume.data.min(), volume)
    make(folder / "ct", SeriesDescription="thorax, thin")
    return folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(known=lists)
def test_what_is_written_is_read_back(tmp_path, known):
    path = tmp_path / "list.cases.json"
    path.unlink(missing_ok=True)
    with CaseBook(path, known) as book:
        book.change(lambda same: same)
    assert read_list(path) == known


@given(known=lists, found=st.lists(cases, max_size=6))
def test_joined_lists_keep_what_they_had_and_all_names_differ(known, found):
    joined = known.joined(found)
    assert joined.cases[: len(known.cases)] == known.cases
    assert len({c.name.casefold() for c in joined.cases}) == len(joined.cases)
    assert {c.key for c in found} <= {c.key for c in joined.cases}
    assert joined.joined(found) == joined


@given(name=texts, taken=st.frozensets(texts.map(str.casefold)))
def test_names_are_those_of_files(name, taken):
    found = free_name(name, taken)
    assert found.casefold() not in taken
    assert Path(found).name == found
    assert not found.startswith(".")


def test_a_new_case_is_in_work_when_it_is_opened_and_a_done_one_stays_done():
    opened = THREE.opened("b")
    assert opened["b"].status is Status.IN_WORK
    assert opened.in_work == opened["b"]
    done = opened.done("b", ["/results/b.nii.gz"])
    assert done.in_work is None
    assert done.opened("b")["b"].status is Status.DONE
    assert done.progress == "1 of 3 done"
    assert done.rejected("c", " blurred ").progress == "1 of 3 done, 1 rejected"
    assert done.rejected("c", " blurred ")["c"].reason == "blurred"


def test_a_case_is_not_rejected_without_a_reason():
    with pytest.raises(CaseListError, match="for a reason"):
        THREE.rejected("a", "  ")


def test_next_and_previous_go_through_the_cases_that_are_shown():
    assert THREE.neighbour(1).name == "a"
    assert THREE.neighbour(-1).name == "c"
    done = THREE.opened("a").opened("b").done("b", []).opened("a")
    assert done.neighbour(1).name == "b"
    assert done.neighbour(1, [Status.NEW]).name == "c"
    assert done.neighbour(-1) is None


def test_the_case_opened_last_is_gone_on_with():
    both = THREE.opened("a").opened("c").opened("b")
    assert both.in_work.name == "b"
    assert both.done("b", []).in_work.name == "a"


def test_time_counts_only_during_work_and_for_the_open_case(tmp_path):
    watch = Stopwatch()
    for now, running in enumerate([True, True, False, False, True, True]):
        watch.run(running, float(now))
    assert watch.take() == 3
    with CaseBook(tmp_path / "list.cases.json", THREE) as book:
        book.open_case("a")
        for now in range(8):
            book.tick(running=True, now_s=float(now))
        book.open_case("b")
        book.tick(running=True, now_s=9.0)
        book.tick(running=False, now_s=10.0)
        book.tick(running=False, now_s=100.0)
    kept = read_list(tmp_path / "list.cases.json")
    assert (kept["a"].seconds, kept["b"].seconds) == (7, 3)


def test_a_list_is_not_open_twice(tmp_path):
    path = tmp_path / "list.cases.json"
    with CaseBook(path, THREE), pytest.raises(CaseListError, match="another window"):
        CaseBook(path, THREE)
    CaseBook(path, THREE).close()


def test_a_killed_program_leaves_the_list_as_it_was_last(tmp_path):
    program = f"""
import os, pathlib
from napari_medvlm.sessions.cases.case_store import CaseBook
from napari_medvlm.sessions.cases.case_list import Case, CaseList
start = CaseList(title="t").joined(Case(name=n, path=n) for n in "abc")
book = CaseBook(pathlib.Path({str(tmp_path)!r}) / "list.cases.json", start)
book.open_case("b")
os.kill(os.getpid(), 9)
"""
    root = Path(__file__).parents[3]
    subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(root)}, check=False
    )
    with CaseBook(tmp_path / "list.cases.json") as book:
        assert book.list.in_work.name == "b"


def test_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    with CaseBook(tmp_path / "list.cases.json", THREE) as book:
        book.open_case("a")
        before = book.list
        with monkeypatch.context() as full:
            full.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
            with pytest.raises(CannotSave, match="No space left"):
                book.open_case("b")
        assert book.list == before == read_list(book.path)
    assert [p.name for p in tmp_path.iterdir()] == ["list.cases.json"]


def test_a_damaged_file_is_reported(tmp_path):
    path = tmp_path / "list.cases.json"
    for text in ("", "{", '{"title": "t", "version": 9}', "[]"):
        path.write_text(text)
        with pytest.raises(CaseListError, match="cannot be read as a list of cases"):
            CaseBook(path)


def test_a_folder_gives_its_series_and_images(images):
    with book_of(images, go_on) as book:
        assert [c.name for c in book.list.cases] == [DATED, "b", "deep_a"]
        for case in book.list.cases:
            found = nmv.read_volume(path_of(case, go_on), series=case.series or None)
            assert found.shape[0] in (12, 24)


def test_a_folder_is_gone_on_with_and_new_images_come_last(images):
    with book_of(images, go_on) as book:
        book.open_case("b")
        book.change(lambda known: known.writing_to(str(images / "out"), MaskFormat.NIFTI))
    (images / "out").mkdir()
    for name in ("out/b.nii.gz", "added.nii.gz"):
        (images / name).write_bytes((images / "b.nii.gz").read_bytes())
    (images / "deep" / "a.nrrd").unlink()
    with book_of(images, go_on) as book:
        assert [c.name for c in book.list.cases] == [DATED, "b", "deep_a", "added"]
        assert book.list.in_work.name == "b"
        assert [c.name for c in book.list.cases if c.is_missing] == ["deep_a"]
        with pytest.raises(CaseListError, match="deep_a is not there any more"):
            path_of(book.list["deep_a"], go_on)
    ((path, known),) = recent_lists()
    assert known.title == "images"
    assert read_list(path) == known


def test_an_empty_or_missing_folder_is_reported(tmp_path):
    with pytest.raises(CaseListError, match="There is no image"):
        book_of(tmp_path, go_on)
    with pytest.raises(CaseListError, match="There is no gone in"):
        book_of(tmp_path / "gone", go_on)
    with pytest.raises(ArchiveError, match="There is no folder"):
        DicomTree(tmp_path / "gone").studies(Query(), go_on)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_gives_its_rows(tmp_path, between):
    rows = [["Name", "path", "note"], ["first", "sub/x.nii.gz", "1"], ["", "/abs/y.nii.gz", "2"]]
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=between).writerows(rows)
    found = list_of(tmp_path / "t.csv", go_on)
    assert [(c.name, c.path) for c in found.cases] == [
        ("first", str(tmp_path / "sub/x.nii.gz")),
        ("y", "/abs/y.nii.gz"),
    ]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "no column 'path'"),
        ("a,b\n1,2\n", "no column 'path'"),
        ("path,name\nx,1\n,2\n", "Line 3 of t.csv has no path"),
    ],
)
def test_a_table_that_cannot_be_used_is_reported(tmp_path, text, reported):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CaseListError, match=reported):
        list_of(tmp_path / "t.csv", go_on)


def test_studies_that_were_found_give_their_images(images):
    tree = DicomTree(images)
    studies = tree.studies(Query(), go_on)
    with book_of_studies(tree, studies, go_on) as book:
        (case,) = book.list.cases
        assert "Secret" not in book.path.read_text()
        assert nmv.read_volume(case.path, series=case.series).shape[0] == 12


@pytest.mark.skipif(sys.platform != "linux", reason="Orthanc is Debian's")
def test_series_of_a_pacs_are_fetched_when_they_are_opened(signed_in, tmp_path):
    make(tmp_path / "ct", SeriesDescription="thorax")
    signed_in.put(tmp_path / "ct")
    pacs = DicomWeb(signed_in.url)
    with book_of_studies(pacs, pacs.studies(Query(), go_on), go_on) as book:
        book.open_case("2026-01-01-CT-3-thorax")
        case = book.list.in_work
        assert "Secret" not in book.path.read_text()
    assert not case.is_missing
    with CaseBook(book.path) as again:
        with pytest.raises(ArchiveError, match="not one of your servers"):
            path_of(again.list.in_work, go_on)
        remember(Server("Orthanc", signed_in.url))
        found = path_of(again.list.in_work, go_on)
    assert nmv.read_volume(found, series=case.series).shape[0] == 12
