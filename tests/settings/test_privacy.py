"""A session on a patient's series leaves nothing behind that names the patient."""

import logging

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import InvalidImage, MedVLMError
from napari_medvlm.io.journal import Journal, new_journal
from napari_medvlm.settings.privacy import VARIABLE, for_log, names_somebody, words_of
from tests.io.dicom_files import write_series

WHO = {"PatientName": "Quxley^Zebulon", "PatientID": "HN8842199"}
NAMES = (b"quxley", b"zebulon", b"hn8842199")


@pytest.fixture
def series(tmp_path):
    """A ball, in folders and with a description that name the patient."""
    z, y, x = np.indices((12, 24, 24))
    ball = ((z - 6) ** 2 + (y - 12) ** 2 + (x - 12) ** 2 < 25) * 300
    noise = np.random.default_rng(0).integers(0, 30, ball.shape)
    folder = tmp_path / "in" / "Quxley_Zebulon" / "HN8842199"
    write_series(folder, ball + noise, SeriesDescription="Liver Quxley", **WHO)
    return folder


def work(volume, out):
    """Segment, keep a journal, save; all files that this wrote."""
    journal_path = new_journal(nmv.Ledger.of(volume).image)
    with nmv.SegmentationSession(volume, runner="inline") as session:
        journal = Journal(journal_path, session.ledger, print)
        session.add(nmv.Point.at_index(volume, (6, 12, 12)))
        session.wait()
        for record in session.ledger.records:
            journal.write(record)
        assert journal.flush()
        journal.close()
        assert session.mask.any()
        session.ledger.save(out / "session.json")
        nmv.write_mask(out / "mask.nii.gz", session.mask, volume)
    return journal_path


def written(folder):
    return {path: path.read_bytes().lower() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_MEDVLM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "out").mkdir()
    return tmp_path / "home"


def test_a_session_has_no_patient_name(series, home, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    volume = nmv.read_volume(series)
    assert volume.name == "CT series 3"
    work(volume, tmp_path / "out")
    files = written(home) | written(tmp_path / "out")
    assert len(files) >= 3
    for path, data in files.items():
        for name in NAMES:
            assert name not in data, path
            assert name not in str(path.relative_to(tmp_path)).lower().encode()
    for name in NAMES:
        assert name.decode() not in caplog.text.lower()


def test_a_session_whose_source_is_not_reported_is_replayed_with_the_image(series, home, tmp_path):
    volume = nmv.read_volume(series)
    work(volume, tmp_path / "out")
    ledger = nmv.Ledger.load(tmp_path / "out" / "session.json")
    assert ledger.image.source is None
    assert all(done.identical for done in nmv.replay(ledger, volume, runner="inline"))


def test_the_user_may_turn_names_on(series, home, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    volume = nmv.read_volume(series)
    assert volume.name == "Liver Quxley"
    journal = work(volume, tmp_path / "out")
    assert b"quxley_zebulon" in journal.read_bytes().lower()


def test_folder_without_patient_data_is_recorded_as_source(home, tmp_path):
    write_series(tmp_path / "case 7", np.zeros((3, 4, 4)), **WHO)
    volume = nmv.read_volume(tmp_path / "case 7")
    assert nmv.Ledger.of(volume).image.source == str(tmp_path / "case 7")
    assert volume.name == "AX"


def test_the_text_of_an_error_is_shown_and_not_logged(tmp_path):
    damaged = tmp_path / "Quxley.dcm"
    damaged.write_bytes(b"\x08\x00" * 40)
    with pytest.raises(MedVLMError, match=r"Quxley\.dcm") as reported:
        nmv.read_volume(damaged)
    logged = for_log(reported.value)
    assert "quxley" not in logged.lower()
    assert logged.startswith(InvalidImage.__name__)
    assert "dicom" in logged


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("/data/quxley/ct", True),
        ("QUXLEYZEBULON", True),
        ("ann_3", True),
        ("manned", False),
        ("head of Dr", False),
    ],
)
def test_words_are_found_in_any_letters(text, named):
    assert names_somebody(text, words_of("Quxley^Ann^^Dr", "12")) == named


def test_a_journal_holds_no_password_of_a_server_and_no_file_name_of_the_patient(tmp_path):
    data = np.random.default_rng(0).integers(0, 99, (8, 32, 32)).astype(np.int16)
    volume = nmv.Volume(data, name="CT", patient=words_of(*WHO.values()))
    labels = nmv.NamedLabels(
        np.zeros(volume.shape, np.uint8), volume.grid, {1: "liver"}, "Quxley_seg.nii.gz"
    )
    journal = tmp_path / "ask.journal"
    address = "http://doctor:secret@127.0.0.1:9/v1#model"  # nobody listens there
    with nmv.AskSession(volume, "server", "inline", model=address, journal=journal) as session:
        session.ask("How large is the liver?", labels=[labels])
        with pytest.raises(MedVLMError):
            session.wait()
    text = journal.read_text().lower()
    assert "127.0.0.1:9/v1#model" in text
    assert "secret" not in text
    assert "quxley" not in text
