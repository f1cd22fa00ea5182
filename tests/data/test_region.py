"""A heatmap becomes a mask from a threshold on."""

import numpy as np
import pytest

from napari_medvlm.data.errors import InvalidPrompt
from napari_medvlm.data.geometry.grid import Grid
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import Heatmap, Region, RegionKind

GRID = Grid((4, 6, 8), np.diag([2.0, 1.0, 1.5, 1.0]))


@pytest.fixture
def region():
    """A heatmap that rises along x in a crop of one slice."""
    crop = np.tile(np.linspace(0, 1, 5, dtype=np.float32), (1, 3, 1))
    box = Box.at_index(GRID, (2, 1, 3), (3, 4, 8))
    return Region("opacity", box, 0.7, "opacity", heatmap=Heatmap(crop, (2, 1, 3), GRID.shape))


@pytest.mark.parametrize(("threshold", "first"), [(0.01, 4), (0.5, 5), (0.6, 6), (1.0, 7)])
def test_the_mask_is_the_part_of_the_heatmap_from_the_threshold_on(region, threshold, first):
    masked = region.masked(threshold, GRID)
    expected = np.zeros(GRID.shape, bool)
    expected[2, 1:4, first:8] = True
    np.testing.assert_array_equal(masked.mask.full(), expected)
    assert masked.kind is RegionKind.MASK
    assert masked.heatmap is region.heatmap
    start, stop = masked.box.bounds(GRID)
    assert (tuple(start), tuple(stop)) == ((2, 1, first), (3, 4, 8))


def test_a_region_without_a_heatmap_or_below_the_threshold_stays(region):
    assert Region("lung", region.box).masked(0.5, GRID).mask is None
    dim = Region("dim", region.box, heatmap=Heatmap(region.heatmap.crop / 2, (2, 1, 3), GRID.shape))
    assert dim.masked(0.6, GRID) is dim
    grounding = Grounding((region, dim)).masked(0.6, GRID)
    assert [r.kind for r in grounding.regions] == [RegionKind.MASK, RegionKind.HEATMAP]


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, float("nan")])
def test_a_threshold_that_no_heatmap_has_is_refused(region, threshold):
    with pytest.raises(InvalidPrompt, match="no threshold"):
        region.masked(threshold, GRID)
