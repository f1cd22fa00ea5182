"""The masks of grounded phrases as a file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from napari_medvlm.data.colors import color_of
from napari_medvlm.data.errors import CannotSave
from napari_medvlm.data.grounding import Grounding
from napari_medvlm.data.label_image import NamedLabels, flattened, overlap_notes
from napari_medvlm.data.mask import Mask
from napari_medvlm.data.volume import Volume
from napari_medvlm.io import Segment, write_mask, write_segments
from napari_medvlm.io.label_images import write_names
from napari_medvlm.sessions.export.masks import weights_of
from napari_medvlm.sessions.segment.by_name import regions_by_name


@dataclass(frozen=True)
class WrittenMasks:
    """What was written of a grounding.

    Attributes
    ----------
    paths
        The files.
    names
        The name of each label value.
    notes
        What was not written, or is hidden by another mask, a sentence each.
    """

    paths: tuple[Path, ...]
    names: dict[int, str]
    notes: tuple[str, ...] = ()


def write_grounding(
    path: str | Path, grounding: Grounding, volume: Volume, backend: str, model: str | None = None
) -> WrittenMasks:
    """Write one mask for each phrase; of *everything* one for each name.

    Parameters
    ----------
    path
        As of `write_mask`. A table of names lies next to a label image; DICOM holds the names.
    backend, model
        The model that located the phrases, which DICOM states.

    Raises
    ------
    CannotSave
        If no region has a mask, or the file cannot be written.
    """
    path = Path(path).expanduser()
    grouped = regions_by_name(grounding)
    masks = {
        name: reduce(Mask.union, [r.mask for r in regions if r.mask is not None])
        for name, regions in grouped.items()
        if any(r.mask is not None for r in regions)
    }
    boxes = [name for name in grouped if name not in masks]
    if not masks:
        raise CannotSave(
            f"{path.name} was not written: the regions are boxes and have no masks.",
            "Choose a backend that gives masks, or segment with the box: napari-medvlm segment.",
        )
    names = dict(enumerate(masks, start=1))
    notes = [f"No mask was written for {name}: it has only a box." for name in boxes]
    by_value = {value: masks[name] for value, name in names.items()}
    if path.name.lower().endswith(".dcm"):
        segments = _segments(names, backend, model)
        full = {value: mask.full() for value, mask in by_value.items()}
        write_segments(path, full, volume, segments)
        return WrittenMasks((path,), names, tuple(notes))
    sizes = {value: mask.voxels for value, mask in by_value.items()}
    values, covered = flattened(sizes, by_value.__getitem__, volume.shape)
    write_mask(path, values, volume)
    drawn = NamedLabels(values, volume.grid, names, path.name, covered=covered)
    if covered:
        notes += [overlap_notes(drawn)[0].partition(" Where ")[0]]
        notes += ["The label image has the smallest there; a .dcm file holds all of each."]
    if path.name.lower().endswith(".stl"):
        return WrittenMasks((path,), names, tuple(notes))
    table = write_names(path, {value: (n, color_of(value)) for value, n in names.items()})
    return WrittenMasks((path, table), names, tuple(notes))


def _segments(names: dict[int, str], backend: str, model: str | None) -> dict[int, Segment]:
    algorithm, weights = f"{backend} {Path(model or '').name}".strip(), weights_of(model)
    return {
        value: Segment(
            name, color_of(value), algorithm=algorithm, model=model or "", weights=weights,
            is_interactive=False,
        )
        for value, name in names.items()
    }  # fmt: skip
