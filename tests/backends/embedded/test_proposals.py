"""What a click, a box or a line means in images that look like patients."""

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.lesions import diameter
from benchmarks.patients import breast_lesion, hot_spot, lymph_nodes, picture
from benchmarks.tasks import Task
from benchmarks.user import dice, next_click
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.embedded import EmbeddedBackend
from napari_medvlm.backends.embedded.proposals.correcting import corrected
from napari_medvlm.backends.embedded.proposals.flooding import flooded
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.mask import bounding_box
from napari_medvlm.data.prompts import Box, Lasso, Line, Point
from napari_medvlm.data.volume import Volume


@lru_cache(maxsize=8)
def case(kind, seed):
    return kind(seed)


def backend_of(volume):
    backend = EmbeddedBackend()
    backend.load(None, "cpu")
    backend.set_volume(volume)
    return backend


def ask(backend, *prompts):
    return backend.segment(ObjectPrompts(tuple(prompts)), lambda *_: None).full()


def clicks(volume, truth, count):
    """The masks after each click of a user who clicks at the centre of the largest error."""
    backend, points, masks = backend_of(volume), [], [np.zeros_like(truth)]
    for _ in range(count):
        click = next_click(truth, masks[-1], volume.spacing)
        if click is None:
            break
        points.append(Point.at_index(volume, click.zyx, click.positive))
        masks.append(ask(backend, *points))
    return points, masks


def section_box(volume, truth):
    z = int(truth.sum((1, 2)).argmax())
    _, y, x = bounding_box(truth[z : z + 1])
    return Box.at_index(volume, (z, y.start, x.start), (z + 1, y.stop, x.stop))


def test_a_click_far_from_the_object_adds_what_is_there_up_to_its_border():
    spacing = (6.5, 0.8, 0.8)
    mm = [i * s for i, s in zip(np.indices((25, 200, 200)), spacing, strict=True)]

    def ellipsoid(center, radii):
        return sum(((a - c) / r) ** 2 for a, c, r in zip(mm, center, radii, strict=True)) <= 1

    small = ellipsoid((60, 60, 60), (9, 7, 8))
    large = ellipsoid((104, 112, 112), (20, 19, 14)) | ellipsoid((104, 112, 126), (14, 9, 9))
    noise = np.random.default_rng(0).normal(0, 6, small.shape)
    data = (100 + 60 * (small | large) + noise).astype(np.int16)
    volume = Volume(data, np.diag([*spacing, 1.0]))
    backend = backend_of(volume)
    near, far = (Point.at_index(volume, zyx) for zyx in ((9, 75, 75), (16, 140, 140)))
    assert dice(ask(backend, near), small) > 0.95
    assert dice(ask(backend, near, far), small | large) > 0.95


@pytest.mark.parametrize("zyx", [(0, 110, 105), (0, 130, 102)])
def test_a_click_beside_the_middle_means_the_object_and_not_a_part_of_even_intensity(zyx):
    volume, truth = case(picture, 2)
    assert dice(ask(backend_of(volume), Point.at_index(volume, zyx)), truth) > 0.8


def test_a_click_on_a_dark_voxel_of_a_bright_object_means_the_object():
    z, y, x = np.indices((60, 80, 80))
    truth = ((z - 30) / 20) ** 2 + ((y - 40) / 22) ** 2 + ((x - 40) / 24) ** 2 <= 1
    data = np.where(truth, 1000, 500) + np.random.default_rng(0).normal(0, 20, truth.shape)
    data[30, 44, 46] = 560
    volume = Volume(data.astype(np.int16), np.eye(4))
    mask = ask(backend_of(volume), Point.at_index(volume, (30, 44, 46)))
    assert dice(mask, truth) > 0.85


def test_a_correction_in_a_part_that_does_not_touch_the_mask_adds_that_part_and_no_ball():
    z, y, x = np.indices((50, 60, 90))
    first = (z - 25) ** 2 + (y - 30) ** 2 + (x - 22) ** 2 < 8**2
    second = (z - 25) ** 2 + (y - 30) ** 2 + (x - 62) ** 2 < 5**2
    noise = np.random.default_rng(4).normal(0, 15, first.shape)
    volume = Volume((np.where(first | second, 500, 200) + noise).astype(np.int16), np.eye(4))
    seeds = [Seed(np.array([zyx]), positive=True) for zyx in ((25, 30, 22), (25, 30, 62))]
    mask = corrected(Levels(volume), first, seeds[1], seeds[:1])
    assert dice(mask, first | second) > 0.9


