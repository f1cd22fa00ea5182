"""What the user said in the patient is read on the slices that it was said on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_medvlm.backends.sam.slice_prompts import bounds_of, on_slices, plane_of, since_last_mask
from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Point, Scribble
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume
from tests.backends.sam.by_hand import AXES, NAMES, SHAPE, volume_of

SQUARE = [(3, 3), (3, 9), (9, 9), (9, 3)]


def read(volume, axis, *prompts, start=None):
    return on_slices(prompts, picture_of(volume, SliceRef(axis, 0)), start)


def on_axis(axis, index, pairs):
    """Voxels whose part across an axis is ``index``."""
    return [(*pair[:axis], index, *pair[axis:]) for pair in pairs]


@pytest.mark.parametrize("axis", range(3))
def test_the_plane_is_the_one_that_was_drawn_on(axis):
    volume = volume_of("axial")
    start, stop = on_axis(axis, 4, [(2, 2)])[0], on_axis(axis, 5, [(8, 8)])[0]
    point = Point.at_index(volume, (5, 5, 5))
    drawn = [
        Box.at_index(volume, start, stop),
        Lasso.at_index(volume, on_axis(axis, 4, SQUARE)),
        Scribble.at_index(volume, on_axis(axis, 4, [(k, k + k % 2) for k in range(8)])),
    ]
    for prompt in drawn:
        assert plane_of([point, prompt], volume.grid) == axis


def test_a_lasso_on_a_tilted_plane_belongs_to_the_slices_that_it_is_nearest_to():
    volume = volume_of("axial")
    tilted = [(4 + 0.1 * y, y, x) for y, x in SQUARE]
    assert plane_of([Lasso.at_index(volume, tilted)], volume.grid) == 0
    prompts_on_slices = read(volume, 0, Lasso.at_index(volume, tilted))
    assert prompts_on_slices.anchors == [5]
    assert prompts_on_slices.slices[5].area.sum() == 49


@pytest.mark.parametrize("name", NAMES)
def test_with_points_alone_the_plane_is_that_of_the_files_thick_slices(name):
    volume = volume_of(name)
    assert plane_of([Point.at_index(volume, (5, 5, 5))], volume.grid) == AXES[name]


def test_with_points_alone_and_cubes_for_voxels_the_plane_is_axial():
    affine = np.zeros((4, 4))
    affine[[0, 1, 2, 3], [2, 0, 1, 3]] = 1  # the third axis of the array runs to superior
    volume = Volume(np.zeros(SHAPE, np.int16), affine)
    assert plane_of([Point.at_index(volume, (5, 5, 5))], volume.grid) == 2


def test_the_plane_of_a_single_slice_is_that_slice():
    volume = Volume(np.zeros((20, 1, 24), np.int16))
    box = Box.at_index(volume, (3, 0, 4), (4, 1, 9))
    assert plane_of([box], volume.grid) == 1


def test_most_drawings_decide_and_the_earliest_of_equals():
    volume = volume_of("axial")
    boxes = {
        axis: Box.at_index(volume, on_axis(axis, 4, [(2, 2)])[0], on_axis(axis, 5, [(8, 8)])[0])
        for axis in range(3)
    }
    assert plane_of([boxes[1], boxes[0]], volume.grid) == 1
    assert plane_of([boxes[1], boxes[0], boxes[0]], volume.grid) == 0


def test_points_are_reported_by_the_centres_of_pixels():
    volume = volume_of("axial")
    prompts_on_slices = read(
        volume, 0, Point.at_index(volume, (4, 6, 7)), Point.at_index(volume, (4, 0, 0))
    )
    assert prompts_on_slices.anchors == [4]
    np.testing.assert_allclose(prompts_on_slices.slices[4].points, [(7, 6), (0, 0)], atol=1e-6)
    assert prompts_on_slices.slices[4].labels == [1, 1]


def test_a_box_is_reported_by_its_first_and_last_pixel():
    volume = volume_of("axial")
    prompts_on_slices = read(volume, 0, Box.at_index(volume, (4, 2, 3), (5, 9, 12)))
    np.testing.assert_allclose(prompts_on_slices.slices[4].box, (3, 2, 11, 8), atol=1e-6)
    assert (prompts_on_slices.first, prompts_on_slices.last) == (0, 9)


def test_a_box_with_depth_is_reported_on_its_middle_slice_and_bounds_the_rest():
    volume = volume_of("axial")
    prompts_on_slices = read(volume, 0, Box.at_index(volume, (2, 2, 3), (7, 9, 12)))
    assert prompts_on_slices.anchors == [4]
    assert (prompts_on_slices.first, prompts_on_slices.last) == (2, 6)


def test_the_newest_box_of_a_slice_counts():
    volume = volume_of("axial")
    boxes = [Box.at_index(volume, (4, 2, 3), (5, 9, end)) for end in (12, 15)]
    assert read(volume, 0, *boxes).slices[4].box[2] == pytest.approx(14)


def test_what_was_drawn_on_another_plane_counts_as_points():
    volume = volume_of("axial")
    box = Box.at_index(volume, (2, 5, 3), (7, 6, 12))
    lasso = Lasso.at_index(volume, on_axis(1, 5, SQUARE))
    prompts_on_slices = read(volume, 0, box)
    assert prompts_on_slices.anchors == [4]
    np.testing.assert_allclose(prompts_on_slices.slices[4].points, [(7, 5)], atol=1e-6)
    prompts_on_slices = read(volume, 0, lasso)
    assert prompts_on_slices.anchors == list(range(3, 10))
    assert all(1 <= len(here.points) <= 8 for here in prompts_on_slices.slices.values())
    assert all(
        y == pytest.approx(5) for here in prompts_on_slices.slices.values() for _, y in here.points
    )


def test_a_stroke_through_slices_has_points_on_each():
    volume = volume_of("axial")
    prompts_on_slices = read(volume, 0, Scribble.at_index(volume, [(z, 5, 6) for z in range(3, 7)]))
    assert prompts_on_slices.anchors == [3, 4, 5, 6]


def test_an_area_that_is_not_the_object_is_points_and_is_cut_out():
    volume = volume_of("axial")
    yes = Point.at_index(volume, (4, 15, 15))
    outline = [(1.7, 2.7), (1.7, 11.3), (8.3, 11.3), (8.3, 2.7)]
    for no in (
        Box.at_index(volume, (4, 2, 3), (5, 9, 12), positive=False),
        Lasso.at_index(volume, on_axis(0, 4, outline), positive=False),
    ):
        here = read(volume, 0, yes, no).slices[4]
        assert here.labels == [1] + [0] * 8
        assert bounds_of(here.erased) == (3, 2, 11, 8)
        assert here.erased.sum() == 63
        assert not here.consistent(np.ones_like(here.erased))[2:9, 3:12].any()


def test_prompts_outside_the_image_say_nothing():
    volume = volume_of("axial")
    yes = Point.at_index(volume, (4, 15, 15))
    outside = [
        Box.at_index(volume, (4, 50, 50), (5, 60, 60)),
        Lasso.at_index(volume, on_axis(0, 4, [(50, 50), (50, 60), (60, 60)])),
    ]
    assert read(volume, 0, yes, *outside).slices[4].box is None


def test_only_negative_prompts_are_refused():
    volume = volume_of("axial")
    with pytest.raises(InvalidPrompt, match="All prompts are negative"):
        read(volume, 0, Point.at_index(volume, (4, 6, 7), positive=False))


def test_an_initial_mask_is_an_area_prompt_on_slices_with_prompts():
    volume, inside = volume_of("axial"), np.zeros(SHAPE, bool)
    inside[3:6, 4:9, 5:12] = True
    prompts_on_slices = read(
        volume, 0, Point.at_index(volume, (4, 6, 7), positive=False), start=Mask.of(inside)
    )
    assert bounds_of(prompts_on_slices.slices[4].area) == (5, 4, 11, 8)
    assert prompts_on_slices.stays
    assert not prompts_on_slices.known_masks


def test_a_mask_of_one_slice_is_known_there_and_open_elsewhere():
    volume, inside = volume_of("axial"), np.zeros(SHAPE, bool)
    inside[3, 4:9, 5:12] = True
    no = Point.at_index(volume, (5, 6, 7), positive=False)
    prompts_on_slices = read(volume, 0, no, start=Mask.of(inside))
    assert bounds_of(prompts_on_slices.known_masks[3]) == (5, 4, 11, 8)
    assert not prompts_on_slices.stays


def test_only_the_last_mask_to_start_from_counts():
    volume = volume_of("axial")
    point = Point.at_index(volume, (4, 6, 7))
    masks = [InitialMask.of(volume, np.arange(np.prod(SHAPE)).reshape(SHAPE) == k) for k in (3, 4)]
    assert since_last_mask([masks[0], point, masks[1], point, point]) == (masks[1], (point, point))
    assert since_last_mask([point]) == (None, (point,))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("axis", range(3))
def test_a_mask_is_seen_where_the_picture_shows_it(name, axis):
    volume = volume_of(name)
    inside = np.zeros(SHAPE, bool)
    inside[2:7, 3:12, 5:9] = True
    shown = replace(picture_of(volume, SliceRef(axis, 0)), slice=SliceRef(axis, 5))
    back = shown.mask(shown.cut(Mask.of(inside))).full()
    expected = np.zeros(SHAPE, bool)
    np.moveaxis(expected, axis, 0)[5] = np.moveaxis(inside, axis, 0)[5]
    assert np.array_equal(back, expected)
    nothing = replace(shown, slice=SliceRef(axis, 0)).cut(Mask.of(inside))
    assert not nothing.any()
