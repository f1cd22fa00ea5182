"""Layers of two paired studies, without a window."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.orientation import Plane
from napari_medvlm.layers.pairing.pairing_layers import (
    CHECKERBOARD,
    SUBTRACTION,
    VOLUME_CHANGE,
    PairedStudies,
    PairingLayers,
)
from napari_medvlm.layers.views.crosshair import Crosshair
from napari_medvlm.layers.views.linked import linked_views
from napari_medvlm.layers.views.per_view import PerView
from napari_medvlm.layers.views.side_view import SideView

VOLUME = Volume(np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6), name="now")


def test_a_deformable_pairing_shows_its_change_of_volume_and_a_rigid_one_takes_it_away():
    viewer = ViewerModel()
    current, prior = (viewer.add_layer(Layer.create(*layer_data(VOLUME))) for _ in range(2))
    z = np.indices(VOLUME.shape)[0]
    stretch = np.stack([0.25 * z, np.zeros(VOLUME.shape), np.zeros(VOLUME.shape)])
    deformable = Pairing(
        PairingKind.DEFORMABLE, np.eye(4),
        displacement_mm=stretch, displacement_affine=np.eye(4),
    )  # fmt: skip
    layers = PairingLayers(viewer, current, prior)
    layers.show(PairedStudies.of(VOLUME, VOLUME, deformable))
    layers.toggle(VOLUME_CHANGE, True)
    shown = viewer.layers["Volume change, %"]
    np.testing.assert_allclose(np.asarray(shown.data), -20, rtol=1e-5)  # 1 / 1.25
    layers.show(PairedStudies.of(VOLUME, VOLUME, Pairing(PairingKind.RIGID, np.eye(4))))
    assert not layers.has(VOLUME_CHANGE)
    layers.close()
    assert len(viewer.layers) == 2


def test_neither_a_registered_prior_nor_its_comparisons_cover_the_crosshair():
    viewer = ViewerModel()
    current, prior = (viewer.add_layer(Layer.create(*layer_data(VOLUME))) for _ in range(2))
    linked = linked_views(viewer)
    views = [viewer, SideView(viewer, Plane.CORONAL).model]
    crosshairs = PerView(linked, lambda view: Crosshair(view, linked.cursor))
    layers = PairingLayers(viewer, current, prior)
    layers.show(PairedStudies.of(VOLUME, VOLUME, Pairing(PairingKind.RIGID, np.eye(4))))
    layers.toggle(CHECKERBOARD, True)
    layers.toggle(SUBTRACTION, True)
    assert len(viewer.layers) == 6
    assert [view.layers[-1].name for view in views] == ["Crosshair"] * 2
    crosshairs.close()
