"""A process that is killed right after a prompt was added has the prompt in its journal."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ObjectAdded, ObjectInfo, PromptAdded

VOLUME = Volume(np.zeros((4, 6, 8), np.int16))
KILLED = """
    import os, signal, sys
    from pathlib import Path
    from napari_medvlm.io.journal import Journal
    from tests.io.test_journal_killed import records
    ledger, _ = records(int(sys.argv[2]))
    if sys.argv[3] == "slow disk":
        os.fsync = lambda _: signal.pause()
    journal = Journal(Path(sys.argv[1]), type(ledger)(ledger.image), print)
    for record in ledger.records:
        journal.write(record)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def records(count):
    """A ledger with an object and points, and the points."""
    ledger = Ledger.of(VOLUME)
    ledger.append(ObjectAdded(object=ObjectInfo(id=1, name="a", color="#ffffff")))
    points = [Point.at_index(VOLUME, (n % 4, n % 6, n % 8)) for n in range(count)]
    for number, point in enumerate(points):
        ledger.append(PromptAdded(object_id=1, prompt_id=number + 1, prompt=point))
    return ledger, points


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize(("count", "disk"), [(1, "slow disk"), (40, "slow disk"), (40, "disk")])
def test_all_prompts_are_in_the_journal_of_a_killed_process(tmp_path, count, disk):
    path = tmp_path / "a.jsonl"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path), str(count), disk]
    environment = {**os.environ, "NAPARI_MEDVLM_HOME": str(tmp_path)}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    again = Ledger.load(path)
    assert list(again.now.objects[1].prompts.values()) == records(count)[1]
    assert again.damage == ""


def test_a_failed_fsync_is_reported_and_the_records_stay_in_the_file(tmp_path, monkeypatch):
    ledger, failures = records(5)[0], []
    journal = Journal(tmp_path / "a.jsonl", Ledger(ledger.image), failures.append)
    with monkeypatch.context() as failing:
        failing.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(5, "I/O error")))
        for record in ledger.records[:4]:
            journal.write(record)
            assert not journal.flush()
            assert Ledger.load(journal.path).records[-1] == record
    for record in ledger.records[4:]:
        journal.write(record)
    assert journal.flush()
    journal.close()
    assert [type(failure) for failure in failures] == [CannotSave]
    assert "I/O error" in failures[0].message
    assert journal.path.read_bytes().count(b"\n") == len(ledger.records) + 1
    assert Ledger.load(journal.path).records == ledger.records


def test_records_that_do_not_fit_are_written_in_order_when_there_is_space(tmp_path, monkeypatch):
    ledger, failures = records(5)[0], []
    journal = Journal(tmp_path / "a.jsonl", Ledger(ledger.image), failures.append)
    journal.write(ledger.records[0])
    with monkeypatch.context() as full:
        full.setattr(
            "napari_medvlm.io.journal.append_whole",
            lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")),
        )
        for record in ledger.records[1:4]:
            journal.write(record)
        assert not journal.flush()
        assert len(Ledger.load(journal.path).records) == 1
    for record in ledger.records[4:]:
        journal.write(record)
        assert journal.flush()
    journal.close()
    assert [failure.message for failure in failures] == [
        "The session is not being saved: No space left on device."
    ]
    assert Ledger.load(journal.path).records == ledger.records
    assert journal.path.read_bytes().count(b"\n") == len(ledger.records) + 1


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_disk_that_does_not_respond_holds_no_caller_and_gets_all_records_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("napari_medvlm.io.journal.LATE_S", 0.01)
    ledger, failures, is_reported = records(5)[0], [], threading.Event()
    journal = Journal(
        tmp_path / "a.jsonl",
        Ledger(ledger.image),
        lambda failure: (failures.append(failure), is_reported.set()),
    )
    os.mkfifo(journal.path)  # opening it for writing lasts until it is opened for reading
    for record in ledger.records[:4]:
        journal.write(record)
    assert is_reported.wait(60)
    assert [failure.message for failure in failures] == [
        "The session is not being saved: the disk does not respond."
    ]
    assert not journal.flush(0)
    reader = os.open(journal.path, os.O_RDONLY | os.O_NONBLOCK)
    journal.path.unlink()
    os.close(reader)
    for record in ledger.records[4:]:
        journal.write(record)
    assert journal.flush(60)
    journal.close()
    assert Ledger.load(journal.path).records == ledger.records
    assert len(failures) == 1


@pytest.mark.skipif(os.name != "posix", reason="named pipes")
def test_a_journal_on_a_disk_that_does_not_respond_is_closed_at_once(tmp_path):
    ledger = records(1)[0]
    journal = Journal(tmp_path / "a.jsonl", Ledger(ledger.image), lambda _: None)
    os.mkfifo(journal.path)
    journal.write(ledger.records[0])
    journal.close()
    assert journal._lock.is_locked  # the thread may still write
    reader = os.open(journal.path, os.O_RDONLY | os.O_NONBLOCK)
    journal._appender.join(60)
    os.close(reader)
    assert not journal._appender.is_alive()
