"""Which of the regions around a click is taken."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.click_choice import COLUMNS, Clicked, fitted, write
from benchmarks.user import dice
from napari_medvlm.backends.embedded.proposals.click import proposals
from napari_medvlm.backends.embedded.proposals.forest import Forest, read
from napari_medvlm.backends.embedded.proposals.measures import NAMES
from napari_medvlm.backends.embedded.proposals.windows import to_image
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.data.volume import Volume


def test_a_tree_goes_left_up_to_its_limit_and_the_trees_are_averaged():
    nodes = {
        "roots": np.array([0, 3]),
        "feature": np.array([0, -1, -1, -1]),
        "limit": np.array([2.0, 0, 0, 0]),
        "left": np.array([1, 0, 0, 0]),
        "right": np.array([2, 0, 0, 0]),
        "value": np.array([0, 0.2, 0.8, 0.5]),
    }
    forest = Forest([1], **nodes)
    rows = np.array([[9.0, 2.0], [9.0, 2.5]])
    np.testing.assert_allclose(forest(rows), [(0.2 + 0.5) / 2, (0.8 + 0.5) / 2])


def test_trees_that_are_written_and_read_predict_what_scikit_learn_does(tmp_path):
    rng = np.random.default_rng(2)
    measures = rng.normal(size=(400, len(NAMES))).astype(np.float32).astype(np.float64)
    clicked = Clicked("random", False, measures, measures[:, 1] ** 2 - measures[:, 7])
    model = fitted([clicked])
    write(model, tmp_path / "trees.npz")
    np.testing.assert_allclose(
        read(tmp_path / "trees.npz")(measures), model.predict(measures[:, COLUMNS]), atol=1e-5
    )


def ring():
    """A bright rim around a core that is darker than the surroundings."""
    z, y, x = np.indices((40, 60, 60))
    radius = np.sqrt((z - 20) ** 2 + (y - 30) ** 2 + (x - 30) ** 2)
    image = np.select([radius < 8, radius < 13], [230.0, 480.0], 300.0)
    image = gaussian_filter(image, 0.7) + np.random.default_rng(1).normal(0, 12, image.shape)
    return Volume(image.astype(np.int16), np.eye(4)), radius < 13


@pytest.mark.parametrize("zyx", [(20, 30, 30), (21, 33, 27), (20, 30, 41)])
def test_the_rim_with_its_core_is_a_proposal_for_a_click_in_either(zyx):
    volume, truth = ring()
    scores = []
    for proposal in proposals(Levels(volume), np.array([zyx])):
        mask = np.zeros(volume.shape, bool)
        mask[proposal.level.box] = to_image(proposal.mask, proposal.level)
        scores.append(dice(mask, truth))
    assert max(scores) > 0.9


def test_a_core_that_fills_its_image_has_no_rim():
    image = np.random.default_rng(0).normal(0, 1, (20, 40, 40))
    z, y, x = np.indices(image.shape)
    image[((z - 10) / 9) ** 2 + ((y - 20) / 19) ** 2 + ((x - 20) / 19) ** 2 < 1.6] += 100
    regions = proposals(Levels(Volume(image.astype(np.int16), np.eye(4))), np.array([[10, 20, 20]]))
    assert regions
    assert all(p.mask.any() for p in regions)
