"""Which of the regions around a click is taken."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.click_choice import USED, Clicked, columns_of, fitted, write
from benchmarks.user import dice
from napari_medvlm.backends.embedded.proposals.click import proposals
from napari_medvlm.backends.embedded.proposals.forest import Forest, read
from napari_medvlm.backends.embedded.proposals.measures import CLICK_NAMES
from napari_medvlm.backends.embedded.proposals.near_seeds import nearby
from napari_medvlm.backends.embedded.proposals.starting import clicked
from napari_medvlm.backends.embedded.proposals.windows import to_image
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
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
    measures = rng.normal(size=(400, len(CLICK_NAMES))).astype(np.float32).astype(np.float64)
    clicked = Clicked("random", "anywhere", measures, measures[:, 1] ** 2 - measures[:, 7])
    model = fitted([clicked])
    write(model, tmp_path / "trees.npz")
    np.testing.assert_allclose(
        read(tmp_path / "trees.npz")(measures),
        model.predict(measures[:, columns_of(USED)]),
        atol=1e-5,
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


@pytest.fixture(scope="module")
def spots():
    """A bright ball and a dark one on a wide even ground: the image and both balls."""
    z, y, x = np.indices((40, 60, 90))
    bright, dark = ((z - 20) ** 2 + (y - 30) ** 2 + (x - c) ** 2 < 36 for c in (25, 65))
    image = np.select([bright, dark], [500, 100], 300)
    image = gaussian_filter(image.astype(float), 0.7)
    image += np.random.default_rng(3).normal(0, 8, image.shape)
    return Volume(image.astype(np.int16), np.eye(4)), {"bright": bright, "dark": dark}


@pytest.mark.parametrize(
    ("kind", "zyx"),
    [
        ("bright", (20, 30, 32)),
        ("bright", (20, 23, 25)),
        ("dark", (20, 30, 72)),
        ("dark", (20, 38, 65)),
    ],
)
def test_a_click_one_or_two_voxels_outside_an_object_segments_it(spots, kind, zyx):
    volume, things = spots
    assert not things[kind][zyx]
    mask = clicked(Levels(volume), Seed(np.array([zyx]), positive=True))
    assert dice(mask, things[kind]) > 0.8
    assert mask[zyx]


def test_there_are_no_other_seeds_where_the_image_is_even(spots):
    volume, _ = spots
    values = np.full((20, 30, 30), 300, np.int16)
    values[0, 0, :2] = 0, 600
    assert nearby(Levels(Volume(values, np.eye(4))), np.array([[10, 15, 15]])).seeds == ()
    around = nearby(Levels(volume), np.array([[20, 30, 32]]))
    assert [kind for kind, _, _ in around.seeds] == ["bright"]
