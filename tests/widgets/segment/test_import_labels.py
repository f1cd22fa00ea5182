"""Labels layers that a session can start from or import."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.label_image import NamedLabels
from napari_medvlm.layers import labels_data
from napari_medvlm.widgets.segment.import_labels import LabelsRow
from tests.conftest import make_phantom


def test_a_layer_of_a_file_can_be_imported(qtbot):
    volume, left, _ = make_phantom()
    viewer = ViewerModel()
    row = LabelsRow(viewer)
    qtbot.addWidget(row)
    assert not row.take.isEnabled()
    named = NamedLabels(left.astype(np.uint8), volume.grid, {1: "liver"}, "organs")
    layer = viewer.add_layer(Layer.create(*labels_data(named)))
    assert row.choice.layer is layer
    assert row.take.isEnabled()
