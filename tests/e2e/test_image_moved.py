"""An image that is open in a dock is neither moved away from its masks nor replaced unseen."""

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Layer

from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT, RIGHT

SHARES_WINDOWS = True


def test_image_masks_and_prompts_stay_aligned_when_any_layer_is_moved(person, reported):
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    before = person.session.mask.copy()
    layers = [person.dock.image.layer, person.layer("mask"), person.layer("points")]
    corners = [layer.extent.world.copy() for layer in layers]
    for layer in layers:
        layer.translate = np.array(layer.translate) + (0, 25, 0)
        layer.scale = np.array(layer.scale) * 2
    for layer, corner in zip(layers, corners, strict=True):
        np.testing.assert_allclose(layer.extent.world, corner)
    assert len([text for text in reported if "cannot be moved while it is open" in text]) == 1
    person.dock.new_object()
    person.clicks(RIGHT)
    person.waits_for_mask()
    assert person.session.mask_of(2)[RIGHT]
    assert np.array_equal(person.session.mask_of(1), before)
    image = person.dock.image.layer
    person.dock.close_dock()
    image.translate = (0, 25, 0)
    assert image.translate.tolist() == [0, 25, 0]


def foreign_layer(volume):
    """The layer of another reader."""
    return Image(volume.data, affine=volume.affine, name=volume.name)


def own_layer(volume):
    return Layer.create(*layer_data(volume))


@pytest.mark.parametrize("make_layer", [own_layer, foreign_layer])
def test_an_image_whose_voxels_are_replaced_is_opened_again(person, make_layer):
    first, second = (
        replace(make_phantom(seed=seed)[0], name=name) for seed, name in ((2, "first"), (3, "b"))
    )
    layer = make_layer(first)
    person.viewer.add_layer(layer)
    person.dock.image.choose(layer)
    person.waits(lambda: person.session is not None and person.session.volume.name == "first")
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    layer.data = second.data
    person.waits(
        lambda: (
            person.session is not None and np.array_equal(person.session.volume.data, second.data)
        )
    )
    assert not person.session.now.objects
    layer.data = first.data
    person.waits(lambda: person.dock.resume.isVisible())
    person.dock.resume.resume.click()
    person.waits(lambda: len(person.session.now.objects) == 1)
