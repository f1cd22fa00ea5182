"""A volume tracked as a film gives the masks of the library's own film, both ways."""

from __future__ import annotations

import numpy as np
import pytest
import transformers as hf

from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.conformance.segment import CHECKS
from napari_medvlm.backends.dispatch import segment
from napari_medvlm.backends.sam.sam2 import TRACKERS, SAM2Backend
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Point
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume
from tests.backends.sam import tiny_sam, tiny_sam2
from tests.backends.sam.by_hand import AXES, NAMES, SHAPE, asked, of_slice, quiet, volume_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_sam2.tracker(tmp_path_factory.mktemp("sam2"))


@pytest.fixture(scope="module")
def lifted(tmp_path_factory):
    return tiny_sam2.tracker(tmp_path_factory.mktemp("lifted"), lift=5)


@pytest.fixture(scope="module")
def backend(folder):
    new_backend = SAM2Backend()
    new_backend.load(str(folder), "cpu")
    return new_backend


class Film:
    """The library's own calls on the pictures of a plane."""

    def __init__(self, folder, volume, axis):
        self.model = hf.AutoModel.from_pretrained(folder).eval()
        self.processor = hf.AutoProcessor.from_pretrained(folder)
        shown = [picture_of(volume, SliceRef(axis, i)) for i in range(volume.shape[axis])]
        self.shown = shown
        self.session = self.processor.init_video_session(
            video=np.stack([picture.pixels for picture in shown])
        )

    def pixel(self, volume, zyx):
        return (self.shown[0].pixel_of(volume.grid.to_world(zyx)) - 0.5).tolist()

    def tell(self, index, **prompts):
        self.processor.add_inputs_to_inference_session(self.session, index, 1, **prompts)
        return self.model(self.session, frame_idx=index)

    def mask(self, output):
        size = [self.session.video_height, self.session.video_width]
        masks = self.processor.post_process_masks([output.pred_masks], [size])[0]
        return self.shown[output.frame_idx].mask(masks[0, 0].numpy()).full()

    def run(self, start, tell, reverse):
        self.session.reset_inference_session()
        tell(self)
        frames = self.model.propagate_in_video_iterator(self.session, start, reverse=reverse)
        return {output.frame_idx: output for output in frames}

    def both_ways(self, start, tell, volume):
        """The masks of all slices: from the start on by the first run, before it by the second."""
        forward = self.run(start, tell, reverse=False)
        backward = self.run(start, tell, reverse=True)
        outputs = {**backward, **forward}
        full = np.zeros(volume.shape, bool)
        for output in outputs.values():
            full |= self.mask(output)
        scores = {i: float(o.object_score_logits.sigmoid()) for i, o in outputs.items()}
        return full, scores


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_conformance(check, lifted):
    check(SAM2Backend, str(lifted))


@pytest.mark.parametrize("name", NAMES)
def test_a_click_is_tracked_as_the_library_does_both_ways(backend, folder, name):
    volume, axis, at = volume_of(name), AXES[name], of_slice(name, 4, (5, 12, 9))
    mask = asked(backend, volume, Point.at_index(volume, at))
    film = Film(folder, volume, axis)
    point = film.pixel(volume, at)

    def tell(film):
        film.tell(4, input_points=[[[point]]], input_labels=[[[1]]])

    full, scores = film.both_ways(4, tell, volume)
    assert 0 < full.mean() < 1
    assert np.array_equal(mask.full(), full)
    assert mask.slice_scores == {(axis, i): scores[i] for i in sorted(scores)}


def test_boxes_and_clicks_on_several_slices_are_reported_before_tracking(backend, folder):
    volume = volume_of("axial")
    prompts = (
        Box.at_index(volume, (2, 3, 5), (3, 15, 19)),
        Point.at_index(volume, (2, 8, 8)),
        Point.at_index(volume, (2, 4, 17), positive=False),
        Point.at_index(volume, (7, 11, 12)),
    )
    mask = asked(backend, volume, *prompts)
    film = Film(folder, volume, 0)
    points = [film.pixel(volume, at) for at in ((2, 8, 8), (2, 4, 17), (7, 11, 12))]

    def tell(film):
        film.tell(2, input_points=[[points[:2]]], input_labels=[[[1, 0]]],
                  input_boxes=[[film_box(film)]])  # fmt: skip
        film.tell(7, input_points=[[points[2:]]], input_labels=[[[1]]])

    def film_box(film):
        ends = [film.pixel(volume, at) for at in ((2, 3, 5), (2, 14, 18))]
        (x0, x1), (y0, y1) = np.sort(np.array(ends).T).tolist()
        return [x0, y0, x1, y1]

    full, _ = film.both_ways(2, tell, volume)
    assert np.array_equal(mask.full(), full)


def test_a_lasso_is_a_mask_for_the_library(backend, folder):
    volume = volume_of("axial")
    lasso = Lasso.at_index(volume, [(4, 4, 4), (4, 4, 18), (4, 14, 18), (4, 14, 4)])
    mask = asked(backend, volume, lasso)
    film = Film(folder, volume, 0)
    inside = np.zeros(SHAPE, np.uint8)
    inside[tuple(lasso.voxels(volume.grid).T)] = 255
    area = picture_of(Volume(np.repeat(inside[4][None, ..., None], 3, axis=-1)), SliceRef(0, 0))
    flipped = film.shown[4].flipped
    assert flipped == (False, False)

    def tell(film):
        film.tell(4, input_masks=area.pixels[..., 0] > 0)

    full, _ = film.both_ways(4, tell, volume)
    assert np.array_equal(mask.full(), full)


