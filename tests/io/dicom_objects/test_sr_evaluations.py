"""Findings and answers stand in the report next to the measurements, and come back with places."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose
from typer.testing import CliRunner

import napari_medvlm as nmv
from napari_medvlm.cli import app
from napari_medvlm.data.conversation import State, Verdict
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.data.prompts import Box
from napari_medvlm.io import Segment
from napari_medvlm.io.dicom_objects.sr import write_sr
from napari_medvlm.io.dicom_objects.sr_evaluations import Evaluation
from napari_medvlm.io.dicom_objects.sr_read import read_evaluations, read_sr
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.sessions.ask.session import AskSession
from napari_medvlm.sessions.export.sr_evaluations import (
    evaluations_of_file,
    evaluations_of_talks,
    exchanges_of,
)


@pytest.fixture
def labels(volume):
    values = np.zeros(volume.shape, np.uint8)
    values[2:5, 3:10, 4:20] = 1
    return nmv.NamedLabels(values, volume.grid, {1: "liver"})


@pytest.fixture
def seg(volume, labels, tmp_path):
    nmv.write_mask(tmp_path / "seg.dcm", labels.values, volume, {1: Segment("liver")})
    return tmp_path / "seg.dcm"


@pytest.fixture
def files(volume, labels, tmp_path):
    """Saved sessions: one phrase found and one not; a question that was answered."""
    with nmv.GroundingSession(volume, runner="inline") as session:
        session.ask(["liver", "spleen"], labels=[labels])
        session.wait()
        session.ledger.save(tmp_path / "ground.json")
    with AskSession(volume, "embedded", "inline") as session:
        session.ask("How large is the liver?", labels=[labels])
        session.wait()
        session.ledger.save(tmp_path / "ask.json")
    return tmp_path / "ground.json", tmp_path / "ask.json"


def reported(volume, seg, files):
    report = seg.with_name("sr.dcm")
    words = [text for file in files for text in ("--words", str(file))]
    command = ["measure", str(volume.source), "--mask", str(seg), "--sr", str(report), *words]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    return report


def test_regions_and_answers_are_read_back_beside_the_measurements(volume, seg, files):
    report = reported(volume, seg, files)
    assert [lesion["name"] for lesion in read_sr(report)] == ["liver"]
    back = read_evaluations(report)
    truth = [e for file in files for e in evaluations_of_file(file, volume)]
    by_words = {(e.question, e.sentence): e for e in truth}
    assert {(e.question, e.sentence) for e in back} == set(by_words)
    for found in back:
        meant = by_words[found.question, found.sentence]
        assert (found.present, found.algorithm) == (meant.present, meant.algorithm)
        assert found.score == pytest.approx(meant.score, abs=1e-4)
        assert len(found.boxes) == len(meant.boxes)
        for box, original in zip(found.boxes, meant.boxes, strict=True):
            assert_allclose(box.corners(), original.corners(), atol=1e-3)
    kinds = {e.question: e.present for e in back}
    assert kinds["liver"] is True
    assert kinds["spleen"] is False
    (answer,) = [e for e in back if e.present is None and e.boxes]
    start, stop = answer.boxes[0].bounds(volume.grid)
    assert (start.tolist(), stop.tolist()) == ([2, 3, 4], [5, 10, 20])


@pytest.mark.skipif(sys.platform != "linux", reason="the validator is Debian's dicom3tools")
def test_a_validator_finds_no_error(volume, seg, files):
    report = reported(volume, seg, files)
    checked = subprocess.run(
        ["dciodvfy", "-new", report], capture_output=True, text=True, check=False
    )
    assert checked.stderr.strip().endswith("Comprehensive3DSR")
    assert "Error" not in checked.stderr


def test_several_boxes_at_any_angle_stay_with_their_sentence(volume, seg):
    turned = Box(corner_mm=(1, 2, 3), edges_mm=((5, 1, 0), (-1, 5, 0), (0, 0, 7)))
    upright = Box.at_index(volume, (1, 2, 3), (4, 8, 9))
    said = Evaluation("What is seen?", "Two nodules.", (turned, upright), None, None, "model a")
    write_sr(seg.with_name("sr.dcm"), seg, {}, volume, [said])
    (back,) = read_evaluations(seg.with_name("sr.dcm"))
    assert (back.question, back.sentence, back.algorithm) == (
        "What is seen?",
        "Two nodules.",
        "model a",
    )
    for box, original in zip(back.boxes, said.boxes, strict=True):
        assert_allclose(box.corners(), original.corners(), atol=1e-3)


def test_sentences_marked_as_incorrect_are_not_exported(volume, labels):
    with AskSession(volume, "embedded", "inline") as session:
        exchange = session.ask("How large is the liver?", labels=[labels])
        session.wait()
        before = evaluations_of_talks(session.conversations)
        session.mark(exchange, 0, Verdict.WRONG)
        after = evaluations_of_talks(session.conversations)
    assert after == before[1:]


def test_words_about_another_image_are_refused(volume, files):
    other = nmv.Volume(np.arange(8.0).reshape(2, 2, 2))
    for file in files:
        with pytest.raises(SessionFileError, match="another image"):
            evaluations_of_file(file, other)


def test_sentences_come_back_in_the_order_of_the_answer(volume, seg):
    box = Box.at_index(volume, (1, 2, 3), (4, 8, 9))
    evaluations = [
        Evaluation("What is seen?", "Two things.", (), None, None, "model a"),
        Evaluation("What is seen?", "A nodule.", (box,), None, None, "model a"),
        Evaluation("nodule", "Found: nodule.", (box,), True, 0.5, "model b"),
        Evaluation("What is seen?", "No effusion.", (), None, None, "model a"),
    ]
    write_sr(seg.with_name("sr.dcm"), seg, {}, volume, evaluations)
    back = read_evaluations(seg.with_name("sr.dcm"))
    assert [e.sentence for e in back] == [e.sentence for e in evaluations]
    (exchange,) = exchanges_of(back)
    assert (exchange.question, exchange.backend) == ("What is seen?", "model a")
    assert exchange.answer.text == "Two things. A nodule. No effusion."
    assert [len(claim.regions) for claim in exchange.answer.claims] == [0, 1, 0]


def test_an_answer_of_a_report_is_an_exchange_that_is_over(volume, seg, files, tmp_path):
    back = read_evaluations(reported(volume, seg, files))
    journal = tmp_path / "talk.jsonl"
    with AskSession(volume, "embedded", "inline", journal=journal) as session:
        own = session.active.id
        session.import_report("From a report", exchanges_of(back, session.conversations))
        assert session.active.title == "From a report"
        assert session.active.id != own
        (exchange,) = session.active.turns
        assert exchange.state is State.ANSWERED
        assert (exchange.question, exchange.backend) == ("How large is the liver?", "embedded")
        linked = [claim for claim in exchange.answer.claims if claim.regions]
        start, stop = linked[0].regions[0].box.bounds(volume.grid)
        assert (start.tolist(), stop.tolist()) == ([2, 3, 4], [5, 10, 20])
        assert "comes from a DICOM report" in exchange.answer.notes[0]
        session.mark(exchange.id, 0, Verdict.UNSURE)
        again = session.regenerate(exchange.id)
        session.wait()
        assert session.turn(again).state is State.ANSWERED
    with AskSession(volume, runner="inline", ledger=Ledger.load(journal)) as session:
        assert [talk.title for talk in session.conversations][-1] == "From a report"


def test_answers_that_are_there_are_not_brought_in_again(volume, seg, files):
    back = read_evaluations(reported(volume, seg, files))
    ledger = Ledger.load(files[1])
    with AskSession(volume, runner="inline", ledger=ledger) as session:
        assert exchanges_of(back, session.conversations) == ()
        session.import_report("From a report", ())
        assert len(session.conversations) == 1
    with AskSession(volume, runner="inline") as session:
        for _ in range(2):
            session.import_report("From a report", exchanges_of(back, session.conversations))
        assert [talk.title for talk in session.conversations][1:] == ["From a report"]
