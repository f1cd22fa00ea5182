"""Label images hold one mask for each region, also where regions overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.label_image import NamedLabels, flattened, overlap_notes
from napari_medvlm.data.mask import Mask

GRID = Grid((4, 8, 8), np.eye(4))


def labels_of_masks(masks, names=None):
    regions = {value: Mask.of(mask) for value, mask in masks.items()}
    sizes = {value: mask.voxels for value, mask in regions.items()}
    values, covered = flattened(sizes, regions.__getitem__, GRID.shape)
    return NamedLabels(values, GRID, names or {}, "plan", covered=covered)


def nested():
    """A body of 4 x 8 x 8 voxels, a target of 2 x 4 x 4 in it, a tumour of 2 x 2 x 2 in that."""
    body = np.ones(GRID.shape, bool)
    target, tumour = np.zeros((2, *GRID.shape), bool)
    target[1:3, 2:6, 2:6] = True
    tumour[1:3, 3:5, 3:5] = True
    return {1: tumour, 2: target, 3: body}


@given(masks=arrays(bool, (3, *GRID.shape)))
def test_any_regions_come_back_as_they_were(masks):
    regions = dict(enumerate(masks, 1))
    labels = labels_of_masks(regions)
    for value, mask in regions.items():
        np.testing.assert_array_equal(labels.mask_of(value).full(), mask)
    assert labels.present == {value for value, mask in regions.items() if mask.any()}


def test_the_smallest_region_of_a_voxel_is_drawn_and_the_higher_value_of_equal_ones():
    regions = nested()
    labels = labels_of_masks({**regions, 4: regions[1]})
    assert np.bincount(labels.values.ravel()).tolist() == [0, 0, 32 - 8, 256 - 32, 8]


def test_only_covered_voxels_are_stored_beside_the_values():
    labels = labels_of_masks(nested())
    assert {value: mask.voxels for value, mask in labels.covered.items()} == {2: 8, 3: 32}
    apart = np.zeros((2, *GRID.shape), bool)
    apart[0, 0], apart[1, 3] = True, True
    assert labels_of_masks({1: apart[0], 2: apart[1]}).covered == {}


def test_a_voxel_that_is_erased_belongs_to_no_region():
    labels = labels_of_masks(nested())
    labels.values[1, 3, 3] = 0
    assert [labels.mask_of(value).voxels for value in (1, 2, 3)] == [7, 31, 255]


def test_a_voxel_that_is_painted_over_changes_only_the_regions_that_were_drawn():
    labels = labels_of_masks(nested())
    labels.values[1, 3, 3] = 2
    assert [labels.mask_of(value).voxels for value in (1, 2, 3)] == [7, 32, 256]


def test_regions_on_another_grid_keep_their_overlap():
    labels = labels_of_masks(nested())
    turned = labels.moved(GRID, lambda values: np.ascontiguousarray(values[::-1, :, ::-1]))
    for value, mask in nested().items():
        np.testing.assert_array_equal(turned.mask_of(value).full(), mask[::-1, :, ::-1])


def test_the_digest_changes_with_what_is_covered():
    labels = labels_of_masks(nested())
    flat = NamedLabels(labels.values, GRID, {})
    assert labels.digest != flat.digest
    assert labels.digest == labels_of_masks(nested()).digest


@pytest.mark.parametrize(
    ("masks", "names", "text"),
    [
        (nested(), {1: "GTV", 2: "PTV"}, "Regions of plan overlap (GTV, PTV, label 3)."),
        ({v: nested()[2] for v in range(1, 8)}, dict.fromkeys(range(1, 9), "a"), "(7 of 8)."),
    ],
)
def test_a_note_names_the_regions_that_overlap_unless_there_are_many(masks, names, text):
    (note,) = overlap_notes(labels_of_masks(masks, names))
    assert text in note


def test_regions_that_do_not_overlap_have_no_note():
    assert overlap_notes(labels_of_masks({1: nested()[1]})) == ()
