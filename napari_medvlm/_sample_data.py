"""Sample data for napari's File > Open Sample menu."""

from __future__ import annotations

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def mni152() -> list[LayerData]:
    """The MNI152 T1 brain at 1 mm that nilearn ships."""
    from nilearn.datasets import load_mni152_template

    from napari_medvlm.data.volume import Modality
    from napari_medvlm.io.medical_images import volume_from_nibabel
    from napari_medvlm.layers import layer_data

    _mark_sides()
    image = load_mni152_template(resolution=1)
    return [layer_data(volume_from_nibabel(image, "MNI152 T1 brain", Modality.MR))]


def ct_slice() -> list[LayerData]:
    """A CT slice that pydicom ships."""
    from pydicom.data import get_testdata_file

    from napari_medvlm.io import read_volume
    from napari_medvlm.layers import layer_data

    _mark_sides()
    return [layer_data(read_volume(str(get_testdata_file("CT_small.dcm", download=False))))]


def _mark_sides() -> None:
    """Mark the sides of the patient in the viewer that the sample is for."""
    from napari import current_viewer

    from napari_medvlm.layers.display.side_marks import mark_sides

    mark_sides(current_viewer())
