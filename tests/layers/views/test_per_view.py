"""Each linked view has a helper of its own for as long as it is open."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.per_view import PerView
from napari_medvlm.layers.views.side_view import SideView


class Helper:
    """Remembers its view, and whether it was closed."""

    def __init__(self, view):
        self.view, self.is_closed = view, False

    def close(self):
        self.is_closed = True


def test_helpers_come_and_go_with_the_views():
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_data(Volume(np.arange(60.0).reshape(3, 4, 5)))))
    first = SideView(viewer, Plane.CORONAL)
    helpers = PerView(linked_views(viewer), Helper)
    second = SideView(viewer, Plane.SAGITTAL)
    assert [helper.view for helper in helpers] == [viewer, first.model, second.model]
    _, of_first, of_second = helpers
    first.close()
    assert of_first.is_closed
    assert not of_second.is_closed
    helpers.close()
    assert of_second.is_closed
    assert list(helpers) == []
    SideView(viewer, Plane.CORONAL).close()
    assert list(helpers) == []
    second.close()
