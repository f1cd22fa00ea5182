"""Distances stay where the image is, whatever is done to their layer."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.layers import layer_data
from napari_medvlm.layers.ruler_layer import RulerLayer
from tests.conftest import make_phantom


def test_a_distance_stays_and_keeps_its_length_when_its_layer_is_moved():
    volume, viewer = make_phantom()[0], ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(volume)))
    lines = RulerLayer(viewer, volume, lambda: None)
    ends = volume.grid.to_world([(12, 10, 13), (12, 30, 13)])
    lines.add("Distance 1", ends)
    layer = lines.ready()
    layer.translate = np.add(layer.translate, (0, 25, 0))
    layer.scale = np.multiply(layer.scale, 3)
    layer.affine = np.diag([2.0, 2, 2, 1])
    (ruler,) = lines.rulers
    np.testing.assert_allclose(ruler.length_mm, 20)
    shown = [layer.data_to_world(vertex) for vertex in layer.data[0]]
    np.testing.assert_allclose(np.asarray(shown)[:, 1:], ends[:, 1:])
