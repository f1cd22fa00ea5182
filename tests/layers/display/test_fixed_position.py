"""A layer whose position is fixed cannot be moved, turned or scaled."""

import numpy as np
import pytest
from napari.layers import Image, Layer

from napari_medvlm.layers import layer_data
from napari_medvlm.layers.display.fixed_position import FixedPosition, restore_position
from tests.conftest import make_phantom

CHANGES = {
    "scale": (2, 3, 4),
    "translate": (0, 25, 0),
    "rotate": 30,
    "shear": (0.1, 0.2, 0.3),
    "affine": np.diag([2.0, 1, 1, 1]),
}


def world(layer):
    return [layer.data_to_world(at) for at in ((0, 0, 0), (5, 7, 9), (23, 39, 43))]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("degrees", [(0, 0, 0), (20, 10, 5)])
def test_every_change_is_taken_back(name, degrees):
    layer, reports = Layer.create(*layer_data(make_phantom(degrees=degrees)[0])), []
    before = world(layer)
    position = FixedPosition(layer, lambda: reports.append(name))
    setattr(layer, name, CHANGES[name])
    np.testing.assert_allclose(world(layer), before)
    setattr(layer, name, CHANGES[name])  # as the next move of a drag does
    np.testing.assert_allclose(world(layer), before)
    assert reports == [name]
    position.close()
    setattr(layer, name, CHANGES[name])
    assert not np.allclose(world(layer), before)


def test_a_layer_of_another_reader_stays_at_its_own_scale():
    layer = Image(np.zeros((4, 5, 6)), scale=(3, 1, 1), translate=(1, 2, 3))
    assert not restore_position(layer)
    position = FixedPosition(layer, lambda: None)
    layer.scale = (1, 1, 1)
    assert layer.scale.tolist() == [3, 1, 1]
    assert layer.translate.tolist() == [1, 2, 3]
    position.close()


def test_an_image_that_was_moved_before_returns_to_its_position_in_the_patient():
    volume = make_phantom(degrees=(20, 10, 5))[0]
    layer = Layer.create(*layer_data(volume))
    before = world(layer)
    assert not restore_position(layer)
    layer.translate, layer.scale = (0, 25, 0), (2, 2, 2)
    assert restore_position(layer)
    np.testing.assert_allclose(world(layer), before)
