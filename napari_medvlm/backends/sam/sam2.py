"""SAM 2, EdgeTAM and SAM 3's tracker: a volume as a film of slices, both ways from the prompts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.backends.base import BackendInfo, Progress
from napari_medvlm.backends.layouts.table import refuse_unconverted
from napari_medvlm.backends.memory.fallback import Fallback, MemoryFallbacks
from napari_medvlm.backends.memory.out_of_memory import out_of_memory_errors
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.sam.propagation import SliceMask
from napari_medvlm.backends.sam.slice_backend import Plane, SliceBySliceBackend
from napari_medvlm.backends.sam.slice_prompts import ObjectOnSlices, SlicePrompts, bounds_of
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.prompts import Box, InitialMask, Lasso, Line, Point, Scribble
from napari_medvlm.data.slice_image import PixelBounds
from napari_medvlm.data.volume import Volume

if TYPE_CHECKING:
    import torch

TRACKERS = {
    "sam2_video": ("Sam2VideoModel", "Sam2VideoProcessor"),
    "edgetam_video": ("EdgeTamVideoModel", "Sam2VideoProcessor"),
    "sam3_tracker_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
    "sam3_video": ("Sam3TrackerVideoModel", "Sam3TrackerVideoProcessor"),
}
"""The library's classes of model and processor, by the model type of a folder."""
MAX_SLICES = 8
"""How many slices' features are kept between requests; up to 100 MiB each."""
_OBJECT = 1


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
        return _Tracking(self._loaded, self._film(plane), plane, prompts, progress).masks()

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
            session.processed_frames = _Slices(plane, self._loaded)
            self._films[plane.axis] = session
        return self._films[plane.axis]


class _Slices(Mapping[int, "torch.Tensor"]):
    """The slices of a plane as preprocessed video frames, computed on access.

    A film of all slices in the size that the networks take would not fit into memory.
    """

    def __init__(self, plane: Plane, loaded: transformers_loader.Loaded) -> None:
        self._plane, self._loaded = plane, loaded

    def __getitem__(self, index: int) -> torch.Tensor:
        import torch

        pixels = torch.from_numpy(self._plane.picture(index).pixels).permute(2, 0, 1)
        video = self._loaded.processor.video_processor(videos=[pixels[None]], return_tensors="pt")
        frame: torch.Tensor = video["pixel_values_videos"][0][0].to(self._loaded.model.dtype)
        return frame

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return self._plane.count


class _Tracking:
    """One object, tracked through the slices of a plane."""

    def __init__(
        self,
        loaded: transformers_loader.Loaded,
        session: Any,
        plane: Plane,
        prompts: ObjectOnSlices,
        progress: Progress,
    ) -> None:
        self._loaded, self._session, self._plane = loaded, session, plane
        self._prompts, self._progress = prompts, progress
        self._known = sorted({*prompts.anchors, *prompts.known_masks})
        self._done = 0

    def masks(self) -> dict[int, SliceMask]:
        """The object on the slices that it was tracked through."""
        self._begin()
        masks = {}
        if self._prompts.stays:
            return {index: self._here(index) for index in self._known}
        for index in range(self._known[0], max(self._prompts.last, self._known[-1]) + 1):
            masks[index] = self._here(index)
            if not masks[index].inside.any() and index > self._known[-1]:
                break
        if self._known[0] > self._prompts.first:
            self._begin()
        for index in range(self._known[0] - 1, self._prompts.first - 1, -1):
            masks[index] = self._here(index, reverse=True)
            if not masks[index].inside.any():
                break
        return {i: here for i, here in masks.items() if here.inside.any() or i in self._known}

    def _begin(self) -> None:
        """Reset the tracker and add the prompts."""
        self._session.reset_tracking_data()
        for index in self._known:
            area = self._prompts.known_masks.get(index)
            slice_prompts = (
                SlicePrompts(area=area) if area is not None else self._prompts.slices[index]
            )
            self._add(index, slice_prompts)
            self._report(index)
            self._loaded.model(self._session, frame_idx=index)

    def _here(self, index: int, reverse: bool = False) -> SliceMask:
        """The mask on a slice, corrected by its negative prompts."""
        self._report(index)
        output = self._loaded.model(self._session, frame_idx=index, reverse=reverse)
        slice_prompts = self._prompts.slices.get(index)
        if slice_prompts is not None and index not in self._known:
            self._add(index, slice_prompts)
            output = self._loaded.model(self._session, frame_idx=index, reverse=reverse)
        self._done += 1
        size = self._plane.frame.size
        (masks,) = self._loaded.processor.post_process_masks([output.pred_masks], [size])
        inside = masks[0, 0].cpu().numpy()
        score = float(output.object_score_logits.float().sigmoid().reshape(-1)[0])
        return SliceMask(
            inside if slice_prompts is None else slice_prompts.consistent(inside), score
        )

    def _add(self, index: int, slice_prompts: SlicePrompts) -> None:
        """Give the library the prompts of a slice: a mask, or a box and points."""
        add = self._loaded.processor.add_inputs_to_inference_session
        if slice_prompts.area is not None and not slice_prompts.points:
            add(self._session, frame_idx=index, obj_ids=_OBJECT, input_masks=slice_prompts.area)
            return
        box = _box_of(slice_prompts)
        add(
            self._session,
            frame_idx=index,
            obj_ids=_OBJECT,
            input_points=[[[list(point) for point in slice_prompts.points]]]
            if slice_prompts.points
            else None,
            input_labels=[[slice_prompts.labels]] if slice_prompts.points else None,
            input_boxes=None if box is None else [[list(box)]],
        )

    def _report(self, index: int) -> None:
        done = min(self._done / self._plane.count, 1.0)
        self._progress(done, f"slice {index + 1} of {self._plane.count}")


def _box_of(prompts: SlicePrompts) -> PixelBounds | None:
    """The box of a slice; around an area that comes with points, and those that are in the object.

    The library takes no mask together with points.
    """
    if prompts.area is None or prompts.box is not None:
        return prompts.box
    bounds = bounds_of(prompts.area)
    inside = [p for p, label in zip(prompts.points, prompts.labels, strict=True) if label]
    if bounds is None or not inside:
        return bounds
    x, y = np.array(inside).T
    x0, y0, x1, y1 = bounds
    return (
        float(min(x0, x.min())), float(min(y0, y.min())),
        float(max(x1, x.max())), float(max(y1, y.max())),
    )  # fmt: skip


def _refuse_files(model: str | None) -> None:
    """Refuse the authors' own checkpoints, MedSAM2's among them, with the command to convert."""
    if model and Path(model).expanduser().is_file():
        refuse_unconverted(model)
        raise BackendUnavailable(
            f"{Path(model).name} is one file; a tracker is a folder as transformers saves it.",
            "Choose the folder of a converted tracker, or a checkpoint file of SAM 2, MedSAM2 or "
            "EdgeTAM for 'napari-medvlm models convert'.",
        )
