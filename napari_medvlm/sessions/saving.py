"""What is told of a session's objects where they are saved."""

from __future__ import annotations

from napari_medvlm.io import Segment
from napari_medvlm.sessions.segment import SegmentationSession


def segments_of(session: SegmentationSession) -> dict[int, Segment]:
    """What a DICOM file is to tell of the objects of a session."""
    found = {}
    for object_id, live in session.now.objects.items():
        made = session.ledger.predicted(object_id, live.changed)
        who = "" if made is None else " ".join(filter(None, (made.backend, made.model)))
        found[object_id] = Segment(live.info.name, live.info.color, algorithm=who or "by hand")
    return found
