"""What is to be known of how a mask was made reaches the person, once."""

from __future__ import annotations

from dataclasses import replace

from napari_medvlm.backends import dispatch
from napari_medvlm.data.prompts import Point
from napari_medvlm.sessions.segment.session import SegmentationSession
from tests.conftest import make_phantom


def test_a_note_of_a_mask_is_reported_when_it_is_new(monkeypatch):
    volume, reported, notes = (
        make_phantom()[0],
        [],
        ["one slice at a time", "one slice at a time", ""],
    )
    real = dispatch.segment

    def noted(*asked):
        note = notes.pop(0)
        return replace(real(*asked), notes=(note,) if note else ())

    monkeypatch.setattr(dispatch, "segment", noted)
    with SegmentationSession(volume, runner="inline") as session:
        session.noted.connect(reported.append)
        for zyx in ((12, 20, 13), (12, 21, 14), (12, 22, 13)):
            session.add(Point.at_index(volume, zyx))
        session.wait()
        assert reported == ["one slice at a time"]
        assert session.own_mask(session.active).notes == ()
