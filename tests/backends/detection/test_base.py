"""A model of pictures at work in a volume: slices are chosen, and what is found is joined."""

import numpy as np
import pytest

from napari_medvlm.backends import dispatch
from napari_medvlm.backends.base import BackendInfo, Task
from napari_medvlm.backends.detection.base import Look, Seen, SlicewiseBackend
from napari_medvlm.data.errors import Cancelled
from napari_medvlm.data.grounding import GroundQuery, Scope
from napari_medvlm.data.volume import Volume, Window


class Bright(SlicewiseBackend):
    """Sees a box around what is bright; the brighter, the surer."""

    info = BackendInfo("bright", "Bright", "MIT", tasks=frozenset({Task.GROUND}))
    batch = 3

    def look(self, pictures, query):
        self.batches = [*getattr(self, "batches", []), len(pictures)]
        return [self._detection(picture.pixels[..., 0]) for picture in pictures]

    def _detection(self, gray):
        inside = gray > 100
        if not inside.any():
            return Look(best={"thing": float(gray.max()) / 255}, texts=("nothing",))
        rows, columns = (np.flatnonzero(inside.any(axis=a)) for a in (1, 0))
        bounds = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        heat = gray.astype(np.float32) / 255
        return Look(
            (Seen("thing", float(gray.max()) / 255, bounds, heatmap=heat),), texts=("seen",)
        )


def volume_with(*blocks):
    data = np.zeros((20, 16, 18), np.uint8)
    for z, y, x, value in blocks:
        data[z, y, x] = value
    return Volume(data, np.diag([2.0, 1, 1, 1]), window=Window(127.5, 255))


def ask(volume, scope=None, progress=lambda *_: None):
    backend = Bright()
    backend.set_volume(volume)
    query = GroundQuery(("thing",), scope or Scope())
    return dispatch.ground(backend, volume, query, progress), backend


TOP = (slice(4, 9), slice(3, 8), slice(5, 12), 200)
LOW = (slice(14, 16), slice(9, 14), slice(2, 6), 255)


def test_neighbouring_slices_of_one_thing_are_one_box_in_3d():
    result, backend = ask(volume_with(TOP, LOW))
    low, top = result.regions
    start, stop = top.box.bounds(volume_with().grid)
    assert (tuple(start), tuple(stop)) == ((4, 3, 5), (9, 8, 12))
    start, stop = low.box.bounds(volume_with().grid)
    assert (tuple(start), tuple(stop)) == ((14, 9, 2), (16, 14, 6))
    assert top.score == pytest.approx(200 / 255)
    assert max(backend.batches) == 3


def test_a_heatmap_covers_all_slices_of_an_object():
    (region,) = ask(volume_with(TOP))[0].regions
    full = region.heatmap.full()
    assert full[4:9, 3:8, 5:12].min() == pytest.approx(200 / 255, abs=0.01)
    assert full[10:].max() == 0


def test_a_scout_pass_looks_closer_where_something_was_found():
    coarse, _ = ask(volume_with(TOP), Scope(slice_step_mm=8))
    closer, backend = ask(volume_with(TOP), Scope(slice_step_mm=8, coarse_to_fine=True))
    assert len(coarse.slices) == 5
    assert sum(backend.batches) < 20
    (region,) = closer.regions
    start, stop = region.box.bounds(volume_with().grid)
    assert (start[0], stop[0]) == (4, 9)
    assert [s.index for s in closer.slices] == sorted({s.index for s in closer.slices})


def test_what_was_looked_at_is_reported():
    result, _ = ask(volume_with(TOP), Scope(0, 2, 6))
    assert [s.index for s in result.slices] == [2, 3, 4, 5]
    assert result.window == Window(127.5, 255)
    assert result.texts == ("nothing", "nothing", "seen", "seen")


def test_nothing_found_states_the_best_score():
    dim = (slice(4, 9), slice(3, 8), slice(5, 12), 51)
    (missing,) = ask(volume_with(dim))[0].not_found
    assert missing.best_score == pytest.approx(0.2)
    assert "20 slices" in missing.reason


def test_a_cancel_is_passed_on_between_batches():
    def progress(fraction, message=""):
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        ask(volume_with(TOP), progress=progress)


class Masks(Bright):
    """Gives masks in place of heatmaps."""

    def _detection(self, gray):
        inside = gray > 100
        seen = Seen("thing", 1.0, mask=inside) if inside.any() else None
        return Look((seen,) if seen else ())


def test_masks_of_slices_far_apart_are_filled_between():
    backend = Masks()
    backend.set_volume(volume_with(TOP))
    query = GroundQuery(("thing",), Scope(slice_step_mm=4))
    (region,) = dispatch.ground(backend, volume_with(TOP), query, lambda *_: None).regions
    slices = np.unique(np.argwhere(region.mask.full())[:, 0])
    assert list(slices) == list(range(slices[0], slices[-1] + 1))
    start, stop = region.box.bounds(volume_with().grid)
    assert (slices[0], slices[-1] + 1) == (start[0], stop[0])
