"""Slices side by side: a box in one tile leads back to that tile's slice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_medvlm.data.montage import Montage
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import part_around, picture_of
from tests.data.test_slice_image import ORIENTATIONS, volume_with


def montage_of(volume, axis, indices, part=None):
    return Montage.of([picture_of(volume, SliceRef(axis, i), part=part) for i in indices])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ORIENTATIONS),
    st.integers(0, 2),
    st.integers(1, 9),
    st.integers(0, 8),
    st.tuples(*[st.floats(0.02, 0.5)] * 2),
    st.tuples(*[st.floats(0.1, 0.48)] * 2),
    st.floats(-40, 40),
)
def test_a_box_returns_to_the_slice_of_its_tile(orientation, axis, count, which, at, size, degrees):
    volume = volume_with(orientation, degrees=degrees)
    montage = montage_of(volume, axis, range(count))
    tile = montage.tiles[which % count]
    height, width = tile.picture.size
    x0, y0 = at[0] * width, at[1] * height
    x1, y1 = x0 + size[0] * width, y0 + size[1] * height
    box = montage.box((x0 + tile.x, y0 + tile.y, x1 + tile.x, y1 + tile.y))
    assert_allclose(box.corners(), tile.picture.box((x0, y0, x1, y1)).corners(), atol=1e-5)
    start, stop = box.bounds(volume.grid)
    assert (start[axis], stop[axis]) == (which % count, which % count + 1)
    place = montage.point(x0 + tile.x, y0 + tile.y)
    back = montage.pixel_of(np.array(place.position_mm))
    assert_allclose(back, (x0 + tile.x, y0 + tile.y), atol=1e-4)


def test_a_box_over_two_tiles_or_none_is_none():
    montage = montage_of(volume_with(ORIENTATIONS[0]), 0, range(4))
    height, width = montage.size
    assert montage.box((5, 5, width - 5, 10)) is None
    assert montage.box((5, 5, 10, height - 5)) is None
    assert montage.box((-20, -20, -2, -2)) is None
    assert (
        montage_of(volume_with(ORIENTATIONS[0]), 0, range(3)).box(
            (width - 9, height - 9, width, height)
        )
        is None
    )


def test_a_box_that_reaches_a_hair_into_the_next_tile_belongs_to_its_own():
    volume = volume_with(ORIENTATIONS[0])
    montage = montage_of(volume, 0, range(4))
    tile = montage.tiles[1]
    x0, y0, x1, y1 = tile.bounds
    box = montage.box((x0 - 2.01, y0, x1, y1))
    assert box == tile.picture.box((0, 0, x1 - x0, y1 - y0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_masks_and_heatmaps_lie_on_their_slices(axis):
    volume = volume_with(ORIENTATIONS[7], spacing=(1.0, 1.0, 1.0))
    montage = montage_of(volume, axis, (2, 4, 8, 9))
    bright = montage.pixels[..., 0] > 127
    mask = montage.mask(bright).full()
    shown = np.zeros(volume.shape, bool)
    index = [slice(None)] * 3
    index[axis] = [2, 4, 8, 9]
    shown[tuple(index)] = True
    np.testing.assert_array_equal(mask, shown & (volume.data > 0))
    np.testing.assert_array_equal(montage.cut(montage.mask(bright)), bright)
    heat = montage.heatmap(bright.astype(float)).full()
    assert_allclose(heat[mask], 1)
    assert heat[~mask].max() == 0


def test_a_point_lies_on_the_slice_of_its_tile():
    volume = volume_with(ORIENTATIONS[3])
    montage = montage_of(volume, 1, (3, 9, 12))
    tile = montage.tiles[2]
    point = montage.point(tile.x + 3, tile.y + 4)
    assert point.position_mm == tile.picture.point(3, 4).position_mm
    assert_allclose(montage.pixel_of(np.array(point.position_mm)), (tile.x + 3, tile.y + 4))


def test_parts_stand_side_by_side():
    volume = volume_with(ORIENTATIONS[0])
    part = part_around(Box.at_index(volume, (0, 2, 3), (5, 9, 12)), volume.grid, 0)
    montage = montage_of(volume, 0, (1, 3), part)
    assert montage.part == part
    (tile, _) = montage.tiles
    assert montage.box(tile.bounds) == Box.at_index(volume, (1, 2, 3), (2, 9, 12))
