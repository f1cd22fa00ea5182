"""Masks: small on their way, the same when they arrive."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from napari_medvlm.data.mask import Mask, bounding_box


@pytest.mark.parametrize("inside", [0.0, 0.001, 0.5])
def test_a_mask_arrives_as_it_was_sent(inside):
    full = np.random.default_rng(0).random((9, 20, 31)) < inside
    mask = Mask.of(full, score=0.5)
    sent = pickle.dumps(mask)
    arrived = pickle.loads(sent)
    assert_array_equal(arrived.full(), full)
    assert (arrived.digest, arrived.score, arrived.start) == (mask.digest, 0.5, mask.start)
    assert len(sent) < full.size / 8 + 700


def test_the_voxels_of_a_mask_stay_packed_until_they_are_read():
    full = np.random.default_rng(0).random((9, 20, 31)) < 0.5
    mask = Mask.of(full)
    for packed in (pickle.loads(pickle.dumps(mask)), mask.packed_copy()):
        assert packed.voxels == np.count_nonzero(full)
        assert (packed.slices, packed.stop, packed.digest) == (mask.slices, mask.stop, mask.digest)
        arrays = [value for value in vars(packed).values() if isinstance(value, np.ndarray)]
        assert sum(array.nbytes for array in arrays) == -(-full.size // 8)
        assert_array_equal(packed.full(), full)


def test_a_packed_copy_is_without_the_other_masks():
    mask = Mask.of(np.ones((2, 2, 2)))
    both = Mask(mask.crop, mask.start, mask.shape, others={"tumor": mask})
    assert both.packed_copy().others == {}
    assert pickle.loads(pickle.dumps(both)).others["tumor"].voxels == 8


def test_a_mask_has_no_attributes_but_its_own():
    with pytest.raises(AttributeError, match="'Mask' object has no attribute 'voxel_count'"):
        _ = Mask.empty((2, 2, 2)).voxel_count


def test_a_bounding_box_is_as_small_as_can_be():
    full = np.zeros((5, 6, 7), bool)
    assert bounding_box(full) == (slice(0, 0),) * 3
    full[1, 2, 3] = full[3, 5, 3] = True
    assert bounding_box(full) == (slice(1, 4), slice(2, 6), slice(3, 4))
