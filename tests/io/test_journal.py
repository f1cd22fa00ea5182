"""A journal of an older version stays readable to older programs until they lack its records."""

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import InitialMask
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import VERSION, MaskEdited

OLD_FILES = Path(__file__).parents[1] / "ledger" / "sessions_0_1"


def header_of(path):
    return json.loads(path.read_bytes().split(b"\n")[0])


def stroke(ledger):
    """An edit by hand of the object 1."""
    voxels = Mask.of(np.ones((1, 1, 1), bool))
    added = InitialMask.of(Volume(np.zeros((1, 1, 1))).grid, voxels)
    return ledger.append(MaskEdited(object_id=1, added=added))


@pytest.mark.parametrize("version", [1, 2])
def test_a_journal_of_an_older_version_gets_a_new_header_with_its_first_stroke(tmp_path, version):
    path = tmp_path / "a.jsonl"
    lines = (OLD_FILES / "segment.jsonl").read_bytes().splitlines(keepends=True)
    head = json.loads(lines[0]) | {"version": version}
    path.write_bytes(json.dumps(head).encode() + b"\n" + b"".join(lines[1:]))
    ledger = Ledger.load(path)
    journal = Journal(path, ledger, print)
    journal.write(ledger.undo())
    journal.write(ledger.redo())
    assert journal.flush()
    assert header_of(path)["version"] == version
    number = next(iter(ledger.now.objects))
    assert number == 1
    journal.write(stroke(ledger))
    journal.write(ledger.undo())
    journal.close()
    assert header_of(path)["version"] == VERSION
    again = Ledger.load(path)
    assert not again.damage
    assert again.records == ledger.records
    assert path.read_bytes().splitlines(keepends=True)[1 : len(lines)] == lines[1:]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def test_an_older_program_refuses_a_journal_with_strokes(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    lines = (OLD_FILES / "segment.jsonl").read_bytes()
    path.write_bytes(lines)
    ledger = Ledger.load(path)
    journal = Journal(path, ledger, print)
    journal.write(stroke(ledger))
    journal.close()
    monkeypatch.setattr("napari_medvlm.ledger.reading.VERSION", VERSION - 1)
    with pytest.raises(SessionFileError, match="newer version"):
        Ledger.load(path)
