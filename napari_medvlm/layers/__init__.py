"""napari layers from and to volumes, prompts and masks: the only code that makes or changes layers.

Layers are known by ``layer.metadata["medvlm"]``, never by name: people rename.
"""

from napari_medvlm.layers.images import (
    is_image,
    labels_of,
    layer_data,
    mask_for_saving,
    volume_of,
)

__all__ = ["is_image", "labels_of", "layer_data", "mask_for_saving", "volume_of"]
