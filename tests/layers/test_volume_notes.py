"""Notes on reading are shown once for each volume."""

import numpy as np

from napari_medvlm.data.volume import Volume
from napari_medvlm.layers.volume_notes import unshown_notes


def test_notes_are_given_once_for_each_volume():
    first, second = (Volume(np.zeros((2, 3, 4)), notes=("Sides are unknown.",)) for _ in range(2))
    assert unshown_notes(first) == ("Sides are unknown.",)
    assert unshown_notes(first) == ()
    assert unshown_notes(second) == ("Sides are unknown.",)
