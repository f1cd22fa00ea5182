"""Prompts mean the same voxels on any grid that they are read on."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pydantic import TypeAdapter

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.prompts import (
    Box,
    InitialMask,
    Lasso,
    Line,
    Point,
    Prompt,
    Scribble,
    check_prompt,
)
from napari_medvlm.data.volume import Volume
from tests.data.test_geometry import affines

SHAPE = (9, 14, 17)
indices = st.tuples(*[st.integers(0, n - 1) for n in SHAPE])


def volume_on(affine):
    return Volume(np.zeros(SHAPE, np.int16), affine)


@given(affines, indices)
def test_a_point_lies_in_the_voxel_that_was_clicked(affine, zyx):
    volume = volume_on(affine)
    assert_array_equal(Point.at_index(volume, zyx).voxels(volume.grid), [zyx])


@given(affines, indices, indices)
def test_a_box_holds_the_voxels_that_it_was_drawn_around(affine, a, b):
    volume = volume_on(affine)
    start, stop = np.minimum(a, b), np.maximum(a, b) + 1
    found = Box.at_index(volume, start, stop).bounds(volume.grid)
    assert_array_equal(found[0], start)
    assert_array_equal(found[1], stop)


@given(affines, st.sets(indices, min_size=1, max_size=20))
def test_a_scribble_is_its_voxels(affine, voxels):
    volume = volume_on(affine)
    scribble = Scribble.at_index(volume, sorted(voxels))
    assert_array_equal(scribble.voxels(volume.grid), sorted(voxels))


@given(affines, st.integers(0, SHAPE[0] - 1))
def test_a_lasso_holds_the_inside_of_its_outline_on_its_slice_only(affine, z):
    volume = volume_on(affine)
    outline = [(z, 2, 3), (z, 2, 12), (z, 10, 12), (z, 10, 3)]
    voxels = Lasso.at_index(volume, outline).voxels(volume.grid)
    assert set(voxels[:, 0]) == {z}
    inside = {(z, y, x) for y in range(3, 10) for x in range(4, 12)}
    assert inside <= {tuple(v) for v in voxels.tolist()}
    assert voxels[:, 1].min() >= 2
    assert voxels[:, 1].max() <= 10


@given(affines, indices, indices)
def test_a_line_passes_its_ends_and_each_voxel_between_touches_the_next(affine, start, stop):
    assume(start != stop)
    volume = volume_on(affine)
    line = Line.at_index(volume, start, stop)
    voxels = line.voxels(volume.grid)
    assert {start, stop} <= set(map(tuple, voxels.tolist()))
    away = np.linalg.norm(np.cross(voxels - start, np.subtract(stop, start)), axis=1)
    assert (away <= np.sqrt(3) / 2 * np.linalg.norm(np.subtract(stop, start)) + 1e-6).all()
    steps = np.abs(np.diff(voxels, axis=0)).max(axis=1)
    assert len(voxels) >= np.abs(np.subtract(start, stop)).max() + 1
    assert steps.min(initial=1) >= 1
    length = np.linalg.norm(affine[:3, :3] @ np.subtract(stop, start))
    assert line.length_mm == pytest.approx(length, abs=1e-4)


def test_a_line_without_length_is_refused():
    with pytest.raises(InvalidPrompt, match="no length"):
        Line.at_index(VOLUME, (1, 2, 3), (1, 2, 3))


def test_a_line_that_reaches_far_outside_is_refused():
    line = Line.at_index(VOLUME, (0, 0, 0), (1, 2, 1e7))
    with pytest.raises(InvalidPrompt, match="far outside"):
        check_prompt(line, VOLUME.grid)


@given(affines, st.integers(0, 2**32 - 1))
def test_an_initial_mask_comes_back_voxel_for_voxel(affine, seed):
    volume = volume_on(affine)
    mask = np.random.default_rng(seed).random(SHAPE) > 0.7
    assert_array_equal(InitialMask.of(volume, mask).mask(volume.grid).full(), mask)


def test_an_initial_mask_is_read_on_another_grid():
    coarse = Volume(np.zeros((4, 4, 4)), np.diag([2.0, 2, 2, 1]))
    fine_affine = np.eye(4)
    fine_affine[:3, 3] = -0.5
    mask = np.zeros((4, 4, 4), bool)
    mask[1:3, 1:3, 1:3] = True
    fine = InitialMask.of(coarse, mask).mask(Grid((8, 8, 8), fine_affine)).full()
    assert fine.sum() == 8 * mask.sum()
    assert fine[2:6, 2:6, 2:6].all()


@given(
    st.one_of(
        st.builds(Point.at_index, affines.map(volume_on), indices, st.booleans()),
        st.builds(Scribble.at_index, affines.map(volume_on), st.lists(indices, max_size=5)),
        st.builds(Line.at_index, affines.map(volume_on), indices, st.just((-3, 5, 40))),
    )
)
def test_a_prompt_comes_back_from_json_exactly(prompt):
    adapter = TypeAdapter(Prompt)
    assert adapter.validate_json(adapter.dump_json(prompt)) == prompt


VOLUME = volume_on(np.eye(4))


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Point.at_index(VOLUME, (-1, 0, 0)), "lies outside the image"),
        (Point.at_index(VOLUME, (0, 0, 17)), "lies outside the image"),
        (Box.at_index(VOLUME, (20, 0, 0), (22, 3, 3)), "covers no voxel"),
        (Scribble(points_mm=()), "covers no voxel"),
        (Lasso.at_index(VOLUME, [(0, 1, 1), (0, 5, 5)]), "covers no voxel"),
        (Line.at_index(VOLUME, (0, 0, 20), (0, 3, 25)), "covers no voxel"),
        (InitialMask.of(VOLUME, np.zeros(SHAPE, bool)), "covers no voxel"),
    ],
    ids=["point before", "point after", "box", "scribble", "two corners", "line", "empty mask"],
)
def test_prompt_that_covers_no_voxel_of_the_image_is_refused(prompt, message):
    with pytest.raises(InvalidPrompt, match=message) as refused:
        check_prompt(prompt, VOLUME.grid)
    assert refused.value.hint


def test_a_box_of_no_size_is_refused():
    with pytest.raises(InvalidPrompt, match="has no size"):
        Box.at_index(VOLUME, (1, 2, 3), (1, 5, 6))


def test_a_place_that_is_not_finite_is_refused():
    with pytest.raises(InvalidPrompt, match="not finite"):
        Point.at_index(volume_on(np.eye(4)), (np.nan, 1, 2))


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(InvalidPrompt, match="shape"):
        InitialMask.of(VOLUME, np.ones((2, 2, 2), bool))


def test_a_box_drawn_on_a_slice_is_flat_and_one_with_depth_is_not():
    assert Box.at_index(VOLUME, (3, 2, 2), (4, 9, 9)).is_flat(VOLUME.grid)
    assert not Box.at_index(VOLUME, (3, 2, 2), (6, 9, 9)).is_flat(VOLUME.grid)
