"""What a session does for a prompt or an object is done once, however many there are."""

import sys
from collections import Counter

import numpy as np
import pytest

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Point
from napari_medvlm.ledger.ledger import Ledger
from napari_medvlm.ledger.records import ObjectAdded, ObjectInfo, PromptAdded
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.worker.executor import Executor
from tests.conftest import make_phantom

OBJECTS = 300
VOLUME = make_phantom((6, 40, 40))[0]


@pytest.fixture
def many():
    """A ledger of objects, each with a point of its own."""
    ledger = Ledger.of(VOLUME)
    for number in range(OBJECTS):
        info = ObjectInfo(id=number + 1, name=f"{number}", color="#ffffff")
        point = Point.at_index(VOLUME, (3, number // 20 * 2, number % 20 * 2))
        ledger.append(
            ObjectAdded(object=info),
            PromptAdded(object_id=number + 1, prompt_id=number + 1, prompt=point),
        )
    return ledger


@pytest.fixture
def requests(monkeypatch, foreign):
    """How often each object's mask was requested of a backend that marks one voxel."""
    counts = Counter()
    answer = Executor._do

    def counted(self, request, progress, deliver):
        counts[request.prompts[0].position_mm] += 1
        return answer(self, request, progress, deliver)

    def one_voxel(self, prompts, progress):
        index = np.rint(VOLUME.grid.to_index(np.array([prompts[0].position_mm])))[0]
        voxels = np.zeros(VOLUME.shape, bool)
        voxels[tuple(index.astype(int))] = True
        return Mask.of(voxels)

    monkeypatch.setattr(Executor, "_do", counted)
    monkeypatch.setattr("medvlm_foreign.Threshold.segment", one_voxel)
    return counts


def test_resuming_requests_each_mask_once(many, foreign, requests):
    with SegmentationSession(VOLUME, foreign, "inline", ledger=many) as session:
        session.wait()
        assert set(np.unique(session.labels)) == set(range(OBJECTS + 1))
    assert set(requests.values()) == {1}
    assert len(requests) == OBJECTS


def test_a_prompt_measures_its_own_object_only(many, foreign, requests, monkeypatch):
    asked = []
    with SegmentationSession(VOLUME, foreign, "inline", ledger=many) as session:
        session.wait()
        session._engine._measuring.submit(print).result(120)  # those of all objects are done
        belonging = session._engine.belonging
        monkeypatch.setattr(session._engine, "belonging", lambda i: asked.append(i) or belonging(i))
        session.add(Point.at_index(VOLUME, (0, 0, 0)), session.add_object("new"))
        session.wait()
        session._engine._measuring.submit(print).result(120)
        assert session.last_measurement(OBJECTS + 1).voxels == 1
    assert set(asked) == {OBJECTS + 1}


def test_a_prompt_costs_the_same_after_many_prompts(foreign, requests):
    """Lines of Python outside the backend: a number that no other work on the computer changes."""
    lines = {}
    for count in (10, 1000):
        ledger = Ledger.of(VOLUME)
        ledger.append(ObjectAdded(object=ObjectInfo(id=1, name="object", color="#ffffff")))
        for number in range(count):
            point = Point.at_index(VOLUME, (3, number // 40, number % 40))
            ledger.append(PromptAdded(object_id=1, prompt_id=number + 1, prompt=point))
        with SegmentationSession(VOLUME, foreign, "inline", ledger=ledger) as session:
            session.wait()
            session.add(Point.at_index(VOLUME, (0, 0, 0)))  # what is done once
            executed = Counter()

            def trace(frame, event, argument, executed=executed):
                executed["backends" in frame.f_code.co_filename, event] += 1
                return trace

            before = sys.gettrace()
            sys.settrace(trace)
            try:
                session.add(Point.at_index(VOLUME, (0, 0, 1)))
                session.pending_prompts()
            finally:
                sys.settrace(before)
        lines[count] = executed[False, "line"]
    assert lines[1000] < 1.3 * lines[10]
