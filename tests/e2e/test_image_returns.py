"""An image that leaves the viewer and returns has one mask layer: that of its session."""

import numpy as np
import pytest
from napari.layers import Image, Layer

from napari_medvlm.layers import layer_data
from napari_medvlm.widgets.segment.prompt_toolbar import Tool
from tests.conftest import make_phantom
from tests.e2e.conftest import LEFT

SHARES_WINDOWS = True


def masks(person):
    """Voxels of objects in each labels layer."""
    labels = [layer for layer in person.viewer.layers if layer.name.startswith("Objects")]
    return [int(np.count_nonzero(np.asarray(layer.data))) for layer in labels]


def foreign_layer():
    """The phantom as another reader adds it: without our metadata."""
    volume = make_phantom()[0]
    return Image(volume.data, affine=volume.affine, name="foreign")


def own_layer():
    return Layer.create(*layer_data(make_phantom()[0]))


def returns(person, make_layer):
    """Remove the image, and add it again as a new layer."""
    person.viewer.layers.remove(person.dock.image.layer)
    person.waits(lambda: person.session is None)
    person.viewer.add_layer(make_layer())
    person.waits(lambda: person.session is not None)


def chosen_again(person, make_layer):
    """Choose another image in the dock, and then this one again."""
    image = person.dock.image.layer
    other = person.viewer.add_image(np.random.default_rng(1).normal(size=(8, 9, 10)))
    person.dock.image.choose(other)
    person.waits(lambda: person.session is not None and person.session.volume.shape == (8, 9, 10))
    person.dock.image.choose(image)
    person.waits(lambda: person.session is not None and person.session.volume.shape != (8, 9, 10))


@pytest.mark.parametrize("leave_and_return", [returns, chosen_again])
@pytest.mark.parametrize("make_layer", [own_layer, foreign_layer])
def test_an_image_that_returns_has_one_mask(person, leave_and_return, make_layer):
    returns(person, make_layer)
    person.dock.tools.choose(Tool.POINT)
    person.clicks(LEFT)
    person.waits_for_mask()
    size = person.session.mask.sum()
    leave_and_return(person, make_layer)
    person.dock.resume.resume.click()
    person.waits(lambda: len(person.session.now.objects) == 1)
    person.waits_for_mask()
    person.waits(lambda: masks(person) == [size])
    person.session.remove(*person.session.now.objects[1].prompts)
    person.waits_for_mask()
    person.waits(lambda: masks(person) == [0])
