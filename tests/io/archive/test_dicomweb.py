"""A real PACS is searched, gives series and takes results, which come back as they were sent."""

import logging
import sys
from datetime import date

import numpy as np
import pytest
from pydicom.uid import generate_uid

import napari_medvlm as nmv
from napari_medvlm.data.errors import ArchiveError, BackendUnavailable, Cancelled
from napari_medvlm.data.geometry.grid import placed
from napari_medvlm.io.archive.base import Query
from napari_medvlm.io.archive.cache import Cache
from napari_medvlm.io.archive.dicomweb import DicomWeb
from napari_medvlm.io.archive.folder_archive import DicomTree
from napari_medvlm.io.archive.servers import Login, Server, keep_login, remember, servers
from napari_medvlm.io.dicom_objects.rtstruct_read import read_on_series
from napari_medvlm.io.dicom_objects.seg_read import read_seg
from napari_medvlm.io.dicom_objects.sr_read import read_sr
from napari_medvlm.sessions.export.dicom import results_of
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.runner import InlineRunner
from tests.conftest import make_phantom
from tests.io.conftest import COLUMN, PATIENT, ROW
from tests.io.dicom_files import write_series

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Orthanc is Debian's")

PATIENT_NAME = "Secret"
LYING = {
    "axial": {},
    "reversed": {"step": (0, 0, -2.5)},
    "oblique": {"row": ROW, "column": COLUMN},
}


def go_on(fraction, message):
    """Progress that nobody looks at."""


def make(folder, lying="axial", **values):
    data = make_phantom(shape=(12, 24, 28))[0].data
    uids = {"StudyInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    return write_series(folder, data, **LYING[lying], **{**uids, **PATIENT, **values})


@pytest.fixture
def archive(signed_in):
    return DicomWeb(signed_in.url)


@pytest.fixture(params=["pacs", "tree"])
def holding(request, tmp_path):
    """Gives an archive that holds what lies in a folder: the two kinds are asked the same way."""

    def holding(folder):
        if request.param == "tree":
            return DicomTree(folder)
        signed_in = request.getfixturevalue("signed_in")
        signed_in.put(folder)
        return DicomWeb(signed_in.url)

    return holding


def only_series(archive, query=Query()):  # noqa: B008
    (study,) = archive.studies(query, go_on)
    (series,) = archive.series(study)
    return series


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(patient_name="secret"),
        Query(patient_name="SECRET*"),
        Query(patient_name="secret name"),
        Query(patient_id="1"),
        Query(first=date(2026, 1, 1)),
        Query(first=date(2025, 12, 1), last=date(2026, 1, 1)),
        Query(modality="CT"),
        Query(description="thor"),
    ],
)
def test_what_fits_is_found(holding, tmp_path, query):
    uid = make(tmp_path, StudyDescription="Thorax")
    archive = holding(tmp_path)
    (study,) = archive.studies(query, go_on)
    assert (study.patient_name, study.patient_id) == ("Secret Name", "1")
    assert (study.day, study.description) == (date(2026, 1, 1), "Thorax")
    assert (study.modalities, study.series) == (("CT",), 1)
    (series,) = archive.series(study)
    assert (series.uid, series.number, series.images) == (uid, 3, 12)
    assert (series.description, series.modality) == ("AX", "CT")


@pytest.mark.parametrize(
    "query",
    [
        Query(patient_name="nobody"),
        Query(patient_id="2"),
        Query(last=date(2025, 12, 31)),
        Query(modality="MR"),
        Query(description="head"),
    ],
)
def test_what_does_not_fit_is_not_found(holding, tmp_path, query):
    make(tmp_path, StudyDescription="Thorax")
    assert holding(tmp_path).studies(query, go_on) == ()


def test_a_series_is_fetched_as_it_was_sent_with_a_picture(holding, tmp_path):
    make(tmp_path / "a")
    make(tmp_path / "b", SeriesDescription="other", StudyDate="20250101")
    archive = holding(tmp_path)
    newest, _ = archive.studies(Query(), go_on)
    (series,) = archive.series(newest)
    folder = archive.fetch(series, go_on)
    fetched = nmv.read_volume(folder, series=series.uid)
    truth = nmv.read_volume(tmp_path / "a")
    assert np.array_equal(fetched.data, truth.data)
    assert np.array_equal(fetched.affine, truth.affine)
    assert archive.thumbnail(series)[:4] in (b"\x89PNG", b"\xff\xd8\xff\xe0")


def segmented(volume):
    """Two objects by the embedded backend, one of them named and coloured."""
    session = SegmentationSession(volume, "embedded", InlineRunner())
    for name, zyx in (("left kidney", (6, 12, 8)), ("lesion", (6, 12, 21))):
        session.take(name, nmv.Point.at_index(volume, zyx), "test")
    session.wait()
    assert all(session.mask_of(i).any() for i in session.now.objects)
    return session


