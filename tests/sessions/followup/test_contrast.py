"""A lesion is gone if neither its contrast nor its intensity is left."""

import numpy as np
import pytest

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.followup.contrast import contrast, is_gone

SHAPE = (40, 40, 40)
DISTANCE = np.sqrt(((np.indices(SHAPE) - 20.0) ** 2).sum(axis=0))
PRIOR_MASK = DISTANCE <= 5


def study(radius, sign=1):
    noise = np.random.default_rng(int(radius)).normal(0, 2, SHAPE)
    return Volume((100 + sign * 80 * (radius >= DISTANCE) + noise).astype(np.float32))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("radius", "gone"), [(0, True), (5, False), (8, False), (15, False)])
def test_a_lesion_that_outgrew_the_tissue_around_it_is_not_gone(radius, gone, sign):
    mask = Mask.of(PRIOR_MASK)
    none = np.zeros(SHAPE, bool)
    prior, current = (contrast(study(r, sign), mask, none) for r in (5, radius))
    assert is_gone(prior, current, 1.0) is gone
