"""What of the viewer's layers a question can be about."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_allclose

from napari_medvlm.layers import layer_data
from napari_medvlm.layers.question_objects import drawn, labels_among, masks_of, offered, regions_of
from tests.conftest import make_phantom

VOLUME, LEFT, RIGHT = make_phantom()


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(VOLUME)))
    return viewer


def both():
    values = np.zeros(VOLUME.shape, np.uint8)
    values[LEFT], values[RIGHT] = 1, 2
    return values


def test_labels_are_offered_by_name_or_after_their_layer(viewer):
    viewer.add_labels(both(), name="organs", affine=VOLUME.affine)
    viewer.add_labels(
        (both() == 1).astype(int),
        name="mask",
        affine=VOLUME.affine,
        features={"index": [0, 1], "name": ["none", "liver"]},
    )
    viewer.add_labels((both() == 2).astype(int), name="cyst", affine=VOLUME.affine)
    found = offered(viewer, VOLUME)
    assert [one.name for one in found] == ["organs 1", "organs 2", "liver", "cyst"]
    masks = masks_of(found, VOLUME)
    assert [np.count_nonzero(m.mask.crop) for m in masks] == [
        LEFT.sum(),
        RIGHT.sum(),
        LEFT.sum(),
        RIGHT.sum(),
    ]


def test_what_was_found_and_what_is_empty_is_left_out(viewer):
    viewer.add_labels(both(), affine=VOLUME.affine, metadata={"medvlm": {"role": "found masks"}})
    viewer.add_labels(
        both(), affine=VOLUME.affine, features={"index": [0, 7], "name": ["none", "gone"]}
    )
    found = offered(viewer, VOLUME)
    assert [one.name for one in found] == ["gone"]
    assert masks_of(found, VOLUME) == ()


def test_named_labels_on_another_grid_go_along_as_a_whole(viewer):
    features = {"index": [0, 1], "name": ["none", "liver"]}
    affine = VOLUME.affine @ np.diag([2.0, 2, 2, 1])
    viewer.add_labels(both()[::2, ::2, ::2], name="coarse", affine=affine, features=features)
    (one,) = offered(viewer, VOLUME)
    assert one.name == "coarse, all 1"
    (labels,) = labels_among([one])
    assert dict(labels.names) == {1: "liver"}
    assert masks_of([one], VOLUME) == ()


def test_rectangles_and_points_of_ones_own_are_offered_where_they_are(viewer):
    box = [[12, 10, 8], [12, 10, 20], [12, 30, 20], [12, 30, 8]]
    far = np.array(box) + (0, 900, 0)
    viewer.add_shapes([box, far], shape_type="rectangle", name="mine", affine=VOLUME.affine)
    viewer.add_points([[5, 6, 7]], name="dot", affine=VOLUME.affine)
    viewer.add_shapes(
        [box],
        shape_type="rectangle",
        affine=VOLUME.affine,
        metadata={"medvlm": {"role": "found boxes"}},
    )
    found = drawn(viewer, VOLUME)
    assert [one.name for one in found] == ["mine 1", "dot 1"]
    rectangle, dot = regions_of(found)
    start, stop = rectangle.box.bounds(VOLUME.grid)
    assert_allclose((start[0], stop[0]), (12, 13))
    assert_allclose(start[1:], (10, 8), atol=1)
    assert_allclose(stop[1:], (30, 20), atol=1)
    assert_allclose(dot.points[0].position_mm, VOLUME.grid.to_world((5, 6, 7)))
    assert masks_of(found, VOLUME) == ()