@pytest.mark.parametrize("lying", LYING)
def test_results_come_back_as_they_were_sent(archive, signed_in, tmp_path, lying):
    make(tmp_path / "series", lying)
    signed_in.put(tmp_path / "series")
    volume = nmv.read_volume(archive.fetch(only_series(archive), go_on))
    session = segmented(volume)
    made = results_of(session)
    archive.store(made.write(tmp_path), go_on)
    session.close()
    (study,) = archive.studies(Query(modality="SEG"), go_on)
    by_kind = {series.modality: series for series in archive.series(study)}
    assert set(by_kind) == {"CT", "SEG", "SR", "RTSTRUCT"}
    (seg,) = archive.fetch(by_kind["SEG"], go_on).iterdir()
    back = read_seg(seg)
    assert back.names == {1: "left kidney", 2: "lesion"}
    values = placed(back.values, back.grid, volume.grid)
    for number, mask in made.masks.items():
        assert np.array_equal(values == number, mask)
    (drawn,) = archive.fetch(by_kind["RTSTRUCT"], go_on).iterdir()
    outlined = read_on_series(drawn, {volume.series: volume.grid})
    assert outlined.names == {1: "left kidney", 2: "lesion"}
    assert np.array_equal(outlined.values, values)
    (sr,) = archive.fetch(by_kind["SR"], go_on).iterdir()
    assert read_sr(sr) == read_sr(tmp_path / "measurements.dcm")
    voxel_ml = abs(np.linalg.det(volume.affine[:3, :3])) / 1000
    for reported, mask in zip(read_sr(sr), made.masks.values(), strict=True):
        assert reported["volume_ml"] == pytest.approx(mask.sum() * voxel_ml, abs=1e-5)
        assert reported["mean"] == pytest.approx(volume.data[mask].mean(), abs=1e-3)


def test_a_second_time_it_is_taken_from_the_cache(archive, signed_in, tmp_path):
    make(tmp_path)
    signed_in.put(tmp_path)
    series, reported = only_series(archive), []
    folder = archive.fetch(series, lambda f, m: reported.append(m))
    assert reported[-1] == "12 of 12 images"
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    assert archive.fetch(series, go_on) == folder
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_files_are_kept_byte_for_byte(archive, signed_in, tmp_path):
    make(tmp_path)
    signed_in.put(tmp_path)
    folder = archive.fetch(only_series(archive), go_on)
    sent, kept = ({p.read_bytes() for p in f.iterdir()} for f in (tmp_path, folder))
    assert kept == sent


def test_a_cancelled_fetch_leaves_nothing(archive, signed_in, tmp_path):
    make(tmp_path)
    signed_in.put(tmp_path)

    def stop(fraction, message):
        if message.startswith("3 of"):
            raise Cancelled

    with pytest.raises(Cancelled):
        archive.fetch(only_series(archive), stop)
    assert not list(archive.cache.root.iterdir())


def test_the_cache_gives_up_what_was_longest_unused(home):
    cache = Cache(limit_bytes=2500)
    for name in ("a", "b", "c"):
        with cache.filling(cache.root / name) as folder:
            (folder / "1.dcm").write_bytes(bytes(1000))
    kept = {p.name for p in cache.root.iterdir()}
    assert len(kept) == 2
    assert "c" in kept
    open_now = cache.folder("patient", "series")
    with cache.filling(open_now) as folder:
        (folder / "1.dcm").write_bytes(bytes(1000))
    cache.clear()
    assert list(cache.root.iterdir()) == [open_now]


def test_without_a_login_the_user_is_asked_to_sign_in(orthanc, kept_logins):
    with pytest.raises(ArchiveError, match="Sign in"):
        DicomWeb(orthanc.url).studies(Query(), go_on)
    keep_login(orthanc.url, Login("doctor", "wrong"))
    with pytest.raises(ArchiveError, match=r"sign-in \(401\)"):
        DicomWeb(orthanc.url).studies(Query(), go_on)


def test_a_wrong_path_and_a_series_that_is_gone_are_reported(archive, signed_in, tmp_path):
    make(tmp_path)
    signed_in.put(tmp_path)
    series = only_series(archive)
    with pytest.raises(ArchiveError, match=r"404.*path"):
        DicomWeb(f"{signed_in.root}/nothing").studies(Query(), go_on)
    signed_in.empty()
    with pytest.raises(ArchiveError, match="Search again|search again"):
        archive.fetch(series, go_on)


def test_servers_are_remembered_without_secrets(home):
    remember(Server("ward", "https://pacs.example/dicom-web"))
    assert servers() == (Server("ward", "https://pacs.example/dicom-web"),)
    with pytest.raises(ArchiveError, match="keyring"):
        remember(Server("ward", "https://me:word@pacs.example/dicom-web"))
    assert "word@" not in (home / "pacs.json").read_text()


def test_logins_are_in_the_keyring_only(signed_in, kept_logins, home):
    assert len(kept_logins) == 1
    assert not any(p.is_file() and "secret-of" in p.read_text() for p in home.rglob("*"))


def test_query_to_a_non_local_server_needs_consent(kept_logins):
    with pytest.raises(BackendUnavailable, match="neither this machine"):
        DicomWeb("https://8.8.8.8/dicom-web").studies(Query(), go_on)


def test_no_log_names_the_patient(archive, signed_in, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    query = Query(patient_name=PATIENT_NAME)
    make(tmp_path)
    signed_in.put(tmp_path)
    (study,) = archive.studies(query, go_on)
    archive.fetch(archive.series(study)[0], go_on)
    with pytest.raises(ArchiveError) as raised:
        DicomWeb(f"{signed_in.root}/no").studies(query, go_on)
    logging.getLogger("x").info("%s", raised.value, exc_info=raised.value)
    logging.getLogger("x").info("%r %r", study, query)
    assert PATIENT_NAME not in caplog.text
