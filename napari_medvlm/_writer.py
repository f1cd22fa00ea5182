"""Write labels layers for napari's File > Save menu."""

from __future__ import annotations

from typing import Any


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer on its image's grid."""
    from napari_medvlm.io import Segment, write_mask
    from napari_medvlm.layers import mask_for_saving, names_in, tracking_uids_in

    uids = tracking_uids_in(meta.get("metadata") or {})
    segments = {
        value: Segment(name, tracking_uid=uids.get(value, ""))
        for value, name in names_in(meta.get("features")).items()
    }
    write_mask(path, *mask_for_saving(data, meta), segments)
    return [path]
