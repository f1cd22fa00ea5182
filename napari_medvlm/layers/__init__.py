"""napari layers from and to volumes, prompts and masks: the only code that makes or changes layers.

Layers are known by ``layer.metadata["medvlm"]``, never by name: people rename.
"""

from napari_medvlm.layers.convert import (
    covered_in,
    is_image,
    labels_data,
    labels_of,
    layer_data,
    mask_for_saving,
    mask_of_label,
    named_labels_of,
    series_in,
    series_volumes,
    tracking_uids_in,
    volume_of,
)
from napari_medvlm.layers.label_names import names_in

__all__ = [
    "covered_in",
    "is_image",
    "labels_data",
    "labels_of",
    "layer_data",
    "mask_for_saving",
    "mask_of_label",
    "named_labels_of",
    "names_in",
    "series_in",
    "series_volumes",
    "tracking_uids_in",
    "volume_of",
]
