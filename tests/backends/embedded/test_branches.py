"""A thing that was taken together with the thin branches that it is connected with."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.user import dice
from napari_medvlm.backends.base import ObjectPrompts
from napari_medvlm.backends.embedded import EmbeddedBackend
from napari_medvlm.backends.embedded.proposals.branches import without_branches
from napari_medvlm.backends.embedded.segmentation.pyramid import Levels
from napari_medvlm.backends.embedded.segmentation.seeds import Seed
from napari_medvlm.data.prompts import Point
from napari_medvlm.data.volume import Volume

NODULE, FAR, FARTHER = (20, 16, 20), (20, 56, 44), (20, 80, 60)


@pytest.fixture(scope="module")
def nodule():
    """A ball on a long vessel of its intensity: the image, the ball and both."""
    z, y, x = np.indices((40, 100, 80))
    ball = (z - 20) ** 2 + (y - 16) ** 2 + (x - 20) ** 2 < 6**2
    line = 20 + 0.6 * np.maximum(y - 16, 0)
    vessel = ((z - 20) ** 2 + (x - line) ** 2 < 2.5**2) & (y > 16) & (y < 96)
    noise = np.random.default_rng(6).normal(0, 15, ball.shape)
    image = np.where(ball | vessel, 500, 100) + noise
    return Volume(image.astype(np.int16), np.eye(4)), ball, ball | vessel


def seeds(*places, positive=False):
    return [Seed(np.array([zyx]), positive) for zyx in places]


def test_two_negative_seeds_far_along_a_vessel_leave_the_nodule_alone(nodule):
    volume, ball, both = nodule
    clicks = [*seeds(NODULE, positive=True), *seeds(FAR, FARTHER)]
    found = without_branches(Levels(volume), both, clicks)
    assert found is not None
    assert dice(found, ball) > 0.85


def test_fewer_seeds_near_ones_and_a_mask_that_is_thick_elsewhere_change_nothing(nodule):
    volume, ball, both = nodule
    levels, click = Levels(volume), seeds(NODULE, positive=True)
    assert without_branches(levels, both, [*click, *seeds(FAR)]) is None
    assert without_branches(levels, both, [*click, *seeds((20, 24, 25), (20, 25, 25))]) is None
    assert without_branches(levels, ball, [*click, *seeds(FAR, FARTHER)]) is None
    thick = both.copy()
    thick[10:30, 80:95, 40:60] = True
    assert without_branches(levels, thick, [*click, *seeds(FAR, FARTHER)]) is None


def test_negative_points_on_a_vessel_reach_the_nodule_in_three_clicks(nodule):
    volume, ball, _ = nodule
    backend = EmbeddedBackend()
    backend.load(None, "cpu")
    backend.set_volume(volume)
    points = [Point.at_index(volume, NODULE)]
    points += [Point.at_index(volume, zyx, positive=False) for zyx in (FAR, FARTHER)]
    mask = backend.segment(ObjectPrompts(tuple(points)), lambda *_: None).full()
    assert dice(mask, ball) > 0.85
