"""Layers of two paired studies, without a window."""

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_medvlm.data.geometry.pairing import Pairing, PairingKind
from napari_medvlm.data.volume import Volume
from napari_medvlm.layers import layer_data
from napari_medvlm.layers.pairing.pairing_layers import (
    VOLUME_CHANGE,
    PairedStudies,
    PairingLayers,
)

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
