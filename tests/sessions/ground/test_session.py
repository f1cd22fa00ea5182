"""A grounding session: phrases are asked one by one, answers come as they are found."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import BackendUnavailable, InvalidPrompt
from napari_medvlm.data.prompts import Point
from napari_medvlm.ledger.ledger import Ledger
from tests.conftest import make_phantom


@pytest.fixture
def scene():
    volume, left, right = make_phantom()
    values = np.zeros(left.shape, np.uint8)
    values[left], values[right] = 1, 2
    names = {1: "liver", 2: "spleen"}
    return volume, nmv.NamedLabels(values, volume.grid, names)


def test_answers_come_in_the_order_of_asking_and_are_written_down(scene, tmp_path):
    volume, labels = scene
    path = tmp_path / "ground.jsonl"
    seen = []
    with nmv.GroundingSession(volume, runner="inline", journal=path) as session:
        session.changed.connect(lambda: seen.append(tuple(session.located)))
        session.ask(["spleen", "liver", "spleen", " "], labels=[labels])
        session.wait()
        assert list(session.located) == ["spleen", "liver"]
        assert ("spleen",) in seen
        saved = session.ledger.records
    records = Ledger.load(path).records
    assert [r.phrase for r in records] == ["spleen", "liver"]
    assert records == saved
    assert records[0].regions[0].name == "spleen"
    assert records[0].regions[0].mask_digest


def test_many_phrases_are_no_trouble_inline(scene):
    volume, labels = scene
    with nmv.GroundingSession(volume, runner="inline") as session:
        session.ask([f"thing {k}" for k in range(200)], labels=[labels])
        session.wait()
        assert len(session.grounding.not_found) == 200


def test_a_worker_does_the_same(scene):
    volume, labels = scene
    reported = []
    with nmv.GroundingSession(volume) as session:
        session.progressed.connect(lambda fraction, _: reported.append(fraction))
        session.ask(["liver", "spleen", "kidney"], labels=[labels])
        session.wait(120)
        assert [r.phrase for r in session.grounding.regions] == ["liver", "spleen"]
        assert [n.phrase for n in session.grounding.not_found] == ["kidney"]
    assert reported
    assert max(reported) <= 1


def test_cancel_keeps_what_was_found(scene):
    volume, labels = scene
    with nmv.GroundingSession(volume) as session:
        session.ask(["liver"], labels=[labels])
        session.wait(120)
        session.ask(["left hippocampus", "spleen"], labels=[labels])
        session.cancel()
        session.wait(120)
        assert "liver" in session.located
        assert "spleen" not in session.located
        assert session.pending == ()


def test_nothing_to_look_for_is_reported(scene):
    volume, _ = scene
    with nmv.GroundingSession(volume, runner="inline") as session:
        with pytest.raises(InvalidPrompt, match="no phrase"):
            session.ask([" ", ""])
        with pytest.raises(InvalidPrompt, match="no slice"):
            session.ask(["liver"], nmv.Scope(0, 500, 600))


def test_a_backend_that_does_not_look_for_phrases_is_refused(scene, foreign):
    with pytest.raises(BackendUnavailable, match="does not find phrases"):
        nmv.GroundingSession(scene[0], foreign, "inline")


def test_a_region_becomes_an_object_with_its_origin_in_the_ledger(scene):
    volume, labels = scene
    (region,) = nmv.ground(volume, ["liver"], labels=[labels]).regions
    with nmv.SegmentationSession(volume, runner="inline") as session:
        session.add(Point.at_index(volume, (12, 20, 33)))
        made = session.take("liver", region.box, "liver 1.00, found by embedded")
        session.wait()
        assert session.now.objects[made].info.name == "liver"
        assert session.mask.any()
        added = session.ledger.entries[-1].events[-1]
        assert added.origin == "liver 1.00, found by embedded"
        session.undo()
        assert made not in session.now.objects


def test_a_listener_that_fails_stops_nothing(scene):
    volume, labels = scene

    def fail(*_):
        raise ValueError("a listener's own error")

    with nmv.GroundingSession(volume) as session:
        session.changed.connect(fail)
        session.progressed.connect(fail)
        session.ask(["liver", "spleen"], labels=[labels])
        session.wait(120)
        assert list(session.located) == ["liver", "spleen"]


def test_a_session_that_is_closed_starts_no_new_worker(scene):
    volume, labels = scene
    session = nmv.GroundingSession(volume)
    session.ask([f"thing {k}" for k in range(200)], labels=[labels])
    runner = session._runner
    session.close()
    assert runner.pids == {}
    assert session.pending == ()


def test_phrases_that_wait_keep_the_backend_that_they_were_asked_of(scene):
    volume, labels = scene
    with nmv.GroundingSession(volume) as session:
        session.ask(["liver", "spleen"], labels=[labels])
        session.use("detector", "no/such-model")
        session.wait(120)
        assert {located.backend for located in session.located.values()} == {"embedded"}


@pytest.mark.parametrize("phrases", ["liver", [3], [None]])
def test_what_is_no_list_of_texts_is_reported(scene, phrases):
    with (
        nmv.GroundingSession(scene[0], runner="inline") as session,
        pytest.raises(InvalidPrompt, match="list of texts"),
    ):
        session.ask(phrases)


@pytest.mark.parametrize(
    "scope", [nmv.Scope(5), nmv.Scope(-1), nmv.Scope(slice_step_mm=float("nan"))]
)
def test_a_scope_that_is_none_is_reported(scene, scope):
    with pytest.raises(InvalidPrompt, match="no valid scope"):
        nmv.ground(scene[0], ["liver"], scope=scope)


def test_imported_findings_are_shown_and_recorded_like_results(scene, tmp_path):
    volume, labels = scene
    with nmv.GroundingSession(volume, runner="inline") as other:
        other.ask(["liver", "lesion"], labels=[labels])
        other.wait()
        elsewhere = other.grounding
    path = tmp_path / "ground.jsonl"
    with nmv.GroundingSession(volume, runner="inline", journal=path) as session:
        session.import_report("a colleague", elsewhere)
        assert [r.phrase for r in session.grounding.regions] == ["liver"]
        assert [n.phrase for n in session.grounding.not_found] == ["lesion"]
        assert {located.backend for located in session.located.values()} == {"a colleague"}
    assert [r.backend for r in Ledger.load(path).records] == ["a colleague"] * 2


def test_a_description_that_a_model_does_not_take_is_reported_and_not_put_into_the_phrase(scene):
    volume, labels = scene
    with nmv.GroundingSession(volume, runner="inline") as session:
        session.ask(["spleen"], labels=[labels], descriptions={"spleen": "an organ on the left"})
        session.wait()
        result = session.located["spleen"].grounding
    assert [region.name for region in result.regions] == ["spleen"]
    assert result.prompts.get("spleen", "spleen") == "spleen"
    assert "The description was not sent: this model has no sentence for descriptions." in (
        result.notes
    )
