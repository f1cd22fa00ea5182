"""The conformance kit for backends that find phrases or classify labels."""

from __future__ import annotations

import pickle

import numpy as np

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.base import Backend, Task
from napari_medvlm.backends.conformance.phantom import CENTER, phantom
from napari_medvlm.data.answer import Question
from napari_medvlm.data.classification import LabelQuery
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.data.grounding import Grounding, GroundQuery, Scope
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume

PHRASES = ("a bright thing", "the left kidney")
STOP_AFTER = 3
SLICES = Scope.of_slice(0, CENTER[0])


def check_ground(cls: type[Backend], model: str | None = None) -> None:
    """Each phrase is in a region or is not found; regions lie in the image, and travel."""
    if Task.GROUND not in cls.info.tasks:
        return
    for volume in (phantom(), phantom(30)):
        before = volume.data.copy()
        grounding = _ground(cls(), model, volume)
        assert np.array_equal(volume.data, before), "the backend writes to the image"
        reported = [r.phrase for r in grounding.regions] + [n.phrase for n in grounding.not_found]
        assert set(reported) == set(PHRASES), f"asked for {PHRASES}, reported on {reported}"
        for region in grounding.regions:
            start, stop = region.box.bounds(volume.grid)
            assert (stop > start).all(), f"the box of {region.phrase} lies outside the image"
            score = region.score
            assert score is None or 0 <= score <= 1, f"a score of {score}"
        again = pickle.loads(pickle.dumps(grounding))
        assert len(again.regions) == len(grounding.regions)


def check_ground_again(cls: type[Backend], model: str | None = None) -> None:
    """The same question has the same answer: again, after others, and in a fresh instance."""
    if Task.GROUND not in cls.info.tasks:
        return
    volume = phantom()
    backend = cls()
    first = _boxes(_ground(backend, model, volume))
    _ground(backend, model, phantom(20))
    assert _boxes(_ground(backend, model, volume)) == first, "it depends on what was asked before"
    assert _boxes(_ground(cls(), model, volume)) == first, "a fresh instance answers otherwise"


def check_ground_cancel(cls: type[Backend], model: str | None = None) -> None:
    """`Cancelled` raised by the progress gets through."""
    if Task.GROUND not in cls.info.tasks:
        return

    def stop(fraction: float, message: str = "") -> None:
        raise Cancelled

    backend, volume = cls(), phantom()
    _ground(backend, model, volume)
    try:
        dispatch.ground(backend, volume, GroundQuery(PHRASES, SLICES), stop)
    except Cancelled:
        return
    raise AssertionError("progress is never called, or Cancelled does not get through")


def check_label(cls: type[Backend], model: str | None = None) -> None:
    """Every label has a probability, and those that exclude each other sum to 1."""
    if Task.LABEL not in cls.info.tasks:
        return
    backend, volume = cls(), phantom()
    backend.load(model, "cpu")
    dispatch.set_volume(backend, volume)
    for exclusive in (True, False):
        query = LabelQuery(("nodule", "effusion"), exclusive=exclusive, scope=SLICES)
        judged = dispatch.label(backend, volume, query, lambda fraction, message="": None)
        values = list(judged.probabilities.values())
        assert tuple(judged.probabilities) == query.labels
        assert all(0 <= value <= 1 for value in values), f"probabilities {values}"
        assert not exclusive or abs(sum(values) - 1) < 1e-3, f"they sum to {sum(values)}"


def check_explain(cls: type[Backend], model: str | None = None) -> None:
    """A map of evidence lies on the slice of its image, from 0 to 1; a cancel gets through."""
    if Task.EXPLAIN not in cls.info.tasks:
        return
    backend, volume = cls(), phantom(30)
    backend.load(model, "cpu")
    dispatch.set_volume(backend, volume)
    shown = picture_of(volume, SliceRef(0, CENTER[0]))
    question = Question("What is seen?", pictures=(shown,))
    done: list[float] = []

    def watch(fraction: float, message: str = "") -> None:
        done.append(fraction)
        if len(done) > STOP_AFTER:
            raise Cancelled

    try:
        dispatch.explain(backend, question, "A bright thing.", 0, watch)
        raise AssertionError("progress is hardly called, or Cancelled does not get through")
    except Cancelled:
        pass
    heatmap = dispatch.explain(backend, question, "A bright thing.", 0, lambda *_: None)
    assert heatmap.shape == volume.shape, f"a map of shape {heatmap.shape}"
    assert heatmap.start[0] == CENTER[0], f"a map of slice {heatmap.start[0]}"
    assert heatmap.crop.shape[0] == 1, f"a map of {heatmap.crop.shape[0]} slices"
    assert heatmap.crop.min() >= 0, f"a value of {heatmap.crop.min()}"
    assert heatmap.crop.max() <= 1, f"a value of {heatmap.crop.max()}"


def _ground(backend: Backend, model: str | None, volume: Volume) -> Grounding:
    backend.load(model, "cpu")
    dispatch.set_volume(backend, volume)
    query = GroundQuery(PHRASES, SLICES)
    return dispatch.ground(backend, volume, query, lambda fraction, message="": None)


def _boxes(grounding: Grounding) -> list[object]:
    return [(r.phrase, r.box, r.score) for r in grounding.regions]
