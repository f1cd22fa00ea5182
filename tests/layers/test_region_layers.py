"""Regions as layers: what is updated in place, and which display settings survive."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.testing import assert_array_equal

from napari_medvlm.data.mask import Mask
from napari_medvlm.data.prompts import Box, Point
from napari_medvlm.data.region import Heatmap, Region
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane, show_plane
from napari_medvlm.layers.region_boxes import DisplayedRegion
from napari_medvlm.layers.region_layers import RegionLayers
from tests.conftest import make_phantom

VOLUME, LEFT, RIGHT = make_phantom()
BOX = Box.at_index(VOLUME, (7, 12, 27), (17, 28, 39))
MASKED = Region.of_mask("left", Mask.of(LEFT), VOLUME.grid, None, "left")
OTHER_MASK = Region.of_mask("right", Mask.of(RIGHT), VOLUME.grid, None, "right")
POINT = Region("tip", BOX, points=(Point(position_mm=(1.0, 2.0, 3.0)),))


def heatmap(phrase, value):
    heat = Heatmap(np.full((2, 3, 4), value, np.float32), (5, 6, 7), VOLUME.shape)
    return Region(phrase, BOX, 0.5, heatmap=heat)


def displayed(*regions, color="#00ff00"):
    return [DisplayedRegion(key, region, color, "test") for key, region in enumerate(regions)]


@pytest.fixture
def layers():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(VOLUME)))
    show_plane(viewer, Plane.AXIAL)
    layers = RegionLayers(viewer, VOLUME, "Found", lambda _: None)
    yield layers
    layers.close()


def test_a_heatmap_keeps_its_layer_and_settings_when_another_phrase_is_added(layers):
    first, second = heatmap("liver", 0.4), heatmap("spleen", 0.7)
    layers.show(displayed(first))
    layer = layers.layer("heatmap: liver")
    layer.opacity, layer.visible, layer.contrast_limits = 0.25, False, (0.1, 0.6)
    layers.show(displayed(first, second))
    assert layers.layer("heatmap: liver") is layer
    assert (layer.opacity, layer.visible) == (0.25, False)
    assert tuple(layer.contrast_limits) == (0.1, 0.6)
    assert layers.layer("heatmap: spleen").visible


def test_a_heatmap_hidden_by_the_threshold_returns_with_its_opacity_and_visibility(layers):
    region = heatmap("liver", 0.4)
    layers.show(displayed(region))
    layer = layers.layer("heatmap: liver")
    layer.opacity, layer.visible = 0.25, False
    layers.show([])
    assert layers.layer("heatmap: liver") is None
    layers.show(displayed(region))
    shown = layers.layer("heatmap: liver")
    assert (shown.opacity, shown.visible) == (0.25, False)


def test_a_heatmap_shows_the_highest_value_of_all_regions_of_its_phrase(layers):
    layers.show(displayed(heatmap("liver", 0.4)))
    layer = layers.layer("heatmap: liver")
    layers.show(displayed(heatmap("liver", 0.4), heatmap("liver", 0.8)))
    assert layers.layer("heatmap: liver") is layer
    assert np.asarray(layer.data).max() == np.float32(0.8)
    layers.show(displayed(heatmap("liver", 0.3)))
    assert np.asarray(layer.data).max() == np.float32(0.3)
    assert np.count_nonzero(np.asarray(layer.data)) == 2 * 3 * 4


def test_a_heatmap_takes_the_new_color_of_its_phrase(layers):
    region = heatmap("liver", 0.4)
    layers.show(displayed(region))
    layer = layers.layer("heatmap: liver")
    layers.show(displayed(region, color="#ff0000"))
    assert_array_equal(layer.colormap.colors[-1], [1, 0, 0, 1])


def test_masks_are_updated_in_place(layers):
    layers.show(displayed(MASKED))
    layer = layers.layer("masks")
    layer.opacity = 0.8
    layers.show(displayed(OTHER_MASK))
    assert layers.layer("masks") is layer
    assert layer.opacity == 0.8
    assert_array_equal(np.asarray(layer.metadata["medvlm"]["labels"]) > 0, RIGHT)
    layers.show(displayed(MASKED, OTHER_MASK))
    labels = np.asarray(layer.metadata["medvlm"]["labels"])
    assert_array_equal(labels, np.where(RIGHT, 2, np.where(LEFT, 1, 0)))
    assert list(layer.features["name"]) == ["none", "left", "right"]


def test_masks_with_more_keys_than_a_byte_has_values_get_wider_labels(layers):
    layers.show(displayed(MASKED))
    layers.show([DisplayedRegion(300, OTHER_MASK, "#00ff00", "test")])
    assert np.asarray(layers.layer("masks").data).max() == 301


def test_points_are_updated_in_place(layers):
    layers.show(displayed(POINT))
    layer = layers.layer("points")
    layer.visible = False
    layers.show(displayed(POINT, POINT))
    assert layers.layer("points") is layer
    assert len(layer.data) == 2
    assert not layer.visible


def test_a_layer_that_the_user_removed_is_added_again_with_the_next_regions(layers):
    layers.show(displayed(MASKED))
    layers.viewer.layers.remove(layers.layer("masks"))
    layers.show(displayed(MASKED))
    assert np.count_nonzero(np.asarray(layers.layer("masks").data)) == np.count_nonzero(LEFT)