def test_negative_click_corrects_a_later_slice_like_the_library(backend, folder):
    volume = volume_of("axial")
    yes, no = (2, 12, 9), (6, 5, 16)
    prompts = Point.at_index(volume, yes), Point.at_index(volume, no, positive=False)
    mask = asked(backend, volume, *prompts).full()
    film = Film(folder, volume, 0)
    film.tell(2, input_points=[[[film.pixel(volume, yes)]]], input_labels=[[[1]]])
    list(film.model.propagate_in_video_iterator(film.session, 2))
    corrected = film.tell(6, input_points=[[[film.pixel(volume, no)]]], input_labels=[[[0]]])
    assert np.array_equal(mask[6], film.mask(corrected)[6])
    for output in film.model.propagate_in_video_iterator(film.session, 7):
        assert np.array_equal(mask[output.frame_idx], film.mask(output)[output.frame_idx])
    before = asked(backend, volume, prompts[0]).full()
    assert np.array_equal(before[:6], mask[:6])
    assert not np.array_equal(before[6], mask[6])


def test_the_same_prompts_give_the_same_mask_after_others(backend):
    volume = volume_of("axial")
    one, two = (Point.at_index(volume, at) for at in ((4, 12, 9), (4, 3, 3)))
    first = asked(backend, volume, one).digest
    backend.segment(ObjectPrompts((two,), (1,)), quiet)
    assert backend.segment(ObjectPrompts((one,), (1,)), quiet).digest == first
    fresh = SAM2Backend()
    fresh._loaded = backend._loaded
    assert asked(fresh, volume, one).digest == first


def test_slices_of_an_initial_mask_without_prompts_stay_unchanged(backend):
    volume, before = volume_of("axial"), np.zeros(SHAPE, bool)
    before[2:8, 4:14, 4:17] = True
    start = InitialMask.of(volume, before)
    mask = asked(backend, volume, start, Point.at_index(volume, (5, 17, 3))).full()
    others = [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert np.array_equal(mask[others], before[others])
    assert not np.array_equal(mask[5], before[5])


def test_a_mask_of_one_slice_is_tracked_from(backend):
    volume, before = volume_of("axial"), np.zeros(SHAPE, bool)
    before[4, 4:14, 4:17] = True
    no = Point.at_index(volume, (6, 1, 1), positive=False)
    mask = asked(backend, volume, InitialMask.of(volume, before), no).full()
    assert mask[5].any()
    assert mask[3].any()


def test_an_object_that_is_not_there_ends(tmp_path):
    backend, volume = SAM2Backend(), volume_of("axial")
    backend.load(str(tiny_sam2.tracker(tmp_path, there=-50)), "cpu")
    area = [(4, 4, 4), (4, 4, 18), (4, 14, 18), (4, 14, 4)]
    result = asked(backend, volume, Lasso.at_index(volume, area))
    mask = result.full()
    assert mask[4].any()
    assert not mask[[0, 1, 2, 3, 5, 6, 7, 8, 9]].any()
    assert set(result.slice_scores) == {(0, 4)}


def test_one_picture_is_a_film_of_one(backend):
    volume = Volume(tiny_sam.picture()[None])
    mask = asked(backend, volume, Point.at_index(volume, (0, 20, 30)))
    assert mask.shape == (1, 60, 72)


def test_slices_are_prepared_when_they_are_looked_at(backend, monkeypatch):
    volume, seen = volume_of("axial"), []
    backend.set_volume(volume)
    plane = backend.plane(0)
    monkeypatch.setattr(
        type(plane), "picture",
        lambda plane, index: (seen.append(index), picture_of(volume, SliceRef(0, index)))[1],
    )  # fmt: skip
    box = Box.at_index(volume, (3, 3, 5), (6, 15, 19))
    segment(backend, volume, ObjectPrompts((box,), (1,)), quiet)
    assert set(seen) <= {0, 3, 4, 5}


def test_the_authors_checkpoints_are_refused_with_the_remedy(tmp_path):
    path = tmp_path / "MedSAM2_latest.pt"
    path.write_bytes(b"weights")
    with pytest.raises(BackendUnavailable, match=r"MedSAM2_latest.pt is one file") as error:
        SAM2Backend().load(str(path), "cpu")
    assert "napari-medvlm models convert" in error.value.hint


def test_a_model_that_does_not_track_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(BackendUnavailable, match="bert"):
        SAM2Backend().load(str(tmp_path), "cpu")


@pytest.mark.parametrize(
    ("make", "side"), [(tiny_sam2.edgetam, tiny_sam2.SIDE), (tiny_sam2.sam3, tiny_sam2.SIDE_3)]
)
def test_other_trackers_give_the_librarys_masks_too(tmp_path, make, side):
    folder = tiny_sam2.saved(tiny_sam2.scattered(make()), tmp_path, side)
    backend, volume, at = SAM2Backend(), volume_of("axial", (5, 20, 24)), (2, 12, 9)
    backend.load(str(folder), "cpu")
    mask = asked(backend, volume, Point.at_index(volume, at))
    film = Film(folder, volume, 0)

    def tell(film):
        film.tell(2, input_points=[[[film.pixel(volume, at)]]], input_labels=[[[1]]])

    full, scores = film.both_ways(2, tell, volume)
    assert 0 < full.mean() < 1
    assert np.array_equal(mask.full(), full)
    assert mask.slice_scores == {(0, i): scores[i] for i in sorted(scores)}


@pytest.mark.parametrize("kind", TRACKERS)
def test_the_library_has_the_trackers_and_their_processors(kind):
    assert all(hasattr(hf, name) for name in TRACKERS[kind])
