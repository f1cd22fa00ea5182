"""SAM 2, EdgeTAM and SAM 3's tracker: a volume as a film of slices, both ways from the prompts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_medvlm.backends.base import BackendInfo, Progress
from napari_medvlm.backends.layouts.table import refuse_unconverted
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.memory.out_of_memory import out_of_memory_errors
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.sam.propagation import SliceMask
from napari_medvlm.backends.sam.sam2_tracking import Slices, Tracking
from napari_medvlm.backends.sam.slice_backend import Plane, SliceBySliceBackend
from napari_medvlm.backends.sam.slice_prompts import ObjectOnSlices
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble
from napari_medvlm.data.volume import Volume

TRACKERS = {
    "sam2_video": ("Sam2VideoModel", "Sam2VideoProcessor"),
    "edgetam_video": ("EdgeTamVideoModel", "Sam2VideoProcessor"),
    "sam3_tracker_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
    "sam3_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
}
"""The library's classes of model and processor, by the model type of a folder."""
MAX_SLICES = 8
"""How many slices' features are kept between requests; up to 100 MiB each."""


class SAM2Backend(SliceBySliceBackend):
    """Trackers of objects in films, shown the slices of a volume in their order.

    Slices with prompts are predicted first. From the first of them the
    object is tracked to the end of the volume, and, the memory wiped, from there to the beginning.
    Points that only say *not here* correct the slice that they are on when it is reached.
    """

    info = BackendInfo(
        name="sam2",
        title="SAM 2 and other trackers",
        code_licence="Apache-2.0",
        prompts=frozenset({Point, Box, Scribble, Lasso, Line, InitialMask}),
        weights_licence="see the model's card (SAM 2, EdgeTAM: Apache-2.0)",
        modules=("torch", "torchvision", "transformers"),
        memory_mib=4000,
    )

    def __init__(self) -> None:
        super().__init__()
        self._loaded: transformers_loader.Loaded
        self._films: dict[int, Any] = {}
        self._max_slices = MAX_SLICES

    def load(self, model: str | None, device: str) -> None:
        """Take the model of a folder, or of a hub id that was downloaded before."""
        _refuse_files(model)
        folder = transformers_loader.model_folder(
            model, self.info.title, "facebook/sam2.1-hiera-tiny"
        )
        kind = transformers_loader.kind_of(folder)
        if kind not in TRACKERS:
            raise BackendUnavailable(
                f"The model in {folder} is of the type {kind}, which cannot track objects.",
                f"Choose one of the type {', '.join(TRACKERS)}.",
            )
        auto, processor = TRACKERS[kind]
        with out_of_memory_errors(self.info.title, device):
            self._loaded = transformers_loader.loaded(
                auto, folder, device, title=self.info.title, processor=processor
            )
        self._films = {}
        self._max_slices = MAX_SLICES
        self._ladder = self._new_ladder(self._loaded)

    def set_volume(self, volume: Volume) -> None:
        """Take the volume."""
        super().set_volume(volume)
        self._films = {}

    def find(
        self, plane: Plane, prompts: ObjectOnSlices, progress: Progress
    ) -> Mapping[int, SliceMask]:
        """The object on the slices from where it begins to where it ends."""
        return Tracking(self._loaded, self._film(plane), plane, prompts, progress).masks()

    def _new_ladder(self, usual: transformers_loader.Loaded) -> MemoryFallbacks:
        """The fallbacks for too little memory, mildest first."""
        dtype = usual.model.dtype

        def back() -> None:
            self._films, self._max_slices, self._loaded = {}, MAX_SLICES, usual
            usual.model.to(usual.device, dtype)

        def keep_single_slice() -> None:
            self._max_slices = 1

        def on_cpu() -> None:
            model = usual.model.to("cpu").float()
            self._loaded = replace(usual, model=model, device=model.device)

        rungs = [Fallback("keeping the features of one slice only", keep_single_slice)]
        if usual.device.type != "cpu":
            rungs.append(Fallback("on the CPU", on_cpu))
        title, device = self.info.title, str(usual.device)
        return MemoryFallbacks(title, device, rungs, free=lambda: self._films.clear(), usual=back)

    def _film(self, plane: Plane) -> Any:
        """The library's session for the slices of a plane, which caches their features."""
        if plane.axis not in self._films:
            session = self._loaded.processor.init_video_session(
                video=None,
                inference_device=self._loaded.device,
                dtype=self._loaded.model.dtype,
                inference_state_device=self._loaded.device if self._max_slices > 1 else "cpu",
                max_vision_features_cache_size=self._max_slices,
            )
            session.video_height, session.video_width = plane.frame.size
            session.processed_frames = Slices(plane, self._loaded)
            self._films[plane.axis] = session
        return self._films[plane.axis]


def _refuse_files(model: str | None) -> None:
    """Refuse the authors' own checkpoints, MedSAM2's among them, with the command to convert."""
    if model and Path(model).expanduser().is_file():
        refuse_unconverted(model)
        raise BackendUnavailable(
            f"{Path(model).name} is one file; a tracker is a folder as transformers saves it.",
            "Choose the folder of a converted tracker, or a checkpoint file of SAM 2, MedSAM2 or "
            "EdgeTAM for 'napari-medvlm models convert'.",
        )
