"""The embedded backend: edges between tissues from the image itself, corrected by every prompt."""

from __future__ import annotations

from napari_medvlm.backends.base import Backend, BackendInfo, ObjectPrompts, Progress
from napari_medvlm.backends.embedded import finish
from napari_medvlm.backends.embedded.levels import Levels
from napari_medvlm.backends.embedded.seeds import read
from napari_medvlm.prompts import Box, InitialMask, Lasso, Point, Scribble
from napari_medvlm.results import Mask
from napari_medvlm.volume import Volume


class EmbeddedBackend(Backend):
    """A region that follows the prompts, from edges between tissues; no weights, deterministic."""

    info = BackendInfo(
        name="embedded",
        title="Embedded (no model needed)",
        prompts=frozenset({Point, Box, Scribble, Lasso, InitialMask}),
        code_licence="BSD-3-Clause",
        memory_mib=400,
    )

    def set_volume(self, volume: Volume) -> None:
        """Take the volume, and make the coarse image that every request starts from."""
        self._volume = volume
        self._levels = Levels(volume)

    def segment(self, prompts: ObjectPrompts, progress: Progress) -> Mask:
        """The object's mask on the volume's grid; empty if nothing says where the object is."""
        progress(0.0, "reading the prompts")
        said = read(prompts, self._volume.grid)
        full = finish.segment(self._levels, said, prompts.excluded, progress)
        progress(1.0, "done")
        return Mask.of(full) if full.any() else Mask.empty(self._volume.shape)
