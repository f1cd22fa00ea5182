"""The objects of a session as files, and their descriptions there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from napari_medvlm.backends.models.files import weights_digest
from napari_medvlm.backends.models.registry import OPTIONS
from napari_medvlm.backends.models.resolve import resolve
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.io import Segment, write_mask, write_segments, write_separately
from napari_medvlm.io.label_images import write_names
from napari_medvlm.ledger.records import Overlap
from napari_medvlm.sessions.segment.session import SegmentationSession
from napari_medvlm.settings.paths import exists


def segments_of(session: SegmentationSession) -> dict[int, Segment]:
    """What a DICOM file states about the objects of a session."""
    segments = {}
    for object_id, live in session.now.objects.items():
        prediction = session.ledger.prediction_of(live)
        model = "" if prediction is None else prediction.model or ""
        algorithm = (
            "by hand" if prediction is None else f"{prediction.backend} {Path(model).name}".strip()
        )
        if prediction is not None and live.current_edits():
            algorithm += ", corrected by hand"
        segments[object_id] = Segment(
            live.info.name,
            live.info.color,
            algorithm=algorithm,
            model=model,
            tracking_uid=session.ledger.uid_of(object_id),
        )
    return segments


def with_weights(segments: Mapping[int, Segment]) -> dict[int, Segment]:
    """The same with the hashes of their models' weights. Takes a while: weights are read."""
    digests = {model: weights_of(model) for model in {s.model for s in segments.values()}}
    return {n: replace(segment, weights=digests[segment.model]) for n, segment in segments.items()}


def weights_of(model: str | None) -> str:
    """The `weights_digest` of a model; empty if it is not on this computer."""
    try:
        location = (resolve(model) or "").partition(OPTIONS)[0]
    except BackendUnavailable:
        return ""
    if not location or not exists(location):
        return ""
    return weights_digest(Path(location))


def write_objects(session: SegmentationSession, path: Path) -> tuple[Path, ...]:
    """Write the objects as labels, or each as a file of its own where they may overlap.

    A table of their names is written next to labels. Surfaces are a file each.

    Raises
    ------
    CannotSave
        If a file cannot be written.
    """
    objects = session.now.objects
    if path.name.lower().endswith(".dcm"):
        masks = {i: session.mask_of(i) for i in objects}
        write_segments(path, masks, session.volume, with_weights(segments_of(session)))
        return (path,)
    surface = path.name.lower().endswith(".stl")
    if len(objects) < 2 or (session.now.overlap is not Overlap.BOTH and not surface):
        write_mask(path, session.labels, session.volume)
        named = {i: (live.info.name, live.info.color) for i, live in objects.items()}
        return (path,) if surface or not named else (path, write_names(path, named))
    masks = {object_id: session.mask_of(object_id) for object_id in objects}
    return write_separately(path, masks, session.volume, segments_of(session))