@pytest.mark.parametrize(
    ("kind", "seed", "wanted"),
    [
        (breast_lesion, 0, 0.75),
        (breast_lesion, 101, 0.8),
        (hot_spot, 101, 0.7),
        (picture, 100, 0.9),
    ],
)
def test_one_click_finds_the_lesion_under_it(kind, seed, wanted):
    volume, truth = case(kind, seed)
    _, masks = clicks(volume, truth, 1)
    assert dice(masks[-1], truth) > wanted


@pytest.mark.parametrize(("kind", "seed"), [(breast_lesion, 0), (lymph_nodes, 0), (picture, 100)])
def test_no_correction_makes_the_mask_worse(kind, seed):
    volume, truth = case(kind, seed)
    _, masks = clicks(volume, truth, 5)
    reached = [dice(mask, truth) for mask in masks[1:]]
    assert np.diff(reached).min() > -0.02
    assert reached[-1] > 0.85


def test_a_negative_point_beside_a_spot_of_few_voxels_does_not_remove_the_spot():
    volume, truth = case(hot_spot, 351)  # 16 voxels
    points, masks = clicks(volume, truth, 2)
    assert [point.positive for point in points] == [True, False]
    assert min(dice(mask, truth) for mask in masks[1:]) > 0.9


def test_a_correction_is_obeyed_and_changes_only_what_is_connected_with_it():
    volume, truth = case(breast_lesion, 0)
    points, masks = clicks(volume, truth, 4)
    for point, before, after in zip(points[1:], masks[1:], masks[2:], strict=False):
        at = tuple(point.voxels(volume.grid)[0])
        changed = before != after
        assert after[at] == point.positive
        assert changed[at]
        assert ndimage.label(changed, np.ones((3, 3, 3)))[1] == 1


def test_a_fresh_process_replays_the_same_mask():
    volume, truth = case(breast_lesion, 0)
    points, masks = clicks(volume, truth, 4)
    assert (ask(backend_of(volume), *points) == masks[-1]).all()


def test_undo_gives_the_mask_of_before():
    volume, truth = case(breast_lesion, 0)
    points, masks = clicks(volume, truth, 3)
    backend = backend_of(volume)
    ask(backend, *points)
    assert (ask(backend, *points[:-1]) == masks[-2]).all()


@pytest.mark.parametrize(("kind", "seed"), [(breast_lesion, 0), (lymph_nodes, 1), (hot_spot, 1)])
def test_a_box_is_a_region_of_interest_of_the_object_in_it(kind, seed):
    volume, truth = case(kind, seed)
    box = bounding_box(truth)
    start, stop = [s.start for s in box], [s.stop for s in box]
    mask = ask(backend_of(volume), Box.at_index(volume, start, stop))
    assert dice(mask, truth) > 0.8
    assert mask.sum() < np.prod(np.subtract(stop, start))


@pytest.mark.parametrize(("kind", "seed"), [(breast_lesion, 0), (lymph_nodes, 1), (hot_spot, 1)])
def test_a_box_on_one_slice_finds_the_object_on_all_slices(kind, seed):
    volume, truth = case(kind, seed)
    mask = ask(backend_of(volume), section_box(volume, truth))
    assert dice(mask, truth) > 0.8


@pytest.mark.parametrize(("kind", "seed"), [(breast_lesion, 0), (lymph_nodes, 1), (hot_spot, 1)])
def test_a_line_over_the_longest_diameter_finds_the_object(kind, seed):
    volume, truth = case(kind, seed)
    ends = diameter(Task("", volume, truth), int(truth.sum((1, 2)).argmax()))
    mask = ask(backend_of(volume), Line.at_index(volume, *ends))
    assert dice(mask, truth) > 0.75


def test_an_outline_on_one_slice_finds_the_object_of_which_it_is_a_section():
    volume, truth = case(hot_spot, 1)
    z = int(truth.sum((1, 2)).argmax())
    center = np.argwhere(truth[z]).mean(axis=0)
    radius = np.sqrt(truth[z].sum() / np.pi)
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    outline = [(z, center[0] + radius * np.sin(t), center[1] + radius * np.cos(t)) for t in turns]
    mask = ask(backend_of(volume), Lasso.at_index(volume, outline))
    assert dice(mask, truth) > 0.75


def test_flooding_costs_the_highest_step_on_the_easiest_path():
    cost = np.array([[[0, 5, 1], [2, 9, 1], [2, 3, 1]]], np.float32)
    reached = flooded(cost, np.array([[0, 0, 0]]))
    assert reached.tolist() == [[[0, 5, 3], [2, 9, 3], [2, 3, 3]]]
