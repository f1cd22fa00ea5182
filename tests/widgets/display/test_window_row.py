"""The list of window presets and its undo."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.volume import Modality, Volume
from napari_medvlm.data.window_presets import CT_WINDOWS
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.display.window_control import WindowControl
from napari_medvlm.widgets.display.window_row import WindowRow


def test_the_list_offers_the_presets_of_the_image_and_follows_its_window(qtbot):
    viewer = ViewerModel()
    row = WindowRow(WindowControl(viewer))
    qtbot.addWidget(row)
    assert not row.isEnabled()
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = Volume(data, np.eye(4), modality=Modality.CT)
    layer = viewer.add_layer(Layer.create(*layer_data(volume)))
    assert [row._list.itemText(i) for i in range(row._list.count())] == ["As loaded", *CT_WINDOWS]
    row._list.textActivated.emit("Bone")
    assert tuple(layer.contrast_limits) == CT_WINDOWS["Bone"].limits
    assert row.shown == "Bone"
    layer.contrast_limits = (0, 5)
    assert row.shown == ""
    row.undo.click()
    assert row.shown == "Bone"
    row.undo.click()
    assert row.shown == "As loaded"
