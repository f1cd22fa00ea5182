"""A damaged line of a journal costs itself, and a journal is never written by two windows."""

import binascii
import json
import os
import random
import time

import numpy as np
import pytest

from napari_medvlm.data.errors import CannotSave, MedVLMError
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import journal as journal_module
from napari_medvlm.io.journal import Journal, new_journal, resumable
from napari_medvlm.ledger.journal_lines import line_of, read_line, read_lines
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ObjectAdded, ObjectInfo, PromptAdded
from napari_medvlm.ledger.region_records import Classified
from tests.mutations import mutated

VOLUME = Volume(np.random.default_rng(0).integers(0, 99, (4, 6, 8)).astype(np.int16))
RECORD = '{"record":"cursor","to":3,"time":"2026-11-28T00:00:00Z"}'


def filled(count=5):
    """A ledger with one object and a number of points."""
    ledger = Ledger.of(VOLUME)
    ledger.append(ObjectAdded(object=ObjectInfo(id=1, name="Liver", color="#00ff00")))
    for number in range(count):
        point = Point.at_index(VOLUME, (1, number % 6, 2))
        ledger.append(PromptAdded(object_id=1, prompt_id=number + 1, prompt=point))
    return ledger


def written(ledger, path, failures=()):
    journal = Journal(path, Ledger(ledger.image), list(failures).append)
    for record in ledger.records:
        journal.write(record)
    journal.close()
    return path


def test_the_checksum_of_a_line_is_the_crc_32_of_its_bytes():
    line = line_of(RECORD, 7)
    body = RECORD[:-1] + ',"line":7'
    crc = binascii.crc32(body.encode())
    assert line == f'{body},"crc":"{crc:08x}"}}\n'.encode()
    assert json.loads(line)["record"] == "cursor"


def test_any_single_flipped_bit_is_corrected():
    line = line_of(RECORD, 7)[:-1]
    for byte in range(len(line)):
        for bit in range(8):
            flipped = bytearray(line)
            flipped[byte] ^= 1 << bit
            read = read_line(bytes(flipped))
            assert (read.text, read.number) == (RECORD.encode(), 7)


def test_lines_that_were_doubled_or_swapped_are_read_once_and_in_order():
    first, second, third = (line_of(f'{{"a":{n}}}', n) for n in range(3))
    wanted = [b'{"a":0}', b'{"a":1}', b'{"a":2}']
    assert read_lines(first + third + second + second) == wanted


def test_a_missing_line_is_listed_as_missing():
    first, _, third = (line_of(f'{{"a":{n}}}', n) for n in range(3))
    assert read_lines(first + third) == [b'{"a":0}', None, b'{"a":2}']


@pytest.mark.parametrize("lost", range(1, 7))
@pytest.mark.parametrize("how", ["overwritten", "deleted"])
def test_a_damaged_record_costs_itself_and_is_reported(tmp_path, lost, how):
    ledger = filled()
    path = written(ledger, tmp_path / "a.jsonl")
    lines = path.read_bytes().split(b"\n")
    if how == "deleted":
        del lines[lost]
    else:
        lines[lost] = b"\0\xff" + lines[lost][9:]
    path.write_bytes(b"\n".join(lines))
    again = Ledger.load(path)
    wanted = {k: v for k, v in ledger.now.objects[1].prompts.items() if k != lost - 1}
    assert again.now.objects[1].prompts == wanted
    if not (how == "deleted" and lost == 6):  # nothing shows that the last line was deleted
        assert "1 record is damaged or missing" in again.damage


def test_undo_counts_as_before_where_a_record_is_damaged(tmp_path):
    ledger = filled()
    ledger.undo()
    path = written(ledger, tmp_path / "a.jsonl")
    lines = path.read_bytes().split(b"\n")
    lines[3] = b"{}"
    path.write_bytes(b"\n".join(lines))
    assert list(Ledger.load(path).now.objects[1].prompts) == [1, 3, 4]


def test_a_damaged_header_is_replaced_by_the_image(tmp_path):
    ledger = filled()
    path = written(ledger, tmp_path / "a.jsonl")
    path.write_bytes(b"damaged" + path.read_bytes()[7:])
    with pytest.raises(MedVLMError):
        Ledger.load(path)
    assert Ledger.load(path, ledger.image).records == ledger.records


