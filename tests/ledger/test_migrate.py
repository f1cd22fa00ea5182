"""Session files and journals that version 0.1 wrote still open, with the same content.

The files in `sessions_0_1` were written by 0.1 about `small_volume` (those named ground: about the
image of `tests.checks.conftest.spotted`); ``content.json`` is what 0.1 itself read back.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_medvlm.backends import registry
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.volume import Volume
from napari_medvlm.io.journal import Journal
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.migrate import upgrade
from napari_medvlm.ledger.records import VERSION, Predicted, SessionFile
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.segment.replay import replay
from tests.sessions.conftest import SCRIPTED
from tests.worker.conftest import FOREIGN

FOLDER = Path(__file__).with_name("sessions_0_1")
CONTENT = json.loads((FOLDER / "content.json").read_text("utf-8"))
FILES = [path.name for path in sorted(FOLDER.iterdir()) if path.name != "content.json"]


@pytest.fixture
def small_volume():
    """Two bright boxes in a pattern of whole numbers."""
    z, y, x = np.indices((6, 12, 14))
    data = 100 + (7 * z + 5 * y + 3 * x) % 11
    left = (z >= 1) & (z < 5) & (y >= 3) & (y < 9) & (x >= 2) & (x < 6)
    right = (z >= 2) & (z < 5) & (y >= 4) & (y < 8) & (x >= 8) & (x < 12)
    data = (data + 100 * left + 60 * right).astype(np.int16)
    return Volume(data, np.diag([2.0, 1.0, 1.0, 1.0]), name="phantom")


@pytest.fixture(autouse=True)
def backends(monkeypatch):
    """Make the backends of test packages known."""
    monkeypatch.syspath_prepend(str(SCRIPTED))
    registry._entry_points.cache_clear()
    registry._load.cache_clear()
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


def records_of(name, *kinds):
    return [r for r in Ledger.load(FOLDER / name).records if r.record in kinds]


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_0_1_opens_and_is_saved_in_the_current_format(name, tmp_path):
    ledger = Ledger.load(FOLDER / name)
    ledger.save(tmp_path / "again.json")
    saved = json.loads((tmp_path / "again.json").read_text("utf-8"))
    assert saved["version"] == VERSION == 4
    assert upgrade(saved) == saved
    assert Ledger.load(tmp_path / "again.json").records == ledger.records


@pytest.mark.parametrize("name", ["segment", "ground", "classify", "ask"])
def test_a_journal_of_0_1_holds_the_records_of_its_session_file(name):
    assert Ledger.load(FOLDER / f"{name}.jsonl").records == (
        Ledger.load(FOLDER / f"{name}.json").records
    )


def test_the_files_of_0_1_hold_every_kind_of_record():
    kinds = {r.record for name in FILES for r in Ledger.load(FOLDER / name).records}
    schema = SessionFile.model_json_schema()["properties"]["records"]
    assert kinds == set(schema["items"]["discriminator"]["mapping"])


def objects_of(ledger):
    return {
        str(id_): [live.info.name, live.info.color, live.info.locked, list(live.prompts)]
        for id_, live in ledger.now.objects.items()
    }


@pytest.mark.parametrize("name", ["segment.json", "segment.jsonl"])
def test_masks_of_a_segment_session_of_0_1_are_computed_again_identically(
    name, small_volume, monkeypatch
):
    monkeypatch.syspath_prepend(str(FOREIGN))
    registry._entry_points.cache_clear()
    ledger, content = Ledger.load(FOLDER / name), CONTENT["segment"]
    assert ledger.now.overlap == content["overlap"]
    assert objects_of(ledger) == content["objects"]
    assert (len(ledger.entries), len(ledger.records)) == (content["entries"], content["records"])
    replayed = replay(ledger, small_volume, runner="inline")
    assert {str(r.object_id): r.mask.digest for r in replayed} == content["masks"]
    assert all(r.identical for r in replayed)


def test_every_kind_of_prompt_of_0_1_is_read():
    ledger = Ledger.load(FOLDER / "prompts.json")
    assert objects_of(ledger) == CONTENT["prompts"]["objects"]
    prompts = [p for live in ledger.now.objects.values() for p in live.prompts.values()]
    assert [p.kind for p in prompts] == ["point", "box", "scribble", "lasso", "initial_mask"]


@pytest.mark.parametrize("name", ["ground.json", "ground.jsonl", "ground_labels.json"])
def test_regions_and_their_checks_of_0_1_are_read(name):
    content = CONTENT[name.split(".")[0]]
    grounded = records_of(name, "grounded")
    assert [r.phrase for r in grounded] == content["phrases"]
    assert [r.phrase for r in grounded if r.not_found] == content["missing"]
    results = [r.result for r in records_of(name, "region_checked")]
    assert [[r.check, r.verdict, r.sentence] for r in results] == content["checks"]


@pytest.mark.parametrize("name", ["classify.json", "classify.jsonl"])
def test_classifications_of_0_1_are_read(name):
    classified, toggled = records_of(name, "classified"), records_of(name, "descriptor_toggled")
    assert [r.probabilities for r in classified] == CONTENT["classify"]["probabilities"]
    assert [[r.label, r.descriptor, r.used] for r in toggled] == CONTENT["classify"]["toggled"]


@pytest.mark.parametrize("name", ["ask.json", "ask.jsonl", "ask_cut_off.jsonl"])
def test_conversations_of_0_1_are_read(name, small_volume):
    ledger = Ledger.load(FOLDER / name)
    with AskSession(small_volume, "scripted", "inline", ledger=ledger) as session:
        conversations = [
            [c.id, c.title, [turn_of(turn) for turn in c.turns]] for c in session.conversations
        ]
    assert conversations == CONTENT[name.split(".")[0]]


def turn_of(turn):
    """All of a turn that its file must hold, as JSON values."""
    answer, evidence = turn.answer, turn.evidence
    return {
        "id": turn.id,
        "question": turn.question,
        "kind": turn.kind,
        "options": list(turn.options),
        "state": turn.state,
        "partial": turn.partial,
        "problem": turn.problem,
        "covered": turn.covered,
        "sent": [
            [s.slice.axis, s.slice.index, s.caption, s.of, digest(s.pixels)] for s in turn.sent
        ],
        "tool_rounds": [[r.text, [tool_result(t) for t in r.results]] for r in turn.steps],
        "answer": answer
        and [
            answer.text,
            answer.choice,
            answer.answered,
            [[c.text, c.source, [r.phrase for r in c.regions]] for c in answer.claims],
        ],
        "marks": {str(number): [m.verdict, m.note] for number, m in turn.marks.items()},
        "evidence": evidence
        and [
            evidence.image,
            list(evidence.heatmap.start),
            list(evidence.heatmap.crop.shape),
            round(float(evidence.heatmap.full().sum()), 3),
        ],
        "checks": [[r.check, r.verdict, r.sentence] for r in turn.check_results],
    }


def tool_result(result):
    call = result.call
    images = len(result.pictures)
    return [call.name, call.arguments, result.text, result.failed, len(result.regions), images]


def digest(pixels):
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:16]


def test_a_journal_of_0_1_can_be_continued(small_volume, tmp_path):
    path = tmp_path / "ask.jsonl"
    shutil.copy(FOLDER / "ask_cut_off.jsonl", path)
    before = Ledger.load(path)
    with AskSession(small_volume, "scripted", "inline", journal=path, ledger=before) as session:
        session.ask("more?", context=json.dumps([{"say": "more"}]))
        session.wait()
        records = session.ledger.records
    assert Ledger.load(path).records == records
    assert {r.record for r in records[-4:]} >= {"asked", "text_streamed", "answered"}


def test_opening_a_journal_of_0_1_changes_none_of_its_lines(tmp_path):
    path = tmp_path / "segment.jsonl"
    shutil.copy(FOLDER / "segment.jsonl", path)
    Journal(path, Ledger.load(path), print).close()
    assert path.read_bytes() == (FOLDER / "segment.jsonl").read_bytes()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("name", ["segment.json", "segment.jsonl"])
def test_a_file_of_an_earlier_version_opens_with_the_same_records(name, version, tmp_path):
    path = tmp_path / "session.json"
    ledger = Ledger.load(FOLDER / name)
    ledger.save(path)
    content = json.loads(path.read_text("utf-8"))
    old = [r for r in content["records"] if r["record"] == "predicted"]
    for record, new in zip(old, predictions(ledger), strict=True):
        record["steps"] = list(new.steps)
    path.write_text(json.dumps({**content, "version": version}), "utf-8")
    assert Ledger.load(path).records == ledger.records
    journal = tmp_path / "session.jsonl"
    Journal(journal, ledger, print).close()
    text = journal.read_text("utf-8") if journal.exists() else ledger.header()
    assert '"version":4' in text


def predictions(ledger):
    return [record for record in ledger.records if isinstance(record, Predicted)]


@pytest.mark.parametrize("version", [5, 99])
def test_a_file_of_a_newer_version_is_refused(version, tmp_path):
    content = json.loads((FOLDER / "segment.json").read_text("utf-8"))
    path = tmp_path / "newer.json"
    path.write_text(json.dumps({**content, "version": version}))
    with pytest.raises(SessionFileError, match=f"newer version .format {version}, known: 4"):
        Ledger.load(path)


@pytest.mark.parametrize("version", [0, -1, "1", None, 1.5])
def test_a_file_of_an_unknown_version_is_refused(version, tmp_path):
    content = json.loads((FOLDER / "segment.json").read_text("utf-8"))
    path = tmp_path / "unknown.json"
    path.write_text(json.dumps({**content, "version": version}))
    with pytest.raises(SessionFileError, match="damaged, or not a session"):
        Ledger.load(path)
