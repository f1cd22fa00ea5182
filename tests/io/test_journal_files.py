"""Titles of journals, and journals that are deleted and restored."""

import stat
from datetime import datetime, timedelta

import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.io.journal_files import (
    DELETED,
    DELETED_DAYS,
    TITLE_LETTERS,
    delete,
    discard_deleted,
    journal_folder,
    journals,
    new_journal,
    rename,
    restore,
    title_of,
)
from napari_medvlm.ledger.region_records import ImageReference
from tests.conftest import make_phantom

VOLUME = make_phantom((8, 20, 22))[0]
IMAGE = ImageReference.of(VOLUME)


@pytest.fixture
def path(home):
    """The journal of a session with a point."""
    path = new_journal(IMAGE)
    with nmv.SegmentationSession(VOLUME, runner="inline", journal=path) as session:
        session.add(nmv.Point.at_index(VOLUME, (4, 10, 6)))
        session.wait()
    return path


def test_a_journal_has_the_title_that_it_was_given(path):
    assert title_of(path) == ""
    rename(path, "  second\nreading Ä ")
    assert title_of(path) == "second reading Ä"
    assert stat.S_IMODE(path.with_suffix(".title").stat().st_mode) == 0o600
    rename(path, "x" * 1000)
    assert title_of(path) == "x" * TITLE_LETTERS
    rename(path, "\ud83d")
    assert title_of(path) == "?"
    rename(path, " ")
    assert title_of(path) == ""
    assert [p.suffix for p in path.parent.iterdir() if p.stem == path.stem] == [".jsonl"]


def test_a_deleted_journal_is_not_listed_and_comes_back_byte_for_byte(path):
    content = path.read_bytes()
    rename(path, "keep me")
    deleted = delete(path)
    assert journals(IMAGE) == []
    assert not list(path.parent.glob(f"{path.stem}*"))
    assert stat.S_IMODE(deleted.parent.stat().st_mode) == 0o700
    assert restore(deleted) == path
    assert journals(IMAGE) == [path]
    assert path.read_bytes() == content
    assert title_of(path) == "keep me"


def test_a_journal_that_a_window_has_open_is_not_deleted(path):
    with nmv.SegmentationSession(VOLUME, runner="inline", journal=path, ledger=_ledger(path)):
        with pytest.raises(SessionFileError, match="open in a window"):
            delete(path)
        assert path.exists()
    delete(path)
    assert not path.exists()


def _ledger(path):
    from napari_medvlm.ledger.ledger import Ledger

    return Ledger.load(path)


def test_deleted_journals_are_removed_after_their_time_and_not_before(path):
    deleted = delete(path)
    folder = journal_folder() / DELETED
    for days in (DELETED_DAYS - 1, DELETED_DAYS + 2):
        day = datetime.now() - timedelta(days=days)
        (folder / f"{day:%Y%m%d}").mkdir()
    (folder / "notes").mkdir()
    discard_deleted()
    assert deleted.exists()
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        [
            f"{datetime.now() - timedelta(days=DELETED_DAYS - 1):%Y%m%d}",
            deleted.parent.name,
            "notes",
        ]
    )


def test_nothing_deleted_is_nothing_to_remove(home):
    discard_deleted("ask")
