"""An object followed by SAM 2 through the slices of a volume."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medvlm.backends.base import Progress
from napari_medvlm.backends.models import transformers_loader
from napari_medvlm.backends.sam.propagation import SliceMask
from napari_medvlm.backends.sam.slice_backend import Plane
from napari_medvlm.backends.sam.slice_prompts import ObjectOnSlices, SlicePrompts, bounds_of
from napari_medvlm.data.slice_image import PixelBounds

if TYPE_CHECKING:
    import torch

_OBJECT = 1


class Slices(Mapping[int, "torch.Tensor"]):
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


class Tracking:
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
