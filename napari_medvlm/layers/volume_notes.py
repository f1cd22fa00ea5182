"""Notes on how an image was read, shown once."""

from __future__ import annotations

from weakref import WeakSet

from napari_medvlm.data.volume import Volume

_shown: WeakSet[Volume] = WeakSet()


def unshown_notes(volume: Volume) -> tuple[str, ...]:
    """The notes of a volume at the first call for it, and nothing at later ones."""
    if volume in _shown:
        return ()
    _shown.add(volume)
    return volume.notes
