"""Write labels layers for napari's File > Save menu."""

from __future__ import annotations

from typing import Any


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer on its image's grid: each region to its own file where some overlap."""
    from napari_medvlm.data.label_image import NamedLabels
    from napari_medvlm.io import Segment, write_mask, write_separately
    from napari_medvlm.layers import covered_in, mask_for_saving, names_in, tracking_uids_in

    metadata = meta.get("metadata") or {}
    uids = tracking_uids_in(metadata)
    segments = {
        value: Segment(name, tracking_uid=uids.get(value, ""))
        for value, name in names_in(meta.get("features")).items()
    }
    labels, volume = mask_for_saving(data, meta)
    covered = covered_in(metadata)
    if not covered:
        write_mask(path, labels, volume, segments)
        return [path]
    regions = NamedLabels(labels, volume.grid, {}, covered=covered)
    masks = {value: regions.mask_of(value).full() for value in sorted(regions.present)}
    return [str(own) for own in write_separately(path, masks, volume, segments)]