def test_a_journal_without_checksums_is_read_and_continued(tmp_path):
    ledger = filled(4)
    lines = [ledger.header(), *(record.model_dump_json() for record in ledger.records)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    again = Ledger.load(path)
    assert (again.records, again.damage) == (ledger.records, "")
    journal = Journal(path, again, print)
    journal.write(again.undo())
    journal.close()
    last = Ledger.load(path)
    assert (last.records, last.damage, journal.notice) == (again.records, "", "")


def test_nan_and_infinity_come_back(tmp_path):
    ledger = filled(1)
    values = {"a": float("nan"), "b": float("inf")}
    ledger.note(
        Classified(
            backend="x", model=None, probabilities=values, descriptors={}, sent={}, slices=(),
            seconds=0.0,
        )
    )  # fmt: skip
    ledger.save(tmp_path / "a.json")
    for path in (written(ledger, tmp_path / "a.jsonl"), tmp_path / "a.json"):
        assert repr(Ledger.load(path).records[-1].probabilities) == repr(values)


def test_null_of_older_files_is_read_as_nan(tmp_path):
    ledger = filled(1)
    ledger.note(
        Classified(
            backend="x", model=None, probabilities={"a": 5.0}, descriptors={}, sent={}, slices=(),
            seconds=0.0,
        )
    )  # fmt: skip
    ledger.save(tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text().replace('"a": 5.0', '"a": null')
    (tmp_path / "a.json").write_text(text)
    assert np.isnan(Ledger.load(tmp_path / "a.json").records[-1].probabilities["a"])


def test_a_lone_surrogate_is_written_as_the_replacement_character(tmp_path):
    ledger = filled(1)
    ledger.append(
        ObjectAdded(object=ObjectInfo(id=2, name="a\ud83d b\ud83d\ude00", color="#000000"))
    )
    ledger.save(tmp_path / "a.json")
    for path in (written(ledger, tmp_path / "a.jsonl"), tmp_path / "a.json"):
        assert Ledger.load(path).now.objects[2].info.name == "a\ufffd b\U0001f600"


def test_a_journal_that_another_window_has_open_is_continued_as_a_copy(home):
    ledger = filled()
    path = written(ledger, new_journal(ledger.image))
    first = Journal(path, Ledger.load(path), print)
    copy = Ledger.load(path)
    second = Journal(path, copy, print)
    assert second.path != path
    assert "another window" in second.notice
    second.write(copy.undo())
    second.close()
    first.close()
    assert Ledger.load(path).records == ledger.records
    assert Ledger.load(second.path).records == copy.records


def test_a_stale_copy_never_overwrites_what_another_window_added(home):
    ledger = filled()
    path = written(ledger, new_journal(ledger.image))
    fresh, stale = Ledger.load(path), Ledger.load(path)
    first = Journal(path, fresh, print)
    first.write(fresh.append(ObjectAdded(object=ObjectInfo(id=2, name="B", color="#000000"))))
    first.close()
    second = Journal(path, stale, print)
    second.write(stale.undo())
    second.close()
    assert Ledger.load(path).records == fresh.records
    assert Ledger.load(second.path).records == stale.records
    assert list(resumable(ledger.image)) == [second.path, path]


def test_what_could_not_be_written_is_written_on_closing(tmp_path, monkeypatch):
    ledger, failures = filled(), []
    journal = Journal(tmp_path / "a.jsonl", Ledger(ledger.image), failures.append)
    with monkeypatch.context() as full:

        def no_space(_):
            raise OSError(28, "No space left on device")

        full.setattr("os.fsync", no_space)
        for record in ledger.records:
            journal.write(record)
        assert not journal.flush()
    journal.close()
    assert [type(failure) for failure in failures] == [CannotSave]
    assert Ledger.load(journal.path).records == ledger.records


def test_a_writer_thread_that_ended_is_reported_and_replaced(tmp_path, monkeypatch):
    ledger, failures = filled(), []
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    journal = Journal(tmp_path / "a.jsonl", Ledger(ledger.image), failures.append)
    with monkeypatch.context() as broken:

        def ended(*_):
            raise SystemExit

        broken.setattr(journal_module.Journal, "_sync", ended)
        journal.write(ledger.records[0])
        journal._syncer.join(10)
        assert not journal.flush(1)
    for record in ledger.records[1:]:
        journal.write(record)
    journal.close()
    assert [type(failure) for failure in failures] == [CannotSave]
    assert Ledger.load(journal.path).records == ledger.records


def test_a_session_worked_on_after_the_clock_was_set_back_is_offered_first(home):
    ledger = filled()
    old = written(ledger, new_journal(ledger.image))
    ahead = time.time_ns() + 400 * 86400 * 10**9
    os.utime(old, ns=(ahead, ahead))  # the clock was ahead then
    new = written(ledger, new_journal(ledger.image))
    assert list(resumable(ledger.image)) == [new, old]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_journals_are_readable_by_their_user_alone(home):
    ledger = filled()
    path = written(ledger, new_journal(ledger.image))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_mutated_files_are_opened_or_refused_with_a_sentence(tmp_path, seed, suffix):
    ledger = filled(8)
    ledger.undo()
    ledger.append(ObjectAdded(object=ObjectInfo(id=2, name="B", color="#000000")))
    path = tmp_path / f"good{suffix}"
    if suffix == ".json":
        ledger.save(path)
    else:
        written(ledger, path)
    data, rng = path.read_bytes(), random.Random(seed)
    broken = tmp_path / f"broken{suffix}"
    for _ in range(20):
        broken.write_bytes(mutated(data, rng))
        begun = time.process_time()
        try:
            opened = Ledger.load(broken)
        except MedVLMError as error:
            assert error.message.endswith(".")
            assert error.hint
        else:
            assert all(0 < number < 2**31 for number in opened.now.objects)
        assert time.process_time() - begun < 2
