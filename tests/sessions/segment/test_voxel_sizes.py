"""Prompts are obeyed whatever the size of the voxels, and on the last slice."""

import numpy as np
import pytest

from napari_medvlm.data.prompts import Point, Scribble
from napari_medvlm.data.volume import Volume
from napari_medvlm.sessions.segment.session import SegmentationSession

SHAPE = (14, 26, 30)


def ball_of(spacing, centre, radius):
    """An image with a bright ball, in voxels, and the ball."""
    zyx = np.indices(SHAPE).astype(float)
    distance = np.sqrt(sum((zyx[a] - centre[a]) ** 2 for a in range(3)))
    ball = distance <= radius
    noise = np.random.default_rng(0).normal(0, 4, SHAPE)
    return Volume((100 * ball + noise).astype(np.float32), np.diag([*spacing, 1.0])), ball


@pytest.mark.parametrize("spacing", [(0.02, 0.02, 0.02), (10, 10, 10), (20, 10, 10), (70, 70, 70)])
def test_a_scribble_after_a_point_gives_a_mask_of_the_object(spacing):
    volume, ball = ball_of(spacing, (7, 13, 15), 5)
    with SegmentationSession(volume, "embedded", "inline") as session:
        session.add(Point.at_index(volume, (7, 13, 15)))
        stroke = [(7, 13, x) for x in range(11, 20)]
        session.add(Scribble.at_index(volume, stroke))
        session.wait()
        mask = session.mask
    assert all(mask[zyx] for zyx in stroke)
    assert 2 * (mask & ball).sum() / (mask.sum() + ball.sum()) > 0.8


@pytest.mark.parametrize(
    "spacing", [(3.533, 0.29, 0.29), (1.25, 0.7999999523, 0.7999999523), (0.7999999523, 1.25, 0.29)]
)
def test_a_point_on_the_last_slice_is_on_it_at_uneven_spacings(spacing):
    last = SHAPE[0] - 1
    volume, ball = ball_of(spacing, (last, 13, 15), 5)
    with SegmentationSession(volume, "embedded", "inline") as session:
        session.add(Point.at_index(volume, (last, 13, 15)))
        session.wait()
        mask = session.mask
        (prompt,) = session.now.objects[session.active].prompts.values()
    assert prompt.voxels(volume.grid).tolist() == [[last, 13, 15]]
    assert mask[last, 13, 15]
    assert not (mask & ~ball)[: last - 7].any()
