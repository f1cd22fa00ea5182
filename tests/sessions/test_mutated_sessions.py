"""Mutated sessions and journals are opened as far as they go, or refused with a sentence."""

import random
import tempfile
from pathlib import Path

import pytest

from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import CursorMoved, Entry
from napari_medvlm.ledger.repair import repaired
from napari_medvlm.ledger.stored_images import StoredHeatmap
from napari_medvlm.sessions.ask.history import ConversationHistory
from napari_medvlm.sessions.export.conversation import as_json
from napari_medvlm.sessions.export.sr_evaluations import evaluations_of_records
from napari_medvlm.sessions.segment.session import SegmentationSession
from tests.conftest import make_phantom
from tests.mutations import ends_with_a_sentence, mutated, mutated_json, mutated_lines

OLD = Path(__file__).parents[1] / "ledger" / "sessions_0_1"
NAMES = sorted(path.stem for path in OLD.glob("*.json") if path.name != "content.json")
VOLUME = make_phantom((6, 12, 14), (2.0, 1.0, 1.0))[0]


def good(name, suffix):
    """A session with records of many kinds, in the current format or as a journal."""
    ledger = Ledger.load(OLD / f"{name}.json")
    with tempfile.TemporaryDirectory() as folder:
        ledger.save(Path(folder) / "a.json")
        if suffix == ".json":
            return (Path(folder) / "a.json").read_bytes()
    lines = [ledger.header(), *(record.model_dump_json() for record in ledger.records)]
    return "\n".join([*lines, ""]).encode()


def opened(path, backend):
    """Open everything in a session file as the docks do, and save it again."""
    ledger = Ledger.load(path)
    ledger = Ledger(Ledger.of(VOLUME).image, ledger.records)
    history = ConversationHistory(VOLUME, ledger, None, print)
    for conversation in history.conversations:
        as_json(VOLUME, conversation)
    evaluations_of_records(ledger.records)
    with SegmentationSession(VOLUME, backend, "inline", ledger=ledger) as session:
        session.wait(60)
        for object_id in session.now.objects:
            session.own_mask(object_id)
    ledger.save(path.with_suffix(".saved.json"))
    assert len(Ledger.load(path.with_suffix(".saved.json")).records) == len(ledger.records)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_mutated_sessions_are_opened_or_refused_with_a_sentence(tmp_path, foreign, name, suffix):
    source, seed = good(name, suffix), random.Random(f"{name}{suffix}")
    structured = mutated_json if suffix == ".json" else mutated_lines
    path = tmp_path / f"a{suffix}"
    outcomes = []
    for _ in range(25):
        path.write_bytes((structured if seed.random() < 0.7 else mutated)(source, seed))
        outcomes.append(ends_with_a_sentence(lambda: opened(path, foreign)))
    assert len(outcomes) == 25


def test_serials_that_do_not_ascend_are_refused_and_repaired():
    ledger = Ledger.load(OLD / "segment.json")
    twice = [r.model_copy(update={"serial": 1}) if isinstance(r, Entry) else r
             for r in ledger.records]  # fmt: skip
    with pytest.raises(SessionFileError, match="does not fit what precedes it"):
        Ledger(ledger.image, twice)
    again = Ledger(ledger.image, repaired(twice))
    count = sum(isinstance(r, Entry) for r in ledger.records)
    assert [r.serial for r in again.records if isinstance(r, Entry)] == list(range(1, count + 1))
    assert list(again.now.objects) == list(ledger.now.objects)
    assert [r.to for r in again.records if isinstance(r, CursorMoved)] == [
        r.to for r in ledger.records if isinstance(r, CursorMoved)
    ]


@pytest.mark.parametrize("png", ["", "x", "iVBORw0KGgo=", "AAAA" * 40])
def test_an_evidence_map_that_cannot_be_decoded_is_refused(png):
    with pytest.raises(SessionFileError, match="cannot be decoded"):
        StoredHeatmap(start=(0, 0, 0), shape=(1, 2, 2), png=png).heatmap(VOLUME.grid)
