"""What is listed of the earlier sessions of an image."""

import numpy as np
import pytest

import napari_medvlm as nmv
from napari_medvlm.data.errors import SessionFileError
from napari_medvlm.io.journal_files import new_journal, rename
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.region_records import ImageReference
from napari_medvlm.sessions.earlier import earlier_sessions
from napari_medvlm.sessions.ground.session import GroundingSession
from tests.conftest import make_phantom

VOLUME, LEFT, RIGHT = make_phantom()
IMAGE = ImageReference.of(VOLUME)


def segmented():
    path = new_journal(IMAGE)
    with nmv.SegmentationSession(VOLUME, runner="inline", journal=path) as session:
        session.add(nmv.Point.at_index(VOLUME, (12, 20, 13)))
        session.add(nmv.Point.at_index(VOLUME, (12, 20, 14)))
        session.add(nmv.Point.at_index(VOLUME, (12, 20, 33)), session.add_object("right"))
        session.wait()
    return path


def grounded():
    path = new_journal(IMAGE, "ground")
    labels = nmv.NamedLabels(np.where(LEFT, 1, 0).astype(np.uint8), VOLUME.grid, {1: "liver"})
    with GroundingSession(VOLUME, runner="inline", journal=path) as session:
        session.ask(["liver", "left lung"], labels=[labels])
        session.wait()
        return path, session.located


def asked():
    path = new_journal(IMAGE, "ask")
    with nmv.AskSession(VOLUME, runner="inline", journal=path) as session:
        session.ask("How large is the liver?")
        session.wait()
    return path


def test_sessions_of_all_tasks_are_listed_with_their_content(home):
    paths = [segmented(), grounded()[0], asked()]
    rename(paths[1], "liver first")
    listed = list(earlier_sessions(IMAGE))
    assert [session.path for session in listed] == paths
    assert [session.task for session in listed] == ["segment", "ground", "ask"]
    assert [session.content for session in listed] == [
        "2 objects with 3 prompts", "2 phrases", "1 question",
    ]  # fmt: skip
    assert str(listed[1]).startswith("liver first: 2 phrases, last changed ")
    assert list(earlier_sessions(ImageReference.of(make_phantom(seed=1)[0]))) == []


def test_a_session_that_a_window_has_open_is_listed_only_if_it_is_wanted(home):
    path = segmented()
    with nmv.SegmentationSession(VOLUME, runner="inline", journal=path, ledger=Ledger.load(path)):
        assert list(earlier_sessions(IMAGE)) == []
        (session,) = earlier_sessions(IMAGE, with_open=True)
        assert session.is_open
    assert [session.is_open for session in earlier_sessions(IMAGE)] == [False]


def test_a_resumed_grounding_session_has_its_phrases_boxes_and_scores(home):
    path, before = grounded()
    with GroundingSession(
        VOLUME, runner="inline", journal=path, ledger=Ledger.load(path)
    ) as session:
        assert list(session.located) == list(before)
        for phrase, located in session.located.items():
            assert located.backend == before[phrase].backend
            assert located.request.query.phrases == (phrase,)
            assert located.grounding.not_found == before[phrase].grounding.not_found
            for again, region in zip(
                located.grounding.regions, before[phrase].grounding.regions, strict=True
            ):
                assert again.box == region.box
                assert again.score == region.score
                assert again.mask is None
        assert "Press Ground" in session.located["liver"].grounding.notes[0]
        session.ask(["left lung"])
        session.wait()
    assert len(Ledger.load(path).records) == 3


def test_a_grounding_session_of_another_image_is_refused(home):
    path, _ = grounded()
    with pytest.raises(SessionFileError, match="about another image"):
        GroundingSession(make_phantom(seed=1)[0], runner="inline", ledger=Ledger.load(path))
